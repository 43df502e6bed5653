package vip

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Owned reports whether another host says that it has an address. Unlike [Agent.Ask]
// it asks as any neighbour does that has packets for it, and not as one that is
// about to take it, which would keep another node from doing so.
func (a *Agent) Owned(ctx context.Context, addr netip.Addr) (bool, error) {
	p, err := pick(&wish{addr: addr, bits: -1})
	if err != nil {
		return false, err
	}
	attrs := p.link.Attrs()
	if attrs.RawFlags&unix.IFF_NOARP != 0 || len(attrs.HardwareAddr) != 6 {
		return false, fmt.Errorf("ask for %s on %s: it has no neighbours that could answer", addr, attrs.Name)
	}
	q, err := newQuestion(p.link, addr)
	if err != nil {
		return false, fmt.Errorf("ask for %s on %s: %w", addr, attrs.Name, err)
	}
	defer a.late.Go(q.close)
	if q.frame, err = asNeighbour(p.link, addr); err != nil {
		return false, fmt.Errorf("ask for %s on %s: %w", addr, attrs.Name, err)
	}
	claim, err := q.put(ctx, probesAgain, waitAgain, func() error { return a.out.send(attrs.Index, [][]byte{q.frame}) })
	return claim != nil && !claim.Asking, err
}

// asNeighbour asks in the name of the interface's own address (RFC 826; RFC 4861,
// section 4.3).
func asNeighbour(link netlink.Link, addr netip.Addr) ([]byte, error) {
	from, err := ownAddress(link, addr)
	if err != nil {
		return nil, err
	}
	mac := link.Attrs().HardwareAddr
	if addr.Is4() {
		f := probeARP(mac, addr)
		copy(f[arpSenderIP:], from.AsSlice())
		return f, nil
	}
	group := solicited(addr)
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{
		TargetAddress: addr, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}},
	}, from, group)
	if err != nil {
		return nil, err
	}
	g := group.As16()
	return packet6(net.HardwareAddr{0x33, 0x33, g[12], g[13], g[14], g[15]}, mac, from, group, body), nil
}

// ownAddress is one that neighbours know the interface by: of the network that holds
// the address, if there is one, and none that floats.
func ownAddress(link netlink.Link, addr netip.Addr) (netip.Addr, error) {
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	entries, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(link, family) })
	if err != nil {
		return netip.Addr{}, err
	}
	for _, e := range entries {
		own, _ := netip.AddrFromSlice(e.IP)
		if own = own.Unmap(); own == addr || e.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DEPRECATED) != 0 {
			continue
		}
		if ones, bits := e.Mask.Size(); ones < bits && e.Contains(addr.AsSlice()) {
			return own, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("it has no address of its own in the network of %s", addr)
}
