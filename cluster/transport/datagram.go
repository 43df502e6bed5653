package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Kinds of datagrams that the transport keeps for itself. All others are free.
const (
	kindPing = 255 // payload: see ping
	kindPong = 254 // payload: that of the ping
	kindCopy = 253 // payload: number, kind and payload of a datagram that goes over several links

	kindHeartbeat       = 252 // payload: heartbeatQuestion
	kindHeartbeatAnswer = 251 // payload: heartbeatAnswer

	firstOwn = 250
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
	if kind >= firstOwn {
		panic(fmt.Sprintf("datagram kind %d is the transport's own", kind))
	}
	t.handle(kind, f)
}

func (t *Transport) handle(kind byte, f func(from string, payload []byte)) {
	t.handlers[kind].Store(&f)
}

// SendDatagram sends a datagram to a node, over each of the links to it, and
// never waits. An error says that it is lost; no error says nothing. The first one
// to a node is lost as a rule, and begins the making of sessions; after a minute
// without any that is given up.
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
		t.startTending(p)
	}
	switch sessions := *p.chosen.Load(); len(sessions) {
	case 0:
		return ErrNoSession
	case 1:
		return t.sendOver(sessions[0], kind, payload)
	default:
		return t.spread(sessions, p.copies.Add(1), kind, payload)
	}
}

// spread sends a copy of a datagram with each session. It is lost if all are.
func (t *Transport) spread(sessions []*session, number uint64, kind byte, payload []byte) error {
	b := t.buffers.Get().(*sealBuffer)
	defer t.buffers.Put(b)
	var failed error
	sent := false
	for _, s := range sessions {
		if err := t.udp.send(s.to.Load(), s.sealCopy(b, number, kind, payload)); err != nil {
			failed = err
		} else {
			sent = true
		}
	}
	if sent {
		return nil
	}
	return failed
}

func (t *Transport) sendOver(s *session, kind byte, payload []byte) error {
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
	t.hear(s.link, now)
	if to := s.to.Load(); to == nil || !s.dialed && to.addr != unmap(from) {
		s.to.Store(t.udp.target(from)) // the acceptor answers to where the dialer speaks from
	}
	if !s.proven.Load() {
		s.proven.Store(true)
		s.link.peer.rechoose()
	}
	switch kind {
	case kindPing:
		_ = t.sendOver(s, kindPong, payload) // lost like any datagram
	case kindPong:
		t.answered(s.link, now, payload)
	case kindCopy:
		t.acceptCopy(s, payload)
	default:
		t.deliver(s, kind, payload)
	}
}

// acceptCopy takes a datagram that may have come over another link already.
func (t *Transport) acceptCopy(s *session, payload []byte) {
	if len(payload) < copyHeader {
		return
	}
	t.compare(s.link)
	w := &s.origin.window
	number := binary.BigEndian.Uint64(payload)
	if !w.fresh(number) {
		return
	}
	w.note(number)
	t.deliver(s, payload[copyHeader-1], payload[copyHeader:])
}

func (t *Transport) deliver(s *session, kind byte, payload []byte) {
	if f := t.handlers[kind].Load(); f != nil {
		(*f)(s.link.peer.id, payload)
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

// hinted makes new sessions at once when a hint comes from where the session
// leads to. An old one stays in use until the new one stands.
func (t *Transport) hinted(s *session, from netip.AddrPort) {
	to := s.to.Load()
	if to == nil || to.addr != unmap(from) {
		return
	}
	now, p := t.elapsed(), s.link.peer
	if last := p.lastHint.Load(); last != 0 && now-time.Duration(last) < hintInterval {
		return
	}
	p.lastHint.Store(int64(now))
	p.renew(true)
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
