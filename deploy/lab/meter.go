package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	// askEvery is how often the meter asks each node.
	askEvery = 5 * time.Millisecond
	// missable is how many questions in a row a node may leave unanswered and
	// still count as answering all the while: on a busy machine some get lost.
	missable = 2
)

// A MeterReport says which hosts answered for an address, and which had it.
type MeterReport struct {
	Answered []Span        `json:"answered"` // that the host answered, on its own cable
	Present  []Span        `json:"present"`  // that the address was on a link of the host
	Served   []Span        `json:"served"`   // that it was, and the kernel let it speak
	Double   time.Duration `json:"double"`   // two hosts or more answered
	Both     time.Duration `json:"both"`     // two hosts or more had it
	Shared   time.Duration `json:"shared"`   // two hosts or more served it
	Missed   int           `json:"missed"`   // times that a kernel had more to say than was read: Served may be wrong
}

// A meter asks, on every host's own cable, who has an address (ARP, or
// neighbour solicitation), and notes who answers. So it sees an owner also
// behind a cut, and asks past the bridge, whose clients learn nothing from it.
type meter struct {
	address netip.Addr
	socket  int
	ports   func() map[int]port // by index of the bridge's end
	round   int                 // questions asked
	last    map[string]heard    // by host
	spans   []Span
}

// heard is a host's newest span, and the newest question it answered.
type heard struct{ span, round int }

// meter measures until the caller shuts its side of conn, or ctx ends.
func (s *supervisor) meter(ctx context.Context, conn *net.UnixConn, address string) (*MeterReport, error) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: not an IP address", address)
	}
	socket, err := openMeter(a)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(socket) }()
	m := &meter{address: a, socket: socket, ports: s.ports.all, last: map[string]heard{}}
	began, missed := now(), s.kernels.record.misses()
	if err := send(conn, response{}); err != nil { // it measures from now on
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stop()
		_, _ = conn.Read(make([]byte, 1)) // nothing is sent: this is the end
		return nil
	})
	g.Go(func() error { return m.run(ctx) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	present, served := s.kernels.record.between(a, began, now())
	return &MeterReport{
		Answered: m.spans, Present: present, Served: served,
		Double: overlap(m.spans), Both: overlap(present), Shared: overlap(served),
		Missed: s.kernels.record.misses() - missed,
	}, nil
}

// A port is the bridge's end of a host's cable.
type port struct {
	host string
	mac  net.HardwareAddr
}

// portTable knows which host hangs at which interface of the supervisor.
type portTable struct {
	mu      sync.Mutex
	byIndex map[int]port
}

func (t *portTable) add(index int, p port) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byIndex[index] = p
}

func (t *portTable) remove(index int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byIndex, index)
}

func (t *portTable) all() map[int]port {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.byIndex)
}

// run asks every askEvery and takes the answers in between.
func (m *meter) run(ctx context.Context) error {
	hurry()
	for next := now(); ctx.Err() == nil; next += askEvery {
		m.round++
		ports := m.ports() // a host may have lost or got its power
		for index, p := range ports {
			m.ask(index, p.mac)
		}
		if at := now(); at > next+askEvery {
			next = at // we were kept from running; do not ask in a burst
		}
		if err := m.collect(next+askEvery, ports); err != nil {
			return err
		}
	}
	return nil
}

// ask sends one question. A cable without a carrier takes none, and a host
// behind it answers none.
func (m *meter) ask(index int, mac net.HardwareAddr) {
	_ = unix.Sendto(m.socket, question(m.address, mac), 0, &unix.SockaddrLinklayer{Ifindex: index})
}

// collect notes the answers that come before the deadline.
func (m *meter) collect(until time.Duration, ports map[int]port) error {
	frame, oob := make([]byte, 256), make([]byte, 256)
	for {
		left := until - now()
		if left <= 0 {
			return nil
		}
		wait := unix.NsecToTimespec(int64(left))
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(m.socket), Events: unix.POLLIN}}, &wait, nil)
		if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return fmt.Errorf("meter: %w", err)
		}
		n, oobn, _, from, err := unix.Recvmsg(m.socket, frame, oob, unix.MSG_DONTWAIT)
		if err != nil {
			continue // a port went away: the next question tells
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype != unix.PACKET_OUTGOING && isAnswer(frame[:n], m.address) {
			m.note(ports[link.Ifindex].host, arrival(oob[:oobn]))
		}
	}
}

// note extends the host's newest span, or begins one.
func (m *meter) note(host string, at time.Duration) {
	if host == "" {
		return
	}
	if l, ok := m.last[host]; ok && m.round-l.round <= 1+missable {
		m.spans[l.span].To = max(m.spans[l.span].To, at)
		m.last[host] = heard{l.span, m.round}
		return
	}
	m.last[host] = heard{len(m.spans), m.round}
	m.spans = append(m.spans, Span{Node: host, From: at, To: at})
}

// Meter measures who answers for an address until stop is called.
func (l *Lab) Meter(address netip.Addr) (stop func() (*MeterReport, error), err error) {
	conn, err := l.connect()
	if err != nil {
		return nil, err
	}
	if _, err := call(conn, request{Verb: verbMeter, Address: address.String()}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() (*MeterReport, error) {
		defer func() { _ = conn.Close() }()
		if err := conn.CloseWrite(); err != nil {
			return nil, err
		}
		var answer response
		files, err := receive(conn, &answer)
		closeAll(files)
		if err == nil && answer.Error != "" {
			err = errors.New(answer.Error)
		}
		return answer.Meter, err
	}, nil
}
