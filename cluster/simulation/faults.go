package simulation

import (
	"time"

	pb "quorate/proto/quorate/v1"
)

// fault plays one fault, drawn at random. What it breaks is mended by a later
// draw or by the repair.
func (w *world) fault() {
	w.mu.Lock()
	w.faults++
	w.mu.Unlock()
	m := w.machines[w.pick(w.names...)]
	faults := []func(*machine){w.powerCut, w.isolate, w.cutOneWay, w.slow, w.lossy, w.heal, w.stepDown, w.move, w.restart}
	if !w.gentle {
		faults = append(faults, w.killAgent, w.freeze, w.ambush, w.ambush, w.ambush)
	}
	faults[w.draw(len(faults))](m)
}

func (w *world) powerCut(m *machine) {
	m.kill(true)
	w.later(w.between(50*time.Millisecond, 4*time.Second), m.start)
}

func (w *world) killAgent(m *machine) {
	m.kill(false)
	w.later(w.between(20*time.Millisecond, 3*time.Second), m.start)
}

// restart ends the agent in good order and starts it again.
func (w *world) restart(m *machine) {
	p := m.running()
	if p == nil {
		return
	}
	w.note("%s is asked to end", m.id)
	w.tasks.Go(func() {
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
	m.freeze(w.between(20*time.Millisecond, 2*time.Second))
}

// ambush freezes the machine before a step that it will take.
func (w *world) ambush(m *machine) {
	m.layAmbush(w.pick(steps...), w.between(100*time.Millisecond, 1500*time.Millisecond))
}

// isolate cuts a machine off, and checks that it falls silent (S3).
func (w *world) isolate(m *machine) {
	w.note("%s is cut off", m.id)
	for _, other := range w.names {
		w.network.setCut(m.id, other, true)
		w.network.setCut(other, m.id, true)
	}
	cut := w.network.generation()
	silence := time.Duration(float64(leaseLength)*(1+2*maxDrift)) + 10*time.Millisecond
	w.later(silence, func() {
		if w.network.generation() != cut {
			return // something was mended meanwhile
		}
		for _, id := range addresses {
			if m.kernel.serves(id) {
				w.violate("S3: %s still serves %s %v after it was cut off", m.id, id, silence)
			}
		}
	})
	w.later(w.between(200*time.Millisecond, 3*time.Second), w.network.heal)
}

func (w *world) cutOneWay(m *machine) {
	other := w.pick(w.names...)
	w.note("%s no longer reaches %s", m.id, other)
	w.network.setCut(m.id, other, true)
}

func (w *world) slow(m *machine) {
	other := w.pick(w.names...)
	delay := w.between(0, 400*time.Millisecond)
	w.note("%s to %s takes %v longer", m.id, other, delay)
	w.network.disturb(m.id, other, delay, 0)
}

func (w *world) lossy(m *machine) {
	other := w.pick(w.names...)
	w.note("%s to %s loses datagrams", m.id, other)
	w.network.disturb(m.id, other, 0, 0.5)
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
	p := m.running()
	if p == nil {
		return
	}
	id, to := w.pick(append([]string{service}, addresses...)...), w.pick(w.names...)
	w.note("%s is moved to %s", id, to)
	w.tasks.Go(func() {
		_, _ = p.core.Propose(w.ctx, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
			Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: id, Node: to}},
		}}}}})
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
