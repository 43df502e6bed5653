package simulation

import (
	"context"
	"errors"
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
	down   map[string]bool           // ports, by machine
	asking map[string]map[string]int // by resource and machine: questions under way
}

func newLAN() *lan { return &lan{down: map[string]bool{}, asking: map[string]map[string]int{}} }

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

// ask begins or ends a machine's question for a resource's address.
func (l *lan) ask(id, machine string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking[id] == nil {
		l.asking[id] = map[string]int{}
	}
	l.asking[id][machine] += n
}

func (l *lan) asks(id, machine string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asking[id][machine] > 0 && !l.down[machine]
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
	w.lan.ask(r.Id, m.id, 1)
	defer w.lan.ask(r.Id, m.id, -1)
	left := askTime
	if again {
		left = askBrief
	}
	w.note("%s asks for %s for %v", m.id, r.Id, left)
	for ; left > 0; left -= askPause {
		if !w.lan.up(m.id) {
			return nil, errNoCarrier
		}
		if c := w.claim(m.id, r.Id); c != nil {
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
	return nil, nil
}

// claim is what another machine says of an address at this instant.
func (w *world) claim(asker, id string) *resources.Claim {
	for _, name := range w.names {
		switch {
		case name == asker:
		case w.visible(name, id):
			return &resources.Claim{By: name, Address: id}
		case w.lan.asks(id, name):
			return &resources.Claim{By: name, Address: id, Asking: true}
		}
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
