package render

import (
	"fmt"
	"io"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Servers draws the services and servers that were asked for.
func Servers(w io.Writer, all []*pb.BalanceStatus, o Options) error {
	var b strings.Builder
	balances(&b, o, all)
	if len(all) == 0 {
		b.WriteString("Nothing that balances runs at the moment.\n")
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// balances draws what nodes tell of the servers behind what they run.
func balances(b *strings.Builder, o Options, all []*pb.BalanceStatus) {
	if len(all) == 0 {
		return
	}
	section(b, o, "Servers")
	t := Table{Indent: "  "}
	for _, status := range all {
		balance(&t, status)
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func balance(t *Table, status *pb.BalanceStatus) {
	head := status.GetResource() + " on " + status.GetNode()
	switch {
	case status.GetError() != "":
		t.Line(Bad, head+" does not tell: "+status.GetError())
		return
	case status.GetSync() != "":
		head += ", sync: " + status.GetSync()
	}
	t.Line(Plain, head)
	for _, s := range status.GetServices() {
		t.Row(Cell{"  " + s.GetName(), Strong}, Cell{s.GetScheduler(), Faint}, counted(s.GetCounts()),
			Cell{Text: connections(s.GetCounts().GetActive(), s.GetCounts().GetInactive())})
		for _, e := range s.GetServers() {
			server(t, e)
		}
		if left := int(s.GetCounts().GetServers()) - len(s.GetServers()); left > 0 && len(s.GetServers()) > 0 {
			t.Line(Faint, fmt.Sprintf("    and %d more", left))
		}
	}
}

func server(t *Table, e *pb.BalancedServer) {
	t.Row(Cell{Text: "    " + e.GetName()}, Cell{Text: fmt.Sprintf("weight %d", e.GetWeight())}, serverState(e),
		Cell{Text: connections(e.GetActive(), e.GetInactive())}, Cell{checked(e.GetChecks()), Faint}, Cell{Text: ordered(e)})
}

// counted is how many servers of a service are in which state.
func counted(c *pb.ServerCounts) Cell {
	text := fmt.Sprintf("%d of %d up", c.GetUp(), c.GetServers()-c.GetBackup())
	for _, n := range []struct {
		count uint32
		word  string
	}{{c.GetDown(), "down"}, {c.GetDrained(), "drained"}, {c.GetDisabled(), "disabled"}, {c.GetBackup(), "backup"}} {
		if n.count > 0 {
			text += fmt.Sprintf(", %d %s", n.count, n.word)
		}
	}
	switch {
	case c.GetUp() == 0:
		return Cell{text, Bad}
	case c.GetDown() > 0:
		return Cell{text, Warn}
	}
	return Cell{Text: text}
}

func connections(active, inactive uint64) string {
	return fmt.Sprintf("%d active, %d inactive", active, inactive)
}

// serverState is a server's state. One that is drained but has no connection left may
// be worked on.
func serverState(e *pb.BalancedServer) Cell {
	switch e.GetState() {
	case pb.ServerState_SERVER_STATE_UP:
		if e.GetWeight() == 0 {
			return Cell{"up, gets nothing", Warn}
		}
		return Cell{"up", Good}
	case pb.ServerState_SERVER_STATE_DOWN:
		return Cell{"down", Bad}
	case pb.ServerState_SERVER_STATE_DRAINED:
		if e.GetOpen() > 0 {
			return Cell{"draining", Warn}
		}
		return Cell{"drained", Warn}
	case pb.ServerState_SERVER_STATE_DISABLED:
		return Cell{"disabled", Warn}
	case pb.ServerState_SERVER_STATE_BACKUP:
		return Cell{"backup", Faint}
	case pb.ServerState_SERVER_STATE_UNSPECIFIED:
	}
	return Cell{Text: "unknown"}
}

// checked is what the checks said last: how fast where all is well, else why not.
func checked(checks []*pb.ServerCheck) string {
	var said []string
	for _, c := range checks {
		kind, _, _ := strings.Cut(c.GetCheck(), " ")
		switch c.GetResult() {
		case "up":
			said = append(said, fmt.Sprintf("%s in %s", kind, latency(c)))
		case "down":
			said = append(said, fmt.Sprintf("%s: %s, for %s", kind, c.GetReason(), span(c.GetSince().AsDuration())))
		default:
			said = append(said, kind+": not asked yet")
		}
	}
	return strings.Join(said, "; ")
}

// latency is how long an answer took, which may be less than HAProxy's millisecond.
func latency(c *pb.ServerCheck) string {
	if c.GetLatency().AsDuration() == 0 {
		return "under 1 ms"
	}
	return fmt.Sprintf("%.1f ms", float64(c.GetLatency().AsDuration().Microseconds())/1000)
}

// ordered is what an operator wanted of a server, and for how long.
func ordered(e *pb.BalancedServer) string {
	o := e.GetOrder()
	if o == nil {
		return ""
	}
	text := map[pb.ServerMode]string{
		pb.ServerMode_SERVER_MODE_DRAIN: "to be drained", pb.ServerMode_SERVER_MODE_DISABLED: "to be disabled",
	}[o.GetMode()]
	if o.Weight != nil {
		text = strings.TrimPrefix(fmt.Sprintf("%s, weight %d instead of %d", text, o.GetWeight(), e.GetConfiguredWeight()), ", ")
	}
	if e.GetKept() {
		return text + " (kept)"
	}
	return text + " (temporary)"
}
