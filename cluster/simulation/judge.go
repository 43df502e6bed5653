package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/cluster/node"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// judge checks S1 for a resource, at the only instants at which it can begin to
// be violated: when a machine begins to serve, or goes on longer.
func (w *world) judge(resource string) {
	powered := resource == service && w.powered
	if slices.Contains(w.unguarded(), resource) && (w.pair || resource != service && !w.gentle) && !powered {
		return // nobody answers for it; and a role may change hands without a stop that the warden could make good
	}
	on := w.serving(resource)
	if len(on) <= w.most(resource) || w.violated() {
		return
	}
	for _, name := range on {
		if w.machines[name].excused() && !powered {
			return
		}
	}
	w.violate("S1: %s is served by %s, and may be by %d", resource, strings.Join(on, " and "), w.most(resource))
}

// serving returns who serves a resource at this instant.
func (w *world) serving(resource string) []string {
	var list []string
	for _, name := range w.names {
		if w.visible(name, resource) {
			list = append(list, name)
		}
	}
	return list
}

// A standing is the newest that any machine has applied of a node.
type standing struct {
	epoch uint64
	gone  bool
	start uint64        // of the agent: its nonce
	lease time.Duration // how long its leases last
}

// ending is an epoch that is over.
type ending struct {
	epoch     uint64
	restarted bool // by another start of its agent, which may leave the guard as it is (rule 25)
}

// attend is called with each state that the process applies. When the first of
// all machines learns that an epoch of a node is over, the node must be silent
// already: from this instant on what it served may be given to another (S1).
func (p *process) attend(s state.Snapshot) {
	w := p.machine.world
	if p.dead() { // what it still does, nobody sees
		return
	}
	p.contacts.apply(p.machine.id, s.State)
	p.audit.apply(p.machine, s)
	w.owners.follow(s)
	for _, n := range s.State.Nodes {
		if ended, news := w.learn(n); news {
			w.judgeEnd(n.Id, ended)
		}
	}
}

// learn notes a node's standing and returns the epoch that ended by it.
func (w *world) learn(n *pb.Node) (ended ending, news bool) {
	is := standing{n.Epoch, n.Admission == pb.Admission_ADMISSION_GONE, n.Nonce, n.Lease.AsDuration()}
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.standing[n.Id]
	switch {
	case is.epoch > was.epoch:
		w.standing[n.Id] = is
		if is.gone {
			return ending{epoch: is.epoch}, true
		}
		return ending{is.epoch - 1, is.start != was.start}, true
	case is.epoch == was.epoch && is.gone && !was.gone:
		w.standing[n.Id] = is
		return ending{epoch: is.epoch}, true
	case is.epoch == was.epoch && is.lease > was.lease:
		is.gone = was.gone
		w.standing[n.Id] = is
	}
	return ending{}, false
}

func (w *world) judgeEnd(id string, ended ending) {
	m := w.machines[id]
	if m.clock.stands() || m.excused() || w.pair {
		return
	}
	if p := m.running(); p != nil {
		if epoch, _, held := p.core.Held(); held && epoch <= ended.epoch {
			w.violate("S1: %s holds its lease of epoch %d, which is over", id, epoch)
		}
	}
	for _, r := range w.guarded() {
		if m.kernel.serves(r) && !ended.restarted {
			w.violate("S1: %s serves %s although its epoch %d is over", id, r, ended.epoch)
		}
	}
}

// judgeDeadline checks S3 whenever a machine's guard is extended: no majority of
// the voters has answered late enough for a later end.
func (w *world) judgeDeadline(p *process, deadline time.Duration) {
	if w.pair {
		return // it may keep its lease by itself
	}
	if latest := p.contacts.latest(p); deadline > latest {
		w.violate("S3: the guard of %s ends %v after the longest lease that its voters' acks can give", p.machine.id, deadline-latest)
	}
}

