package realserver

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// loopback is the interface with the addresses: it has no neighbours.
const loopback = "lo"

// entry is an address as the kernel is to have it: for this host alone, of no
// network, and never chosen for connections that this host opens (scope host; IPv6
// has no scopes of that kind, and is deprecated for it, RFC 6724, section 5, rule
// 3). It brings no route that could be taken for a network of lo.
func entry(addr netip.Addr) *netlink.Addr {
	e := &netlink.Addr{
		IPNet: &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(addr.BitLen(), addr.BitLen())},
		Scope: unix.RT_SCOPE_HOST,
	}
	if addr.Is6() {
		e.Scope = unix.RT_SCOPE_UNIVERSE
		e.Flags = unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE
		e.ValidLft, e.PreferedLft = math.MaxUint32, 0
	}
	return e
}

// present tells of each address that lo has, however it came there.
func present() (map[netip.Addr]bool, error) {
	lo, err := netlink.LinkByName(loopback)
	if err != nil {
		return nil, err
	}
	entries, err := netlink.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list the addresses of lo: %w", err)
	}
	found := make(map[netip.Addr]bool)
	for _, e := range entries {
		if addr, ok := netip.AddrFromSlice(e.IP); ok {
			found[addr.Unmap()] = true
		}
	}
	return found, nil
}

// put adds an address to lo, unless it is there.
func put(addr netip.Addr) error {
	lo, err := netlink.LinkByName(loopback)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	if err := netlink.AddrAdd(lo, entry(addr)); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add %s to lo: %w", addr, err)
	}
	return effective(addr)
}

// effective waits until the kernel takes packets for the address: the route of an
// IPv6 address is made a moment later.
func effective(addr netip.Addr) error {
	for end := time.Now().Add(time.Second); ; time.Sleep(50 * time.Microsecond) {
		routes, err := netlink.RouteGet(addr.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("add %s to lo: the kernel makes no local route to it", addr), err)
		}
	}
}

// take removes an address from lo; that it is not there is as well.
func take(addr netip.Addr) error {
	lo, err := netlink.LinkByName(loopback)
	if err != nil {
		return err
	}
	if err := netlink.AddrDel(lo, entry(addr)); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove %s from lo: %w", addr, err)
	}
	return nil
}

// misplaced names an IPv6 address for which a router's proxy answers neighbours:
// the one way in which lo's would be told of.
func misplaced(addr netip.Addr) error {
	if !addr.Is6() {
		return nil
	}
	proxies, err := netlink.NeighProxyList(0, unix.AF_INET6)
	if err != nil {
		return fmt.Errorf("list the neighbours that this host answers for: %w", err)
	}
	for _, p := range proxies {
		if found, ok := netip.AddrFromSlice(p.IP); ok && found == addr {
			return fmt.Errorf("this host answers neighbours for %s (ip -6 neigh show proxy)", addr)
		}
	}
	return nil
}
