package node

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// standby keeps a node from hosting anything.
func standby(node string, on bool) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: node, Standby: &on}}}
}

func property(name, value string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{
		Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER, Set: map[string]string{name: value},
	}}}
}

// together reports that both follow one log and vote.
func (w *world) together() bool {
	a, b := w.machines["a"], w.machines["b"]
	return w.voters(a) == "a b" && w.voters(b) == "a b" && slices.Equal(a.forks(), b.forks()) &&
		state.NodeByID(a.state(), "a").GetAdmission() == pb.Admission_ADMISSION_ADMITTED &&
		state.NodeByID(a.state(), "b").GetAdmission() == pb.Admission_ADMISSION_ADMITTED &&
		state.NodeByID(b.state(), "a").GetElectorateConfirmed() == b.state().Electorate.Version
}

func eachOfTwo(t *testing.T, f func(w *world, lives, dies *machine)) {
	t.Helper()
	for _, dies := range []string{"a", "b"} {
		t.Run(dies+" dies", func(t *testing.T) {
			onTwoMachines(t, func(w *world, a, b *machine) {
				if dies == "a" {
					a, b = b, a
				}
				f(w, a, b)
			})
		})
	}
}

func TestAReturningPeerRejoinsByItselfAndIsCurrent(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		dies.powerOff()
		began := time.Now()
		w.await("the survivor serves", func() bool { return lives.serves("web") })
		t.Logf("served again after %v", time.Since(began))
		w.await("the survivor is alone", func() bool { return w.voters(lives) == lives.id })
		lives.create("late")
		dies.start()
		w.await("both vote again", w.together)
		if !dies.has("late") || len(dies.archives())+len(lives.archives()) > 0 {
			t.Errorf("the peer's configuration is not current, or a log was thrown away\n%s%s", lives.story(), dies.story())
		}
		if got := lives.forks(); len(got) != 1 {
			t.Errorf("%d forks, want one", len(got))
		}
		dies.create("later") // and both are needed again
		w.await("the change is everywhere", func() bool { return lives.has("later") && dies.has("later") })
	})
}

func TestWhatTheSurvivorServesIsNotInterrupted(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		lives.change(standby(dies.id, true))
		w.await("the survivor serves", func() bool { return lives.serves("web") && !dies.serves("web") })
		lives.change(standby(dies.id, false))
		time.Sleep(time.Second)
		stops := lives.stopped()
		epoch := state.NodeByID(lives.state(), lives.id).Epoch
		dies.powerOff()
		w.await("the survivor is alone", func() bool { return w.voters(lives) == lives.id })
		dies.start()
		w.await("both vote again", w.together)
		time.Sleep(5 * time.Second)
		if got := lives.stopped(); got != stops || state.NodeByID(lives.state(), lives.id).Epoch != epoch {
			t.Errorf("it was stopped %d times, and the epoch went from %d to %d", got-stops, epoch, state.NodeByID(lives.state(), lives.id).Epoch)
		}
	})
}

// What the peer had in its log and nobody else knew of is no longer in it.
func TestAReturningPeerLosesWhatWasNeverCommitted(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		w.await("the one that will die leads", func() bool {
			if !dies.running().Leads() {
				lives.running().StepDown()
			}
			return dies.running().Leads()
		})
		time.Sleep(time.Second)
		w.setCut(true)
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		core := dies.running()
		w.tasks.Go(func() {
			_, _ = core.ProposeAsLeader(ctx, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{
				Edits: []*pb.Edit{property("maintenance-mode", "true")},
			}}})
		})
		time.Sleep(50 * time.Millisecond)
		cancel()
		dies.powerOff()
		w.await("the survivor is alone", func() bool { return w.voters(lives) == lives.id })
		lives.create("late")
		dies.start()
		w.await("both vote again", w.together)
		for _, m := range []*machine{lives, dies} {
			if m.state().Properties["maintenance-mode"] == "true" || !m.has("late") {
				t.Errorf("%s holds what was never committed, or lacks what was\n%s", m.id, m.story())
			}
		}
	})
}

func TestASurvivorThatRestartsIsStillAlone(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		dies.powerOff()
		w.await("the survivor is alone", func() bool { return w.voters(lives) == lives.id })
		forks := lives.forks()
		lives.powerOff()
		lives.start()
		w.await("it serves again", func() bool { return lives.serves("web") })
		if got := lives.forks(); !slices.Equal(got, forks) {
			t.Errorf("forks %v after the restart, want %v", got, forks)
		}
		dies.start()
		w.await("both vote again", w.together)
	})
}

