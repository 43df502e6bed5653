package vip

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A listener hears other hosts on one link say that an address is theirs.
type listener struct {
	addr netip.Addr
	own  net.HardwareAddr
	file *os.File
}

// listen opens a socket on which the kernel passes nothing but what may be a
// claim.
func listen(link netlink.Link, addr netip.Addr) (*listener, error) {
	open := listenARP
	if !addr.Is4() {
		open = listenNDP
	}
	fd, err := open(link.Attrs(), addr)
	if err != nil {
		return nil, fmt.Errorf("listen for claims of %s on %s: %w", addr, link.Attrs().Name, err)
	}
	return &listener{addr: addr, own: link.Attrs().HardwareAddr, file: os.NewFile(uintptr(fd), "claims")}, nil
}

// listenARP filters by the sender's address: both a request and a reply with
// it claim it (RFC 5227, section 2.4). A packet socket of one protocol does not
// hear what this host sends.
func listenARP(link *netlink.LinkAttrs, addr netip.Addr) (int, error) {
	return listenPackets(link.Index, unix.ETH_P_ARP, []bpf.Instruction{
		bpf.LoadAbsolute{Off: arpSenderIP, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: word(addr.AsSlice()), SkipFalse: 1},
		bpf.RetConstant{Val: arpLength},
		bpf.RetConstant{Val: 0},
	})
}

// Where an ARP frame says who sent it.
const (
	arpSenderMAC = 22
	arpSenderIP  = 28
	arpLength    = 42
)

func attach(fd int, filter []bpf.RawInstruction) error {
	program := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		program[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

func networkOrder(v uint16) uint16 { return v<<8 | v>>8 }

func closeUnless(fd int, err error) (int, error) {
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// listenNDP lets neighbour advertisements pass. Theirs reach every host, as
// they are sent to all nodes when unsolicited (RFC 4861, section 7.2.6).
func listenNDP(link *netlink.LinkAttrs, _ netip.Addr) (int, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return -1, err
	}
	filter := &unix.ICMPv6Filter{}
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0) // a set bit blocks a type (RFC 3542, section 3.2)
	}
	const kind = neighborAdvertisement
	filter.Data[kind/32] &^= 1 << (kind % 32)
	err = unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, filter)
	if err == nil {
		err = unix.BindToDevice(fd, link.Name)
	}
	return closeUnless(fd, err)
}

// run calls claimed with the hardware address of each other host that claims
// the address. It returns when ctx is canceled or the link is gone, and leaves
// the socket open: to close it takes the kernel some 10 ms, which must not delay
// a stop.
func (l *listener) run(ctx context.Context, claimed func(net.HardwareAddr)) error {
	stop := context.AfterFunc(ctx, func() { _ = l.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 1500)
	for {
		n, err := l.file.Read(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listen for claims of %s: %w", l.addr, err)
		}
		if mac := l.claimant(buf[:n]); mac != nil && !bytes.Equal(mac, l.own) {
			claimed(mac)
		}
	}
}

// claimant returns who claims the address by a frame or message, if anybody.
func (l *listener) claimant(b []byte) net.HardwareAddr {
	if l.addr.Is4() {
		if len(b) < arpLength {
			return nil
		}
		return net.HardwareAddr(bytes.Clone(b[arpSenderMAC:arpSenderIP]))
	}
	m, err := ndp.ParseMessage(b)
	if err != nil {
		return nil
	}
	na, ok := m.(*ndp.NeighborAdvertisement)
	if !ok || na.TargetAddress != l.addr {
		return nil
	}
	for _, o := range na.Options {
		if lla, ok := o.(*ndp.LinkLayerAddress); ok && lla.Direction == ndp.Target {
			return lla.Addr
		}
	}
	return nil
}
