package simulation

import (
	"context"
	"slices"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A fault is a kind of thing that goes wrong. What it breaks is mended after a
// while, by a later fault, or by the repair.
type fault struct {
	name string
	play func(*world, *machine)
	rude bool // it ends or stops an agent without its machine
	many bool // it needs a second machine

	pinged bool // without ping targets both nodes of a pair would go on
	fenced bool // only fencing would keep a pair's S1: not in pairs
}

var faults = []fault{
	{name: "power cut", play: (*world).powerCut},
	{name: "restart", play: (*world).restart},
	{name: "slow disk", play: (*world).slowDisk},
	{name: "move", play: (*world).move},
	{name: "trouble", play: (*world).makeTrouble},
	{name: "resource dies", play: (*world).killResource},
	{name: "isolation", play: (*world).isolate, many: true},
	{name: "partition", play: (*world).partition, many: true},
	{name: "one way cut", play: (*world).cutOneWay, many: true},
	{name: "network cut", play: (*world).cutNetwork, many: true},
	{name: "LAN cut", play: (*world).cutLAN, pinged: true},
	{name: "both alone", play: (*world).forkTwice, pinged: true},
	{name: "delay", play: (*world).slow, many: true},
	{name: "disorder", play: (*world).disorder, many: true},
	{name: "loss", play: (*world).lossy, many: true},
	{name: "heal", play: (*world).heal, many: true},
	{name: "leader steps down", play: (*world).stepDown, many: true},
	{name: "change of voters", play: (*world).changeRole, many: true},
	{name: "exchange of voters", play: (*world).exchangeRoles, many: true},
	{name: "agent killed", play: (*world).killAgent, rude: true},
	{name: "freeze", play: (*world).freeze, rude: true},
	{name: "pause", play: (*world).pause, rude: true, fenced: true},
	{name: "ambush", play: (*world).ambush, rude: true},
	{name: "crash loop", play: (*world).crashLoop, rude: true},
}

// fault plays one fault, drawn at random, on a machine drawn at random.
func (w *world) fault() {
	f, m := w.faults[w.fate.weighted(w.weights)], w.machines[w.fate.pick(w.names...)]
	w.mu.Lock()
	w.played[f.name]++
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

// crashLoop ends the agent a few times soon after it has started.
func (w *world) crashLoop(m *machine) {
	at := time.Duration(0)
	for range 2 + w.fate.draw(3) {
		w.later(at, func() {
			if !w.repaired.Load() {
				m.kill(false)
			}
		})
		at += w.fate.between(10*time.Millisecond, 60*time.Millisecond)
		w.later(at, m.start)
		at += w.fate.between(100*time.Millisecond, 900*time.Millisecond)
	}
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

func (w *world) pause(m *machine) {
	m.pause(w.fate.between(20*time.Millisecond, 2*time.Second))
}

// steps are the places before which an ambush may stop a machine or a thread.
var steps = []string{
	"call", "serve", "log", "log done", "testimony", "testimony done",
	"beat", "beat sent", "ack", "ack sent", "inquiry", "inquiry sent", "answer", "answer sent", "receive",
	start, "start-write", halt, "guard-write", "guard-clear",
}

func (w *world) ambush(m *machine) {
	a := ambush{step: w.fate.pick(steps...), d: w.fate.between(10*time.Millisecond, 120*time.Millisecond), alone: w.fate.chance(0.5)}
	if w.fate.chance(0.7) {
		a.d = w.fate.between(100*time.Millisecond, 1500*time.Millisecond)
	}
	if a.alone && w.fate.chance(0.5) {
		a.until = time.Now().Add(w.fate.between(50*time.Millisecond, time.Second))
	}
	m.lay(a)
}

// isolate cuts a machine off and checks that it falls silent (S3).
func (w *world) isolate(m *machine) {
	w.cutOff(m)
	cut, judged := w.network.generation(), m.needsOthers()
	w.later(silentAfter, func() {
		if judged && w.network.generation() == cut { // nothing was mended meanwhile
			w.judgeSilence(m)
		}
	})
	w.rejoinLater(m)
}

// cutOff cuts all ways between a machine and the others.
func (w *world) cutOff(m *machine) {
	w.note("%s is cut off", m.id)
	for _, other := range w.names {
		w.network.setCut(m.id, other, w.network.all()...)
		w.network.setCut(other, m.id, w.network.all()...)
	}
}

// partition cuts a machine off from some of the others, who reach each other.
func (w *world) partition(m *machine) {
	for _, other := range w.names {
		if w.fate.chance(0.5) {
			w.note("%s and %s are cut off from each other", m.id, other)
			w.network.setCut(m.id, other, w.network.all()...)
			w.network.setCut(other, m.id, w.network.all()...)
		}
	}
	w.rejoinLater(m)
}

// rejoinLater mends what cuts a machine off, often after just about a lease.
func (w *world) rejoinLater(m *machine) {
	d := w.fate.between(200*time.Millisecond, 3*time.Second)
	if w.fate.chance(0.5) {
		d = w.fate.between(leaseLength*9/10, leaseLength*3/2)
	}
	w.later(d, func() {
		w.note("%s is back on the network", m.id)
		w.network.mend(func(l link) bool { return l.from == m.id || l.to == m.id })
	})
}

// cutOneWay cuts one direction, on one lane or on all.
func (w *world) cutOneWay(m *machine) {
	other, lanes := w.fate.pick(w.names...), w.network.all()
	if w.fate.chance(0.5) {
		lanes = lanes[:1]
	}
	w.note("%s no longer reaches %s on %v", m.id, other, lanes)
	w.network.setCut(m.id, other, lanes...)
}

// cutNetwork ends one lane for everybody, for a while.
func (w *world) cutNetwork(*machine) {
	lane := w.fate.draw(w.lanes)
	w.note("network %d is cut", lane)
	for _, from := range w.names {
		for _, to := range w.names {
			w.network.setCut(from, to, lane)
		}
	}
	w.later(w.fate.between(100*time.Millisecond, 2*time.Second), func() {
		w.note("network %d is back", lane)
		w.network.mend(func(l link) bool { return l.lane == lane })
	})
}

// shortestOutage of a port is longer than the lease that bridges a restart (restart-lease).
const shortestOutage = 2300 * time.Millisecond

// cutLAN ends a machine's way to the clients and to the ping targets, unless the
// other one has none either. A port that is down for less than a lease, which may be
// one for a restart of the agent, would be three lost questions.
func (w *world) cutLAN(m *machine) {
	for _, name := range w.names {
		if !w.lan.up(name) {
			return
		}
	}
	w.note("%s is cut off from the LAN", m.id)
	w.lan.set(m.id, false)
	w.later(w.fate.between(shortestOutage, 2*shortestOutage), func() { w.healLAN(m) })
}

// forkTwice brings both of a pair to go on alone: first the one that is not cut off
// from the LAN; then that one loses its power, and the first is back on the LAN.
func (w *world) forkTwice(m *machine) {
	other := w.machines[w.names[0]]
	if other == m {
		other = w.machines[w.names[1]]
	}
	w.note("%s and %s are cut off from each other for a long time", m.id, other.id)
	w.network.setCut(m.id, other.id, w.network.all()...)
	w.network.setCut(other.id, m.id, w.network.all()...)
	w.cutLAN(m)
	dies := w.fate.between(shortestOutage, 2*shortestOutage)
	w.later(dies, func() {
		if !w.repaired.Load() {
			other.kill(true)
		}
	})
	w.later(dies+w.fate.between(0, time.Second), func() { w.healLAN(m) })
	w.later(dies+w.fate.between(time.Second, 3*time.Second), other.start)
	w.later(dies+w.fate.between(time.Second, 4*time.Second), func() {
		w.note("%s and %s reach each other again", m.id, other.id)
		w.network.mend(func(link) bool { return true })
	})
}

func (w *world) healLAN(m *machine) {
	if w.lan.up(m.id) {
		return
	}
	w.note("%s is back on the LAN", m.id)
	w.lan.set(m.id, true)
	for _, id := range w.guarded() {
		w.judge(id)
	}
}

// lane draws one direction of one lane.
func (w *world) lane(m *machine) link {
	return link{w.fate.draw(w.lanes), m.id, w.fate.pick(w.names...)}
}

func (w *world) slow(m *machine) {
	l, delay := w.lane(m), w.fate.between(0, 600*time.Millisecond)
	w.note("%s to %s takes %v longer", l.from, l.to, delay)
	w.network.disturb(l, condition{delay: delay})
}

func (w *world) disorder(m *machine) {
	l, spread := w.lane(m), w.fate.between(0, 500*time.Millisecond)
	w.note("%s to %s is out of order by up to %v, some of it twice", l.from, l.to, spread)
	w.network.disturb(l, condition{spread: spread, twice: 0.3})
}

// lossy loses datagrams, or all of them, as a firewall might: streams pass.
func (w *world) lossy(m *machine) {
	l, p := w.lane(m), 0.5
	if w.fate.chance(0.5) {
		p = 1
	}
	w.note("%s to %s loses %v of the datagrams", l.from, l.to, p)
	w.network.disturb(l, condition{loss: p})
}

// slowDisk makes a disk slow for a while. One that would be so for long hangs.
func (w *world) slowDisk(m *machine) {
	d := w.fate.between(500*time.Millisecond, 3*time.Second)
	if d > 2*time.Second {
		w.note("the disk of %s hangs", m.id)
		m.setDiskHangs(true)
		w.later(d, func() { m.setDiskHangs(false) })
		return
	}
	w.note("%s has a slow disk", m.id)
	m.setSlowDisk(true)
	w.later(d, func() { m.setSlowDisk(false) })
}

// makeTrouble makes one kind of operation fail, or hang, for a while.
func (w *world) makeTrouble(m *machine) {
	operation, t := w.fate.pick(start, stop, halt, monitor), fails
	if w.fate.chance(0.3) {
		t = hangs
	}
	w.note("%s: every %s %v", m.id, operation, t)
	m.kernel.setTrouble(operation, t)
	w.later(w.fate.between(200*time.Millisecond, 2*time.Second), func() { m.kernel.setTrouble(operation, none) })
}

// killResource ends what runs, behind the agent's back. What is dead is not promoted.
func (w *world) killResource(m *machine) {
	id := w.fate.pick(w.resourceIDs()...)
	w.note("%s: %s dies", m.id, id)
	m.kernel.set(id, false)
	if id == cloned && m.kernel.has(promoted) {
		m.kernel.set(promoted, false)
	}
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
	id, to := w.fate.pick(append(slices.Clone(addresses), service)...), w.fate.pick(w.names[:w.voters]...)
	w.note("%s is moved to %s", id, to)
	w.command(m, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
		Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: id, Node: to}},
	}}}}})
}

