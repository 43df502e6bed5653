package node

import (
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// wait_for_all: two nodes that boot apart do not both serve. A node that boots
// alone knows what it waits for, and goes on when a person says so.
func TestAPairThatBootsApartServesNothingUntilAPersonSaysSo(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		lives.create("late")
		dies.powerOff()
		lives.powerOff()
		lives.start()
		time.Sleep(5 * time.Second)
		core := lives.running()
		if got := core.Pair().GetPhase(); got != pb.PairPhase_PAIR_PHASE_WAITING || lives.serves("web") {
			t.Fatalf("it is %v, and serves: %v; want that it waits\n%s", got, lives.serves("web"), lives.story())
		}
		if known := core.Known(); len(known.GetNodes()) != 2 || len(known.GetResources()) != 2 {
			t.Errorf("it knew %v before", known)
		}
		if err := core.Unblock(); err != nil {
			t.Fatal(err)
		}
		w.await("it serves", func() bool { return lives.serves("web") })
		if core.Known() != nil {
			t.Error("what it knew before is still told, although it decides by itself")
		}
		if err := core.Unblock(); err == nil {
			t.Error("it was unblocked, and waits for nobody")
		}
		dies.start()
		w.await("both vote again", w.together)
		if !dies.has("late") {
			t.Errorf("the peer's configuration is not current\n%s", dies.story())
		}
	})
}

// Two that boot together go on as they were.
func TestAPairThatBootsTogetherServes(t *testing.T) {
	eachOfTwo(t, func(w *world, first, second *machine) {
		first.powerOff()
		second.powerOff()
		first.start()
		time.Sleep(5 * time.Second)
		if first.serves("web") {
			t.Errorf("it serves before it has heard its peer\n%s", first.story())
		}
		second.start()
		w.await("both vote again", w.together)
		w.await("one serves", func() bool { return first.serves("web") != second.serves("web") })
		if got := len(first.forks()) + len(second.forks()); got > 0 {
			t.Errorf("%d forks, want none", got)
		}
	})
}
