package haproxy

import (
	"os"
	"strings"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var _ resources.Comparer = (*Agent)(nil)

// Common implements [resources.Comparer]: the file, where each node has its own,
// but for what haproxy passes over.
func (a *Agent) Common(r *pb.Resource) (what string, lines []string, err error) {
	s, err := parse(r, a.runDir)
	if err != nil || s.source != "conffile" || s.directory() {
		return "", nil, err
	}
	text, err := os.ReadFile(s.conffile)
	if err != nil {
		return "", nil, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return s.conffile, lines, nil
}
