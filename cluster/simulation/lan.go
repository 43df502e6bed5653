package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"quorate/cluster/pair"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A lan is the network of the clients, of the ping targets, and of the questions
// for addresses. It is none of those between the machines; each has one port.
type lan struct {
	mu     sync.Mutex
	down   map[string]bool        // ports, by machine
	asking map[string][]*question // by resource: under way
}

func newLAN() *lan { return &lan{down: map[string]bool{}, asking: map[string][]*question{}} }

func (l *lan) up(machine string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.down[machine]
}

func (l *lan) set(machine string, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down[machine] = !up
}

// A question is one that a machine asks for a resource's address.
type question struct {
	machine string
	heard   string // another machine that began to ask meanwhile
}

// ask begins a question, which those who ask already hear.
func (l *lan) ask(id, machine string) *question {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := &question{machine: machine}
	for _, other := range l.asking[id] {
		if other.machine != machine && !l.down[machine] && !l.down[other.machine] {
			other.heard = machine
		}
	}
	l.asking[id] = append(l.asking[id], q)
	return q
}

func (l *lan) end(id string, q *question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking[id] = slices.DeleteFunc(l.asking[id], func(other *question) bool { return other == q })
}

// hears returns a machine that asks as well, or did since q began.
func (l *lan) hears(id string, q *question) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range l.asking[id] {
		if other.machine != q.machine && !l.down[other.machine] && !l.down[q.machine] {
			return other.machine
		}
	}
	return q.heard
}

var errNoCarrier = errors.New("the port has no carrier")

// How long a question for an address takes, from its first packet, and how far
// its packets are apart.
const (
	askTime  = 230 * time.Millisecond
	askBrief = 80 * time.Millisecond
	askPause = 40 * time.Millisecond
)

// Ask implements resources.Asker. The kernel of another machine answers, also
// while its agent stands still.
func (a agent) Ask(ctx context.Context, r *pb.Resource, again bool) (*resources.Claim, error) {
	m := a.process.machine
	w := m.world
	if !a.guarded {
		return nil, nil
	}
	m.gate(a.process, "ask")
	q := w.lan.ask(r.Id, m.id)
	defer w.lan.end(r.Id, q)
	left := askTime
	if again {
		left = askBrief
	}
	w.note("%s asks for %s for %v", m.id, r.Id, left)
	for ; ; left -= askPause {
		if !w.lan.up(m.id) {
			return nil, errNoCarrier
		}
		if c := w.claim(r.Id, q); c != nil || left <= 0 {
			return c, nil
		}
		select {
		case <-time.After(askPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-a.process.ended:
			return nil, errDead
		}
		m.gate(a.process, "ask")
	}
}

// claim is what another machine says of an address at this instant, or said since
// the question began.
func (w *world) claim(id string, q *question) *resources.Claim {
	for _, name := range w.names {
		if name != q.machine && w.visible(name, id) {
			return &resources.Claim{By: name, Address: id}
		}
	}
	if by := w.lan.hears(id, q); by != "" {
		return &resources.Claim{By: by, Address: id, Asking: true}
	}
	return nil
}

// visible reports whether clients are answered by a machine at this instant.
func (w *world) visible(name, id string) bool {
	return w.machines[name].kernel.serves(id) && w.lan.up(name)
}

// pings are the answers of the ping targets, which are asked all the time.
type pings struct {
	machine *machine
	mu      sync.Mutex
	newest  time.Duration
}

// reach is how a process reaches the ping targets; nil: there are none.
func (w *world) reach(p *process) pair.Reach {
	if !w.pinged {
		return nil
	}
	return &pings{machine: p.machine}
}

// Newest implements pair.Reach.
func (g *pings) Newest() (sent time.Duration, configured bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.machine.world.lan.up(g.machine.id) {
		g.newest = g.machine.clock.Now()
	}
	return g.newest, true
}

// Hurry implements pair.Reach.
func (g *pings) Hurry(bool) {}
