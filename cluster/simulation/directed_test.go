package simulation

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	pb "quorate/proto/quorate/v1"
)

// inWorld plays f, in place of random faults, in a settled cluster of three nodes
// whose vip1 is on n1 and whose leader is another.
func inWorld(t *testing.T, prepare, f func(w *world, n1 *machine)) {
	t.Helper()
	if *worker {
		t.Skip("a worker plays schedules")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, wish{size: "three nodes"})
		w.powered = false // a fencing would end what these tests look at
		defer w.end()
		n1 := w.machines["n1"]
		prepare(w, n1)
		if w.found() {
			w.sleep(2 * time.Second) // until everybody has heard of it
			w.bring("vip1", n1)
			n1.running().core.StepDown()
			w.await("S7: another one leads", func() bool { l := w.leader(); return l != nil && l.machine != n1 && w.settled() })
			f(w, n1)
		}
		if w.violated() {
			t.Error(w.story())
		}
	})
}

// bring moves a resource and waits for it.
func (w *world) bring(id string, to *machine) {
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	w.must(ctx, to, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
		Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: id, Node: to.id}},
	}}}}})
	w.await("S7: a resource is moved", func() bool { return w.servedBy(id, to.id) && w.settled() })
}

// servedBy reports whether one machine alone serves a resource.
func (w *world) servedBy(id, name string) bool {
	on := w.serving(id)
	return len(on) == 1 && on[0] == name
}

// await waits for something that must come true.
func (w *world) await(what string, so func() bool) {
	for range 500 {
		if so() || w.violated() {
			return
		}
		w.sleep(10 * time.Millisecond)
	}
	w.violate("%s: not in five seconds", what)
}

// S1: the owner's clock is the slowest that is allowed, and the others' are the
// fastest. At some moment between two beats it is cut off, or frozen so that only
// its kernel ends what it serves.
func TestS1HoldsWhereClocksAreFarthestApart(t *testing.T) {
	apart := func(w *world, n1 *machine) {
		for _, m := range w.machines {
			m.clock.rate = 1 + drifting(1)
		}
		n1.clock.rate = 1 + drifting(-1)
	}
	for moment := time.Duration(0); moment < 65*time.Millisecond; moment += 13 * time.Millisecond {
		for name, silence := range map[string]func(*world, *machine){
			"cut off": (*world).cutOff,
			"frozen":  func(_ *world, n1 *machine) { n1.freeze(time.Minute) },
		} {
			t.Run(fmt.Sprintf("%s after %v", name, moment), func(t *testing.T) {
				inWorld(t, apart, func(w *world, n1 *machine) {
					w.sleep(moment)
					silence(w, n1)
					w.await("S7: another one takes over", func() bool { return w.servedBy("vip1", "n2") || w.servedBy("vip1", "n3") })
				})
			})
		}
	}
}

// H9: nothing but fencing keeps a machine whose clock stood still from serving
// until its beats are refused. That is seen, and excused.
func TestAMachineThatWasPausedIsExcusedUntilItsBeatsAreRefused(t *testing.T) {
	inWorld(t, func(*world, *machine) {}, func(w *world, n1 *machine) {
		const pause = 3 * time.Second
		n1.pause(pause)
		w.sleep(pause)
		doubled := false
		for range 100 { // it beats at once
			doubled = doubled || len(w.serving("vip1")) == 2
			w.sleep(10 * time.Microsecond)
		}
		if !doubled || !n1.excused() {
			t.Errorf("two nodes serve vip1: %v, n1 is excused: %v; want both", doubled, n1.excused())
		}
		w.sleep(100 * time.Millisecond)
		if on := w.serving("vip1"); len(on) != 1 {
			t.Errorf("vip1 is served by %v after n1's beats were refused", on)
		}
	})
}

// S1: no guard of the kernel ends a process. Its agent cannot, but the warden does.
func TestAProcessEndsWithTheLeaseAlsoWithoutItsAgentS1(t *testing.T) {
	for name, silence := range map[string]func(*machine){
		"killed": func(n1 *machine) { n1.kill(false) },
		"frozen": func(n1 *machine) { n1.freeze(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(*world, *machine) {}, func(w *world, n1 *machine) {
				w.bring(service, n1)
				silence(n1)
				w.await("S7: another one takes over", func() bool { return w.servedBy(service, "n2") || w.servedBy(service, "n3") })
			})
		})
	}
}
