package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Kinds of datagrams that the transport keeps for itself. All others are free.
const (
	kindPing = 255 // payload: the sender's time
	kindPong = 254 // payload: that of the ping
)

var (
	// ErrNoSession is returned when no session with the node stands yet. The
	// datagram is lost; a session is being made.
	ErrNoSession = errors.New("no datagram session with the node yet")

	errSelf = errors.New("datagram to this node itself")
)

// HandleDatagrams sets what is done with datagrams of one kind. f is called by
// the one goroutine that reads the network, so it must be quick; payload is
// valid only during the call.
func (t *Transport) HandleDatagrams(kind byte, f func(from string, payload []byte)) {
	if kind >= kindPong {
		panic(fmt.Sprintf("datagram kind %d is the transport's own", kind))
	}
	t.handlers[kind].Store(&f)
}

// SendDatagram sends a datagram to a node and never waits. An error says that it
// is lost; no error says nothing. The first one to a node is lost as a rule, and
// begins the making of a session; after a minute without any that is given up.
func (t *Transport) SendDatagram(id string, kind byte, payload []byte) error {
	if len(payload) > MaxDatagram {
		return errTooLong
	}
	p := t.peer(id)
	if p == nil {
		return errSelf
	}
	p.used.Store(int64(t.elapsed()))
	if !p.kept.Load() {
		t.startKeeper(p)
	}
	return t.sendOver(p.best.Load(), kind, payload)
}

func (t *Transport) sendOver(s *session, kind byte, payload []byte) error {
	if s == nil {
		return ErrNoSession
	}
	to := s.to.Load()
	if to == nil {
		return ErrNoSession
	}
	b := t.buffers.Get().(*sealBuffer)
	defer t.buffers.Put(b)
	return t.udp.send(to, s.sealInto(b, kind, payload))
}

// readLoop receives all datagrams. Nothing in it waits for anything else.
func (t *Transport) readLoop(ctx context.Context) error {
	buffer := make([]byte, maxPacket+1) // what is longer is not ours
	for {
		n, from, err := t.udp.ReadFromUDPAddrPort(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("read datagrams: %w", err)
		}
		if err != nil {
			continue // an ICMP error of an earlier datagram
		}
		t.receive(buffer[:n], from)
	}
}

func (t *Transport) receive(packet []byte, from netip.AddrPort) {
	if len(packet) < 1+keyIDSize {
		return
	}
	s := (*t.sessions.Load())[keyID(packet[1:])]
	switch {
	case packet[0] == unknownKey && s != nil:
		t.hinted(s, from)
	case packet[0] != sealed || len(packet) < minSealed || len(packet) > maxPacket:
	case s == nil:
		t.hint(packet, from)
	default:
		t.accept(s, packet, from)
	}
}

// accept takes a datagram of a session, if it is genuine and new.
func (t *Transport) accept(s *session, packet []byte, from netip.AddrPort) {
	kind, payload, err := s.openPacket(packet)
	if err != nil {
		return
	}
	now := t.elapsed()
	s.peer.heard.Store(int64(now))
	if to := s.to.Load(); to == nil || !s.dialed && to.addr != unmap(from) {
		s.to.Store(t.udp.target(from)) // the acceptor answers to where the dialer speaks from
	}
	if !s.proven.Load() {
		s.proven.Store(true)
		s.peer.choose()
	}
	switch kind {
	case kindPing:
		_ = t.sendOver(s, kindPong, payload) // lost like any datagram
	case kindPong:
		s.peer.measured(now, payload)
	default:
		if f := t.handlers[kind].Load(); f != nil {
			(*f)(s.peer.id, payload)
		}
	}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// hint tells a sender that its key is unknown here, most likely because this
// process is younger than the session. Nobody vouches for it: it is shorter than
// what it answers, there are few of them, and all it can do is make the sender
// look again.
func (t *Transport) hint(packet []byte, from netip.AddrPort) {
	if !t.hints.allow(t.elapsed()) {
		return
	}
	reply := append([]byte{unknownKey}, packet[1:1+keyIDSize]...)
	_ = t.udp.send(t.udp.target(from), reply)
}

// hinted makes a new session at once when a hint comes from where the session
// leads to. The old one stays in use until the new one stands.
func (t *Transport) hinted(s *session, from netip.AddrPort) {
	to := s.to.Load()
	if to == nil || to.addr != unmap(from) {
		return
	}
	now := t.elapsed()
	if last := s.peer.lastHint.Load(); last != 0 && now-time.Duration(last) < hintInterval {
		return
	}
	s.peer.lastHint.Store(int64(now))
	s.peer.renew()
}

const (
	hintInterval = time.Second           // between hints of one peer that are acted on
	hintEvery    = 50 * time.Millisecond // sent, over time
	hintBurst    = 20
)

// A hintLimit bounds how many hints are sent.
type hintLimit struct {
	debt time.Duration // until when the hints sent so far are paid for
}

func (l *hintLimit) allow(now time.Duration) bool {
	if l.debt < now {
		l.debt = now
	}
	if l.debt-now >= hintBurst*hintEvery {
		return false
	}
	l.debt += hintEvery
	return true
}
