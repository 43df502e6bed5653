package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// strays lists what is on a host and does not belong to a machine that has just
// been switched on: addresses, tables of nftables, processes and named
// namespaces. Its agent must have ended.
func (l *Lab) strays(ctx context.Context, name string) ([]string, error) {
	h, _ := l.Spec.Host(name)
	var all []string
	for _, look := range []struct {
		what    string
		command string
		stray   func(line string) string // empty: none
	}{
		{"address", "ip -o addr show", h.strayAddress},
		{"table", "nft list tables", func(line string) string { return line }},
		{"process", "exec ps -eo pid=,args=", strayProcess},
		{"namespace", "ip netns list", func(line string) string { return line }},
	} {
		out, err := l.Output(ctx, name, "sh", "-c", look.command)
		if err != nil {
			return nil, fmt.Errorf("look for strays on %s: %w", name, err)
		}
		for line := range strings.Lines(out) {
			if s := look.stray(strings.TrimSpace(line)); s != "" {
				all = append(all, fmt.Sprintf("%s: %s %s", name, look.what, s))
			}
		}
	}
	return all, nil
}

// strayAddress reads a line of `ip -o addr`.
func (h Host) strayAddress(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return ""
	}
	p, err := netip.ParsePrefix(fields[3])
	if err != nil {
		return ""
	}
	a := p.Addr()
	if a.IsLoopback() || a.IsLinkLocalUnicast() {
		return ""
	}
	for network := range h.networks() {
		if a == h.address(network) || a == h.address6(network) {
			return ""
		}
	}
	return fields[3] + " on " + fields[1]
}

// strayProcess reads a line of ps: the host's init, its warden and ps itself belong
// there.
func strayProcess(line string) string {
	pid, args, _ := strings.Cut(line, " ")
	args = strings.TrimSpace(args)
	if pid == "1" || strings.HasPrefix(args, "ps -eo") || strings.Contains(args, strings.Join(wardenCommand, " ")) {
		return ""
	}
	return line
}
