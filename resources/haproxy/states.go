package haproxy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Each new worker begins with the states that the servers had under the one
// before it: which are down, which an operator took out, and their weights. For
// that haproxy writes them down before a reload, and reads them when it starts
// (HAProxy Configuration Manual, "load-server-state-from-file"). It has to be told
// so by its configuration; unless that speaks of it already, the copy that runs
// has the lines for it.

// ownStates are the words by which a configuration shows that it sees to the
// states itself.
var ownStates = map[string]bool{"server-state-file": true, "server-state-base": true, "load-server-state-from-file": true}

// stateFile returns where a worker reads states, and whether the lines for that
// are the agent's to add; "": nowhere that the agent knows of.
func (s *settings) stateFile(text string) (path string, ours bool) {
	ours, base := true, ""
	for _, st := range statements(text) {
		if !ownStates[st.words[0]] {
			continue
		}
		ours = false
		if st.section == "global" && len(st.words) > 1 {
			switch st.words[0] {
			case "server-state-file":
				path = st.words[1]
			case "server-state-base":
				base = st.words[1]
			}
		}
	}
	switch {
	case ours:
		return s.states, true
	case path == "" || filepath.IsAbs(path):
		return path, false
	case base == "":
		return "", false
	}
	return filepath.Join(base, path), false
}

// carrying returns a configuration with the lines that make its servers' states
// outlive a reload, and the numbers of those lines.
func (s *settings) carrying(text string) (string, []int) {
	path, ours := s.stateFile(text)
	if !ours || text == "" {
		return text, nil
	}
	name := "\tserver-state-file '" + strings.ReplaceAll(path, "'", `'\''`) + "'\n"
	after := map[int]string{0: "global\n" + name} // by line
	for _, st := range statements(text) {
		switch st.words[0] {
		case "global":
			if after[0] != "" {
				after[0], after[st.line] = "", name
			}
		case "backend", "listen":
			after[st.line] = "\tload-server-state-from-file global\n"
		}
	}
	var out strings.Builder
	var added []int
	written := 0
	for i, line := range append([]string{""}, strings.SplitAfter(text, "\n")...) {
		out.WriteString(line)
		written += strings.Count(line, "\n")
		out.WriteString(after[i])
		for range strings.Count(after[i], "\n") {
			written++
			added = append(added, written)
		}
	}
	return out.String(), added
}

// original gives lines of the copy that haproxy names the numbers that they have
// in what the user wrote.
func (s *settings) original(said string) string {
	at := regexp.MustCompile(regexp.QuoteMeta(s.copy) + `:(\d+)`)
	return at.ReplaceAllStringFunc(said, func(m string) string {
		line, _ := strconv.Atoi(m[len(s.copy)+1:])
		before, _ := slices.BinarySearch(s.added, line)
		return fmt.Sprintf("%s:%d", s.copy, line-before)
	})
}

// noStates is a file of states that tells of none.
const noStates = "1\n"

// forgetStates lets the next worker begin anew.
func (s *settings) forgetStates() error {
	return os.WriteFile(s.states, []byte(noStates), 0o600)
}

// keepStates writes down the states that a worker's servers have, for the next.
func (s *settings) keepStates(ctx context.Context, worker int, text string) error {
	path, _ := s.stateFile(text)
	if path == "" || text == "" {
		return nil
	}
	said, err := ask(ctx, s.socket, fmt.Sprintf("@!%d show servers state", worker))
	if err != nil {
		return fmt.Errorf("states of servers: %w", err)
	}
	said = strings.TrimSpace(said) + "\n"
	if !strings.HasPrefix(said, noStates) {
		return fmt.Errorf("states of servers: %s", oneLine(said))
	}
	if err := os.WriteFile(path+".new", []byte(said), 0o600); err != nil {
		return fmt.Errorf("states of servers: %w", err)
	}
	return os.Rename(path+".new", path)
}