// A longer lease over a restart needs a peer that learns of it.
func TestARestartIsBridgedOnlyWhereThePeerKnows(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		restart := func() (bridged bool) {
			store := lives.running().store
			lives.end(context.Canceled)
			lives.start()
			return slices.ContainsFunc(store.Get().State.Events, func(e *pb.Event) bool {
				return e.Kind == "lease-length" && strings.HasPrefix(e.Text, lives.id+" is gone") && strings.Contains(e.Text, "its agent restarts")
			})
		}
		dies.powerOff()
		w.await("the survivor is alone and serves", func() bool { return w.voters(lives) == lives.id && lives.serves("web") })
		if restart() {
			t.Error("a lease was made longer, of which the peer cannot know")
		}
		dies.start()
		w.await("both vote again, and it serves", func() bool { return w.together() && lives.serves("web") })
		if !restart() {
			t.Error("a lease was not made longer, of which the peer learns")
		}
	})
}

func TestBothMayDieAndReturnOneAfterTheOther(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		for round := 1; round <= 3; round++ {
			dies.powerOff()
			w.await("the survivor is alone", func() bool { return w.voters(lives) == lives.id })
			dies.start()
			w.await("both vote again", w.together)
			if got := len(lives.forks()); got != round {
				t.Errorf("%d forks after round %d", got, round)
			}
			lives, dies = dies, lives
		}
	})
}

// Both go on alone and change the configuration; one state survives, the other's
// changes are told and archived.
func TestASplitHealsByItself(t *testing.T) {
	for _, wins := range []string{"a", "b"} {
		t.Run(wins+" wins", func(t *testing.T) {
			onTwoMachines(t, func(w *world, a, b *machine) {
				winner, loser := a, b
				if wins == "b" {
					winner, loser = b, a
				}
				w.setCut(true)
				w.await("both are alone", func() bool { return w.voters(a) == "a" && w.voters(b) == "b" })
				winner.create("kept")
				winner.create("kept2")
				loser.create("lost")
				loser.change(property("maintenance-mode", "false"))
				w.await("both serve", func() bool { return winner.serves("kept2") && winner.serves("web") && loser.serves("web") })
				stops, epoch := winner.stopped(), state.NodeByID(winner.state(), winner.id).Epoch
				time.Sleep(5 * time.Second)
				w.setCut(false)
				healed := time.Now()
				w.await("the loser gives way", func() bool { return !loser.serves("web") && !loser.serves("lost") })
				t.Logf("it fell silent %v after the network was whole", time.Since(healed))
				w.await("both vote again", w.together)
				for _, m := range []*machine{a, b} {
					if !m.has("kept") || m.has("lost") {
						t.Errorf("%s does not hold the winner's configuration\n%s", m.id, m.story())
					}
				}
				if winner.stopped() != stops || state.NodeByID(winner.state(), winner.id).Epoch != epoch {
					t.Errorf("the winner stopped something, or lost its epoch\n%s", winner.story())
				}
				if len(winner.archives()) != 0 || len(loser.archives()) != 1 {
					t.Fatalf("archives: the winner's %v, the loser's %v", winner.archives(), loser.archives())
				}
				if got := content(t, loser.archives()[0], archiveVerdict); !strings.Contains(got, "resource lost created") || strings.Contains(got, "kept") {
					t.Errorf("the verdict says\n%s", got)
				}
				told := winner.events("split-healed")
				if len(told) != 1 || !strings.Contains(told[0], "resource lost created") || !strings.Contains(told[0], "property maintenance-mode=false") {
					t.Errorf("events of the split's end: %q", told)
				}
			})
		})
	}
}

// The answer was lost, and what runs where has changed when the loser asks again.
func TestADecisionBetweenTwoLogsStands(t *testing.T) {
	onTwoMachines(t, func(w *world, a, b *machine) {
		w.setCut(true)
		w.await("both are alone", func() bool { return w.voters(a) == "a" && w.voters(b) == "b" })
		side := a.core.side()
		for _, running := range []uint32{0, 99} {
			side.Running = running
			answer, err := b.core.Meet(&pb.MeetRequest{Side: side})
			if err != nil || answer.Winner != "b" {
				t.Errorf("with %d resources on a, b says that %q goes on (%v), want b", running, answer.GetWinner(), err)
			}
		}
	})
}

// The network fails again in the middle of it; whatever was decided is obeyed once.
func TestAnInterruptedHealingEndsWithOneLoser(t *testing.T) {
	for after := time.Duration(0); after <= 8*time.Millisecond; after += 2 * time.Millisecond {
		onTwoMachines(t, func(w *world, a, b *machine) {
			w.setCut(true)
			w.await("both are alone", func() bool { return w.voters(a) == "a" && w.voters(b) == "b" })
			a.create("fromA")
			b.create("fromB")
			time.Sleep(time.Second)
			w.setCut(false)
			time.Sleep(after)
			w.setCut(true)
			time.Sleep(20 * time.Second)
			w.setCut(false)
			w.await("both vote again", w.together)
			if n := len(a.archives()) + len(b.archives()); n != 1 {
				t.Errorf("cut again after %v: %d logs were thrown away\n%s%s", after, n, a.story(), b.story())
			}
			if a.has("fromA") == a.has("fromB") || a.has("fromA") != b.has("fromA") {
				t.Errorf("cut again after %v: not one side's state\n%s%s", after, a.story(), b.story())
			}
		})
	}
}
