package haproxy

import (
	"context"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
)

// runtime sends one command to a worker, through the master, and returns its
// answer (HAProxy Management Guide, "Unix Socket commands", "Master CLI"). Of those
// that change something an answer is a refusal, see [order].
func runtime(ctx context.Context, s *settings, pid int, command string) (string, error) {
	answer, err := ask(ctx, s.socket, fmt.Sprintf("@!%d %s", pid, command))
	if err != nil {
		return "", fmt.Errorf("worker %d: %w", pid, err)
	}
	return strings.TrimSpace(answer), nil
}

// order sends a command that is silent when it is done.
func order(ctx context.Context, s *settings, pid int, command string) error {
	answer, err := runtime(ctx, s, pid, command)
	if err == nil && answer != "" {
		err = fmt.Errorf("%s: haproxy says: %s", command, oneLine(answer))
	}
	return err
}

// A row is what "show stat" says of a backend or a server.
type row struct {
	columns map[string]int // by name; shared by all rows
	values  []string
}

// get returns the value of a column; "" where HAProxy has none of that name.
func (r row) get(name string) string {
	if i, ok := r.columns[name]; ok && i < len(r.values) {
		return r.values[i]
	}
	return ""
}

// number reads a count; 0 where the column is empty.
func (r row) number(name string) uint64 {
	n, _ := strconv.ParseUint(r.get(name), 10, 64)
	return n
}

// askStats returns the rows of backends (svname BACKEND) and their servers.
func askStats(ctx context.Context, s *settings, pid int) ([]row, error) {
	const everyProxy, backendsAndServers, everyServer = -1, 2 + 4, -1
	answer, err := runtime(ctx, s, pid, fmt.Sprintf("show stat %d %d %d", everyProxy, backendsAndServers, everyServer))
	if err != nil {
		return nil, err
	}
	return parseStats(answer)
}

// parseStats reads CSV whose first line, the names, begins with "# ".
func parseStats(answer string) ([]row, error) {
	lines := csv.NewReader(strings.NewReader(strings.TrimPrefix(answer, "# ")))
	lines.FieldsPerRecord = -1
	records, err := lines.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("show stat: %w", err)
	}
	if len(records) == 0 || records[0][0] != "pxname" {
		return nil, fmt.Errorf("show stat: haproxy says: %.80q", answer)
	}
	columns := make(map[string]int, len(records[0]))
	for i, name := range records[0] {
		columns[name] = i
	}
	rows := make([]row, 0, len(records)-1)
	for _, record := range records[1:] {
		rows = append(rows, row{columns, record})
	}
	return rows, nil
}

// A serverState is how the worker stands with a server, beside what it counts
// ("Show servers state", version 1 of its format).
type serverState struct {
	backend, server string
	operational     int // 0: stopped
	admin           int // bits, see below
	weight, initial int // in force, and configured
}

// The bits of a serverState's admin: maintenance and draining may be ordered, follow
// from another server that this one tracks, or from names that are not resolved. A
// server that is configured as disabled keeps a mark of that when it is enabled.
const (
	forcedMaintenance     = 0x01
	configuredMaintenance = 0x04
	forcedDrain           = 0x08

	anyMaintenance = forcedMaintenance | 0x02 | 0x20 | 0x40
	anyDrain       = forcedDrain | 0x10
)

// askStates returns the states of all servers, in the order of the configuration.
func askStates(ctx context.Context, s *settings, pid int) ([]serverState, error) {
	answer, err := runtime(ctx, s, pid, "show servers state")
	if err != nil {
		return nil, err
	}
	return parseStates(answer)
}

// parseStates reads a line with the version of the format, one with the names of the
// columns, and one a server.
func parseStates(answer string) ([]serverState, error) {
	var names map[string]int
	var states []serverState
	for line := range strings.Lines(answer) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[0] == "#":
			names = make(map[string]int)
			for i, name := range fields[1:] {
				names[name] = i
			}
		case len(fields) < 2 || names == nil: // the version
		default:
			st, err := parseState(names, fields)
			if err != nil {
				return nil, err
			}
			states = append(states, st)
		}
	}
	if names == nil {
		return nil, fmt.Errorf("show servers state: haproxy says: %.80q", answer)
	}
	return states, nil
}

func parseState(names map[string]int, fields []string) (st serverState, err error) {
	get := func(name string) string {
		if i, ok := names[name]; ok && i < len(fields) {
			return fields[i]
		}
		return ""
	}
	st.backend, st.server = get("be_name"), get("srv_name")
	for name, into := range map[string]*int{
		"srv_op_state": &st.operational, "srv_admin_state": &st.admin, "srv_uweight": &st.weight, "srv_iweight": &st.initial,
	} {
		if *into, err = strconv.Atoi(get(name)); err != nil {
			return st, fmt.Errorf("show servers state: %s of %s/%s: %w", name, st.backend, st.server, err)
		}
	}
	return st, nil
}
