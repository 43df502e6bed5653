package state

import (
	"fmt"
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
