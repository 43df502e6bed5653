package realserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A cable joins this host to itself for a moment: what is sent from one end comes
// in at the other as from a neighbour.
const (
	cableHere  = "quorate-probe0"
	cableThere = "quorate-probe1"
)

// control is asked for along with the addresses. It is on the cable, so this host
// answers for it; answers come in order, so what was not answered before it never
// will be (RFC 3927: link-local, and for a host alone).
var control = netip.AddrFrom4([4]byte{169, 254, 87, 86})

// patience is how long a host may take to answer itself.
const patience = 500 * time.Millisecond

// verify asks this host, as a neighbour would, who has the addresses; it must not
// answer (RFC 5227, section 2.1.1: a probe). What it has as the owner is on an
// interface, for which this says nothing.
func (a *Agent) verify(ctx context.Context, s *settings) error {
	var asked []netip.Addr
	for _, addr := range s.addrs {
		if err := misplaced(addr); err != nil {
			return err
		}
		if addr.Is4() {
			asked = append(asked, addr)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	ways, err := a.ways(s)
	if err != nil {
		return err
	}
	answered, err := askSelf(ctx, asked, ways)
	if err != nil {
		return fmt.Errorf("ask for the addresses as a neighbour: %w", err)
	}
	if len(answered) > 0 {
		return fmt.Errorf("this host tells its neighbours that it has %s, which the director has: see net.ipv4.conf.*.arp_ignore and proxy_arp", list(answered))
	}
	return nil
}

// ways are the ways in which the interfaces answer, each once: their own settings,
// beside those of all.
func (a *Agent) ways(s *settings) ([]string, error) {
	names := s.nics
	if len(names) == 0 {
		links, err := netlink.LinkList()
		if err != nil {
			return nil, fmt.Errorf("list interfaces: %w", err)
		}
		for _, l := range links {
			if l.Attrs().Flags&unix.IFF_LOOPBACK == 0 && l.Attrs().RawFlags&unix.IFF_NOARP == 0 && l.Attrs().Flags&unix.IFF_UP != 0 {
				names = append(names, l.Attrs().Name)
			}
		}
	}
	var ways []string
	for _, name := range names {
		way, err := a.sysctls.Read(arpIgnore(name))
		if err == nil && !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}
	return ways, nil
}

// askSelf returns those of the addresses that this host answers for, on an
// interface with one of these settings of its own.
func askSelf(ctx context.Context, addrs []netip.Addr, ways []string) (answered []netip.Addr, err error) {
	unplug() // what an earlier process may have left
	defer unplug()
	there, err := plug()
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	socket := os.NewFile(uintptr(fd), "probe")
	defer socket.Close()
	at := &unix.SockaddrLinklayer{Protocol: bits.ReverseBytes16(unix.ETH_P_ARP), Ifindex: there.Attrs().Index}
	if err := unix.Bind(fd, at); err != nil {
		return nil, err
	}
	for _, way := range ways {
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+cableHere+"/arp_ignore", []byte(way), 0); err != nil {
			return nil, err
		}
		for _, addr := range append(slices.Clone(addrs), control) {
			if err := unix.Sendto(fd, probe(there.Attrs().HardwareAddr, addr), 0, at); err != nil {
				return nil, err
			}
		}
		until := time.Now().Add(patience)
		if end, ok := ctx.Deadline(); ok && end.Before(until) {
			until = end
		}
		if err := socket.SetReadDeadline(until); err != nil {
			return nil, err
		}
		heard, err := hear(socket, addrs)
		if err != nil || len(heard) > 0 {
			return heard, err
		}
	}
	return nil, nil
}

// hear reads answers until that for the control. A host that is set to answer for
// nothing at all (arp_ignore 8) has none for it.
func hear(socket *os.File, addrs []netip.Addr) (answered []netip.Addr, err error) {
	buf := make([]byte, 128)
	for {
		n, err := socket.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return answered, nil
		}
		if err != nil {
			return nil, err
		}
		if n < 42 || buf[21] != 2 { // RFC 826: an answer, and who has sent it
			continue
		}
		sender, _ := netip.AddrFromSlice(buf[28:32])
		if sender == control {
			return answered, nil
		}
		if slices.Contains(addrs, sender) && !slices.Contains(answered, sender) {
			answered = append(answered, sender)
		}
	}
}

// plug makes the cable, and returns the neighbour's end.
func plug() (netlink.Link, error) {
	cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: cableHere, TxQLen: -1}, PeerName: cableThere}
	if err := netlink.LinkAdd(cable); err != nil {
		return nil, fmt.Errorf("make %s: %w", cableHere, err)
	}
	for _, name := range []string{cableHere, cableThere} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0) // for quiet alone
	}
	here, err := netlink.LinkByName(cableHere)
	if err != nil {
		return nil, err
	}
	there, err := netlink.LinkByName(cableThere)
	if err != nil {
		return nil, err
	}
	own := &netlink.Addr{IPNet: &net.IPNet{IP: control.AsSlice(), Mask: net.CIDRMask(32, 32)}, Scope: unix.RT_SCOPE_LINK}
	if err := errors.Join(netlink.AddrAdd(here, own), netlink.LinkSetUp(here), netlink.LinkSetUp(there)); err != nil {
		return nil, err
	}
	return there, nil
}

func unplug() {
	if link, err := netlink.LinkByName(cableHere); err == nil {
		_ = netlink.LinkDel(link) // with its other end
	}
}

// probe is a question without a sender's address, from which nobody learns.
func probe(mac net.HardwareAddr, addr netip.Addr) []byte {
	var f bytes.Buffer
	f.Write([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Write(mac)
	f.Write([]byte{0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1})
	f.Write(mac)
	f.Write([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Write(addr.AsSlice())
	return f.Bytes()
}
