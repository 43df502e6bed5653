package state

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// maxPingTargets keeps the pings few.
const maxPingTargets = 8

// PingTargets are the addresses of the property quorum.ping, in its order.
func PingTargets(s *pb.State) []netip.Addr {
	targets, err := parsePingTargets(Property(s, "quorum.ping"))
	if err != nil {
		return nil // it was checked when it was set
	}
	return targets
}

// targetInside says which ping target the cluster has itself; empty: none. Who
// has it does not reach it by the network, so that by an address that moves
// another node would be the isolated one after every move.
func targetInside(s *pb.State) string {
	for _, t := range PingTargets(s) {
		for _, r := range s.Resources {
			if a, err := netip.ParseAddr(strings.TrimSpace(r.Parameters["ip"])); err == nil && a.Unmap() == t {
				return fmt.Sprintf("%s is the address of resource %s", t, r.Id)
			}
		}
		for _, n := range s.Nodes {
			if slices.ContainsFunc(n.Addresses, func(address string) bool { return hostOf(address) == t }) {
				return fmt.Sprintf("%s is an address of node %s", t, n.Name)
			}
		}
	}
	return ""
}

// hostOf is the address in host:port; a name is none.
func hostOf(address string) netip.Addr {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

func checkPingTargets(s string) (string, error) {
	targets, err := parsePingTargets(s)
	if err != nil {
		return "", err
	}
	list := make([]string, len(targets))
	for i, t := range targets {
		list[i] = t.String()
	}
	return strings.Join(list, ","), nil
}

func parsePingTargets(s string) ([]netip.Addr, error) {
	const fix = "give addresses of hosts that always answer, as the router, e.g. 192.0.2.1,192.0.2.2"
	var targets []netip.Addr
	for _, field := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		addr, err := netip.ParseAddr(field)
		addr = addr.Unmap()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is not an address; %s", field, fix)
		case addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback():
			return nil, fmt.Errorf("%s is not an address of one other host; %s", field, fix)
		case !slices.Contains(targets, addr):
			targets = append(targets, addr)
		}
	}
	if len(targets) > maxPingTargets {
		return nil, fmt.Errorf("%d addresses are too many; give at most %d", len(targets), maxPingTargets)
	}
	return targets, nil
}