// refusedAfter is how long a machine may take to carry out that a majority has
// refused its beats.
const refusedAfter = 20 * time.Millisecond

// judgeRefused checks that a machine whose clock stood still has stopped what it
// served by the epoch whose beats were refused at a time on its clock, unless nothing can
// be stopped there, or a majority has acked since.
func (w *world) judgeRefused(p *process, refused uint64, at time.Duration) {
	m := p.machine
	if m.running() != p || m.stopped() || !m.excused() || m.kernel.troubleWith(halt) != none {
		return
	}
	if epoch, _, _ := p.core.Held(); epoch != refused || p.contacts.ackedSince(p, at) { // it has begun anew meanwhile
		return
	}
	for _, r := range w.guarded() {
		if m.kernel.serves(r) {
			w.violate("S1: %s serves %s %v after its beats were refused", m.id, r, refusedAfter)
		}
	}
}

// silentAfter is how long a machine that reaches nobody may go on serving.
const silentAfter = leaseLength*(100+200*maxDrift)/100 + 10*time.Millisecond

// needsOthers reports whether the machine, as far as it knows, can hold no lease
// by itself: it is not the only voter.
func (m *machine) needsOthers() bool {
	p := m.running()
	return p != nil && len(p.store.Get().State.Electorate.GetVoters()) > 1
}

// leaseOf is the longest lease that a machine had in its present epoch.
func (w *world) leaseOf(id string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.standing[id].lease
}

// judgeSilence checks S3 on a machine that has reached nobody for silentAfter.
func (w *world) judgeSilence(m *machine) {
	if w.leaseOf(m.id) > leaseLength || w.pair {
		return // for the restart of its agent, or kept by itself
	}
	for _, id := range w.guarded() {
		if m.needsOthers() && m.kernel.serves(id) && !m.excused() {
			w.violate("S3: %s still serves %s %v after it was cut off", m.id, id, silentAfter)
		}
	}
}

// judgeStuck checks, with all machines reachable, that the state knows of every
// resource that runs although its stop failed: it is blocked, or being dealt
// with (S5).
func (w *world) judgeStuck() {
	var hidden string
	for range 100 {
		if hidden = w.hiddenFailure(); hidden == "" {
			return
		}
		w.sleep(50 * time.Millisecond)
	}
	w.violate("S5: %s", hidden)
}

// hiddenFailure names a failed stop that the state does not tell of.
func (w *world) hiddenFailure() string {
	s := w.leaderState()
	if s == nil {
		return "nobody leads"
	}
	for _, id := range w.resourceIDs() {
		for _, name := range w.names {
			if w.machines[name].kernel.isStuck(id) && state.OperationOn(s, id, name) == nil &&
				state.InstanceOf(s, id, name).GetState() == pb.InstanceState_INSTANCE_STATE_STOPPED {
				return fmt.Sprintf("the stop of %s on %s failed, and the state has it stopped", id, name)
			}
		}
	}
	return ""
}

// judgeExplained checks that an event tells of every change of an owner (S6).
func (w *world) judgeExplained() {
	var c passage
	for range 40 {
		s, missing := w.leaderState(), false
		if s != nil {
			if c, missing = w.owners.unexplained(s); !missing {
				return
			}
		}
		w.sleep(50 * time.Millisecond)
	}
	w.violate("S6: no event tells why %s went from %s to %s at index %d", c.resource, c.from, c.to, c.index)
}

// judgeHealing checks that of two logs that went apart one goes on (S2).
func (w *world) judgeHealing(id string, lost *node.DivergedError) {
	newest := func(s *pb.Side) string { return s.Forks[len(s.Forks)-1].Id }
	own, winner := newest(lost.Own), newest(lost.Winner)
	w.mu.Lock()
	both := w.gaveWay[winner] == own
	w.gaveWay[own] = winner
	w.mu.Unlock()
	if both {
		w.violate("S2: %s gives way to %s, whose log gave way to it", id, lost.Winner.Node)
	}
}
