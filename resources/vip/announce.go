package vip

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A sender sends frames by a packet socket, which no firewall rule and no ARP
// setting delays. The socket is kept: to close one takes the kernel some 10 ms,
// longer than a failover should. Its zero value is ready.
type sender struct {
	once sync.Once
	fd   int
	err  error
}

// announce tells all neighbours on the link, at once, that the address is here.
// Links without hardware addresses have none to tell.
func (s *sender) announce(link netlink.Link, addr netip.Addr) error {
	a := link.Attrs()
	if a.Flags&unix.IFF_LOOPBACK != 0 || a.RawFlags&unix.IFF_NOARP != 0 || len(a.HardwareAddr) != 6 {
		return nil
	}
	frames, err := announcements(a.Name, a.HardwareAddr, addr)
	if err != nil {
		return fmt.Errorf("announce %s: %w", addr, err)
	}
	if err := s.send(a.Index, frames); err != nil {
		return fmt.Errorf("announce %s on %s: %w", addr, a.Name, err)
	}
	return nil
}

// send sends frames on a link. Protocol 0: the socket receives nothing.
func (s *sender) send(link int, frames [][]byte) error {
	s.once.Do(func() {
		s.fd, s.err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	})
	err := s.err
	for _, f := range frames {
		if err == nil {
			err = unix.Sendto(s.fd, f, 0, &unix.SockaddrLinklayer{Ifindex: link})
		}
	}
	return err
}

// close ends the sender for good.
func (s *sender) close() error {
	s.once.Do(func() { s.err = net.ErrClosed })
	if s.err != nil {
		return nil
	}
	s.err = net.ErrClosed
	return unix.Close(s.fd)
}

// announcements are the frames of one announcement: both forms of gratuitous
// ARP, because some neighbours heed only one (RFC 5227, section 3), or one
// unsolicited neighbour advertisement (RFC 4861, section 7.2.6).
func announcements(link string, mac net.HardwareAddr, addr netip.Addr) ([][]byte, error) {
	if addr.Is4() {
		return [][]byte{arp(arpRequest, mac, addr), arp(arpReply, mac, addr)}, nil
	}
	na, err := advertisement(mac, addr, isRouter(link))
	return [][]byte{na}, err
}

// Operations of ARP (RFC 826).
const (
	arpRequest = 1
	arpReply   = 2
)

// broadcastMAC is Ethernet's.
var broadcastMAC = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// arp is a broadcast frame in which sender and target address are both ours.
// Its target hardware address is ignored by receivers; the request leaves it
// empty (RFC 5227, section 1.1), the reply repeats the sender's, as is customary.
func arp(operation byte, mac net.HardwareAddr, addr netip.Addr) []byte {
	target := make(net.HardwareAddr, 6)
	if operation == arpReply {
		target = mac
	}
	f := ethernet(broadcastMAC, mac, unix.ETH_P_ARP)
	f = append(f, 0, 1, 0x08, 0x00, 6, 4, 0, operation) // Ethernet, IPv4, their lengths
	f = append(append(f, mac...), addr.AsSlice()...)
	return append(append(f, target...), addr.AsSlice()...)
}

func ethernet(to, from net.HardwareAddr, protocol uint16) []byte {
	f := make([]byte, 0, 96)
	f = append(append(f, to...), from...)
	return append(f, byte(protocol>>8), byte(protocol))
}

// allNodes is ff02::1, and its Ethernet address (RFC 2464, section 7).
var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allNodesMAC = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// advertisement is an unsolicited neighbour advertisement that overrides what
// neighbours have cached.
func advertisement(mac net.HardwareAddr, addr netip.Addr, router bool) ([]byte, error) {
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Router: router, Override: true, TargetAddress: addr,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
	}, addr, allNodes)
	if err != nil {
		return nil, err
	}
	f := ethernet(allNodesMAC, mac, unix.ETH_P_IPV6)
	f = append(f, 0x60, 0, 0, 0, 0, byte(len(body)), unix.IPPROTO_ICMPV6, 255)
	f = append(append(f, addr.AsSlice()...), allNodes.AsSlice()...)
	return append(f, body...), nil
}

// isRouter reports whether this node is a router on the link. An advertisement
// that denies it would make hosts drop their default route (RFC 4861, section
// 7.2.5).
func isRouter(link string) bool {
	setting, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + link + "/forwarding")
	return err == nil && strings.TrimSpace(string(setting)) == "1"
}
