package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// An echoer asks an address for ICMP echoes. Every request carries its number,
// so that an answer is matched to its own question and to no other.
type echoer struct {
	track  *track
	to     netip.Addr
	socket int
	id     uint16
}

const (
	echoHeader  = 8
	echoSize    = echoHeader + 8 // with the number of the probe
	ip4Header   = 20             // without options, which echo replies here have not
	icmpFilter  = 1              // ICMP_FILTER (linux/icmp.h)
	icmp6Filter = 1              // ICMPV6_FILTER (linux/icmpv6.h)
)

func newEchoer(to netip.Addr, t *track) (*echoer, error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if to.Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("icmp socket: %w", err)
	}
	e := &echoer{track: t, to: to, socket: fd, id: uint16(os.Getpid())}
	t.listenedUntil(0)
	if err := e.configure(); err != nil {
		return nil, errors.Join(fmt.Errorf("icmp socket: %w", err), unix.Close(fd))
	}
	return e, nil
}

// configure lets only echo replies in, stamped by the kernel, and bounds how
// long a read blocks, so that listen sees its end.
func (e *echoer) configure() error {
	timeout := unix.NsecToTimeval(int64(20 * time.Millisecond))
	// Room for some seconds of answers, where the system grants it: a full socket loses them.
	if unix.SetsockoptInt(e.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20) != nil {
		_ = unix.SetsockoptInt(e.socket, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20) // up to net.core.rmem_max
	}
	return errors.Join(
		e.filter(),
		unix.SetsockoptInt(e.socket, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(e.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
	)
}

func (e *echoer) filter() error {
	if e.to.Is4() {
		return unix.SetsockoptInt(e.socket, unix.SOL_RAW, icmpFilter, ^(1 << 0)) // all but type 0 is blocked
	}
	var f unix.ICMPv6Filter
	for i := range f.Data {
		f.Data[i] = ^uint32(0)
	}
	f.Data[129/32] &^= 1 << (129 % 32)
	return unix.SetsockoptICMPv6Filter(e.socket, unix.IPPROTO_ICMPV6, icmp6Filter, &f)
}

// ask sends one request. A network that takes none counts as one that lost it.
func (e *echoer) ask() {
	packet := make([]byte, echoSize)
	packet[0] = 8
	if e.to.Is6() {
		packet[0] = 128
	}
	number, _ := e.track.send()
	binary.BigEndian.PutUint16(packet[4:], e.id)
	binary.BigEndian.PutUint16(packet[6:], uint16(number))
	binary.BigEndian.PutUint64(packet[echoHeader:], uint64(number))
	if e.to.Is6() {
		_ = unix.Sendto(e.socket, packet, unix.MSG_DONTWAIT, &unix.SockaddrInet6{Addr: e.to.As16()})
		return
	}
	binary.BigEndian.PutUint16(packet[2:], checksum(packet))
	_ = unix.Sendto(e.socket, packet, unix.MSG_DONTWAIT, &unix.SockaddrInet4{Addr: e.to.As4()})
}

// run asks until ctx ends, and returns once it knows what became of the last.
func (e *echoer) run(ctx context.Context) error {
	listening, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	asking, giveUp := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error {
		defer giveUp()
		return e.listen(listening)
	})
	err := pace(asking, e.ask)
	stop()
	return errors.Join(err, g.Wait(), unix.Close(e.socket))
}

// listen takes the answers until ctx has ended and none is waited for.
func (e *echoer) listen(ctx context.Context) error {
	hurry()
	packet, oob := make([]byte, 256), make([]byte, 256)
	for ctx.Err() == nil || e.track.waiting() {
		began := now()
		n, oobn, _, _, err := unix.Recvmsg(e.socket, packet, oob, 0)
		if errors.Is(err, unix.EAGAIN) {
			e.track.listenedUntil(began) // none was left
			continue
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("icmp: %w", err)
		}
		at := arrival(oob[:oobn])
		if number, ok := e.parse(packet[:n]); ok {
			e.track.answer(number, at, true, "")
		}
		e.track.listenedUntil(at) // they come in their order
	}
	return nil
}

func (e *echoer) parse(packet []byte) (number int, ok bool) {
	if e.to.Is4() {
		if len(packet) < ip4Header || [4]byte(packet[12:16]) != e.to.As4() {
			return 0, false
		}
		packet = packet[ip4Header:]
	}
	if len(packet) < echoSize || binary.BigEndian.Uint16(packet[4:]) != e.id {
		return 0, false
	}
	return int(binary.BigEndian.Uint64(packet[echoHeader:])), true
}

// hurry gives the calling goroutine a thread of its own until it ends, and if
// the system lets it, one that goes first.
func hurry() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -15) // refused to an ordinary user
}

// pace calls f every ProbeEvery until ctx ends. What is missed is not made up for.
func pace(ctx context.Context, f func()) error {
	hurry()
	for next := now(); ctx.Err() == nil; {
		f()
		next += ProbeEvery
		if at := now(); at > next {
			next = at
		}
		wake := unix.NsecToTimespec(int64(next))
		if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &wake, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("sleep: %w", err)
		}
	}
	return nil
}
