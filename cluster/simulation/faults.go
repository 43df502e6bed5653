package simulation

import (
	"context"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A fault is a kind of thing that goes wrong. What it breaks is mended after a
// while, by a later fault, or by the repair.
type fault struct {
	name string
	play func(*world, *machine)
}

// The faults of gentle schedules, and those that the others have too. One that
// is listed thrice is three times as likely.
var (
	gentleFaults = []fault{
		{"power cut", (*world).powerCut},
		{"isolation", (*world).isolate},
		{"one way cut", (*world).cutOneWay},
		{"delay", (*world).slow},
		{"loss", (*world).lossy},
		{"slow disk", (*world).slowDisk},
		{"heal", (*world).heal},
		{"leader steps down", (*world).stepDown},
		{"move", (*world).move},
		{"restart", (*world).restart},
		{"change of voters", (*world).changeRole},
	}
	rudeFaults = []fault{
		{"agent killed", (*world).killAgent},
		{"freeze", (*world).freeze},
		{"ambush", (*world).ambush}, {"ambush", (*world).ambush}, {"ambush", (*world).ambush},
	}
)

// fault plays one fault, drawn at random, on a machine drawn at random.
func (w *world) fault() {
	faults := gentleFaults
	if !w.gentle {
		faults = append(faults[:len(faults):len(faults)], rudeFaults...)
	}
	f, m := faults[w.fate.draw(len(faults))], w.machines[w.fate.pick(w.names...)]
	w.mu.Lock()
	w.faults[f.name]++
	w.mu.Unlock()
	f.play(w, m)
}

func (w *world) powerCut(m *machine) {
	m.kill(true)
	w.later(w.fate.between(50*time.Millisecond, 4*time.Second), m.start)
}

func (w *world) killAgent(m *machine) {
	m.kill(false)
	w.later(w.fate.between(20*time.Millisecond, 3*time.Second), m.start)
}

// restart ends the agent in good order and starts it again.
func (w *world) restart(m *machine) {
	p := m.running()
	if p == nil {
		return
	}
	w.note("%s is asked to end", m.id)
	w.people.Go(func() {
		p.cancel()
		p.run.Wait()
		m.mu.Lock()
		mine := m.process == p
		m.mu.Unlock()
		if mine {
			m.kill(w.gentle) // gentle: with its machine
			m.start()
		}
	})
}

func (w *world) freeze(m *machine) {
	m.freeze(w.fate.between(20*time.Millisecond, 2*time.Second))
}

// steps are the places before which an ambush may stop a machine or a thread.
var steps = []string{
	"call", "answer", "log", "log done", "testimony", "testimony done", "send", "sent", "receive",
	"start", "start-write", "halt", "guard-write", "guard-clear",
}

func (w *world) ambush(m *machine) {
	a := ambush{step: w.fate.pick(steps...), d: w.fate.between(10*time.Millisecond, 120*time.Millisecond), alone: w.fate.chance(0.5)}
	if w.fate.chance(0.7) {
		a.d = w.fate.between(100*time.Millisecond, 1500*time.Millisecond)
	}
	m.lay(a)
}

// isolate cuts a machine off, often for just about a lease, and checks that it
// falls silent (S3).
func (w *world) isolate(m *machine) {
	w.note("%s is cut off", m.id)
	for _, other := range w.names {
		w.network.setCut(m.id, other, true)
		w.network.setCut(other, m.id, true)
	}
	cut, judged := w.network.generation(), m.needsOthers()
	w.later(silentAfter, func() {
		if judged && w.network.generation() == cut { // nothing was mended meanwhile
			w.judgeSilence(m)
		}
	})
	d := w.fate.between(200*time.Millisecond, 3*time.Second)
	if w.fate.chance(0.5) {
		d = w.fate.between(leaseLength*9/10, leaseLength*3/2)
	}
	w.later(d, func() {
		w.note("%s is back on the network", m.id)
		w.network.rejoin(m.id)
	})
}

func (w *world) cutOneWay(m *machine) {
	other := w.fate.pick(w.names...)
	w.note("%s no longer reaches %s", m.id, other)
	w.network.setCut(m.id, other, true)
}

func (w *world) slow(m *machine) {
	other := w.fate.pick(w.names...)
	delay := w.fate.between(0, 600*time.Millisecond)
	w.note("%s to %s takes %v longer", m.id, other, delay)
	w.network.disturb(m.id, other, delay, 0)
}

func (w *world) lossy(m *machine) {
	other := w.fate.pick(w.names...)
	w.note("%s to %s loses datagrams", m.id, other)
	w.network.disturb(m.id, other, 0, 0.5)
}

func (w *world) slowDisk(m *machine) {
	w.note("%s has a slow disk", m.id)
	m.setSlowDisk(true)
	w.later(w.fate.between(500*time.Millisecond, 3*time.Second), func() { m.setSlowDisk(false) })
}

func (w *world) heal(*machine) {
	w.note("links healed")
	w.network.heal()
}

func (w *world) stepDown(*machine) {
	for _, name := range w.names {
		if p := w.machines[name].running(); p != nil && p.core.Leads() {
			w.note("%s steps down", name)
			w.tasks.Go(p.core.StepDown)
			return
		}
	}
}

// move asks for an operator's move.
func (w *world) move(m *machine) {
	id, to := w.fate.pick(append([]string{service}, addresses...)...), w.fate.pick(w.names...)
	w.note("%s is moved to %s", id, to)
	w.command(m, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
		Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: id, Node: to}},
	}}}}})
}

// changeRole makes some node a voter, or one that does not vote.
func (w *world) changeRole(m *machine) {
	id, role := w.fate.pick(w.names...), pb.Role_ROLE_VOTER
	if w.fate.chance(0.6) {
		role = pb.Role_ROLE_REPLICA
	}
	w.note("%s is to be %v", id, role)
	w.command(m, putRole(id, role))
}

func putRole(id string, role pb.Role) *pb.Command {
	return &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: id, Name: id, Role: role}}}}
}

// command has a machine commit something, whether that succeeds or not.
func (w *world) command(m *machine, c *pb.Command) {
	p := m.running()
	if p == nil {
		return
	}
	w.people.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		defer cancel()
		_, _ = p.core.Propose(ctx, c)
	})
}

// later runs f after a while, unless the world ends before.
func (w *world) later(d time.Duration, f func()) {
	w.tasks.Go(func() {
		w.sleep(d)
		if w.ctx.Err() == nil {
			f()
		}
	})
}
