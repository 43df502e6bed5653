package realserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kernel's own ends of tunnels from anywhere, which a director's packets come
// out of, and the modules that make them.
const (
	tunnel4 = "tunl0"   // ipip
	tunnel6 = "ip6tnl0" // ip6_tunnel
)

var tunnelModules = map[string]string{tunnel4: "ipip", tunnel6: "ip6_tunnel"}

// tunnels are those that the addresses need.
func (s *settings) tunnels() []string {
	var names []string
	if s.tunnel && s.has4() {
		names = append(names, tunnel4)
	}
	if s.tunnel && s.has6() {
		names = append(names, tunnel6)
	}
	return names
}

// number is an address for the end of a tunnel, for this host alone (RFC 3927). Of an
// interface without any, the kernel drops what comes from elsewhere unless rp_filter
// is 0 for all (net/ipv4/fib_frontend.c, __fib_validate_source).
var number = netip.AddrFrom4([4]byte{169, 254, 87, 87})

// unnumbered, after an interface's name, stands in a record for the address.
const unnumbered = " address"

// raise has a tunnel's end take packets, and names what it changed for that, as
// lower takes it.
func raise(ctx context.Context, name string) (changed []string, err error) {
	link, err := endOf(ctx, name)
	if err != nil {
		return nil, err
	}
	if link.Attrs().Flags&unix.IFF_UP == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			return nil, fmt.Errorf("tunnel: set %s up: %w", name, err)
		}
		changed = append(changed, name)
	}
	entries, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil || len(entries) > 0 || name != tunnel4 {
		return changed, err
	}
	if err := netlink.AddrAdd(link, entry(number)); err != nil && !errors.Is(err, unix.EEXIST) {
		return changed, fmt.Errorf("tunnel: add %s to %s: %w", number, name, err)
	}
	return append(changed, name+unnumbered), nil
}

// endOf finds the interface, whose module is loaded if it is not.
func endOf(ctx context.Context, name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		if out, failed := exec.CommandContext(ctx, "modprobe", tunnelModules[name]).CombinedOutput(); failed != nil {
			return nil, fmt.Errorf("tunnel: module %s: %s", tunnelModules[name], strings.TrimSpace(string(out)+" "+failed.Error()))
		}
		link, err = netlink.LinkByName(name)
	}
	if err != nil {
		return nil, fmt.Errorf("tunnel: interface %s of the module %s: %w", name, tunnelModules[name], err)
	}
	return link, nil
}

// lower undoes one change.
func lower(change string) error {
	name, address := strings.CutSuffix(change, unnumbered)
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil //nolint:nilerr // it went with its module
	}
	if address {
		err = netlink.AddrDel(link, entry(number))
	} else {
		err = netlink.LinkSetDown(link)
	}
	if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("tunnel: restore %s: %w", change, err)
	}
	return nil
}