// changeRole makes some node a voter, or one that does not vote. A witness stays one.
func (w *world) changeRole(m *machine) {
	id, role := w.fate.pick(w.names[:w.voters]...), pb.Role_ROLE_VOTER
	if w.fate.chance(0.6) {
		role = pb.Role_ROLE_REPLICA
	}
	w.note("%s is to be %v", id, role)
	w.command(m, putRole(id, role))
}

// exchangeRoles makes two nodes swap their roles, in either order.
func (w *world) exchangeRoles(m *machine) {
	a, b := w.fate.pick(w.names[:w.voters]...), w.fate.pick(w.names[:w.voters]...)
	p := m.running()
	if p == nil {
		return
	}
	s := p.store.Get().State
	one, other := state.NodeByID(s, a), state.NodeByID(s, b)
	if one == nil || other == nil || one.Role == other.Role {
		return
	}
	w.note("%s (%v) and %s (%v) are to swap their roles", a, one.Role, b, other.Role)
	w.command(m, putRole(a, other.Role), putRole(b, one.Role))
}

func putRole(id string, role pb.Role) *pb.Command {
	return &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: id, Name: id, Role: role}}}}
}

// command has a machine commit something, whether that succeeds or not.
func (w *world) command(m *machine, commands ...*pb.Command) {
	p := m.running()
	if p == nil {
		return
	}
	w.people.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		defer cancel()
		for _, c := range commands {
			_, _ = p.core.Propose(ctx, c)
		}
	})
}
