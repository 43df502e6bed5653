package guard

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// serve adds both addresses under a lease of a minute.
func (l *lan) serve(t *testing.T, g *Guard) {
	t.Helper()
	grant(t, g, time.Minute)
	if err := errors.Join(g.Add(t.Context(), vip4), g.Add(t.Context(), vip6)); err != nil {
		t.Fatal(err)
	}
	l.speaks(t, true, "under a lease")
}

// speaks expects an answer to each kind of question, or to none.
func (l *lan) speaks(t *testing.T, want bool, when string) {
	t.Helper()
	timeout := 40 * time.Millisecond
	if want {
		timeout = 3 * time.Second // the client's own ARP asks once a second
	}
	for _, p := range l.probes() {
		if got := p.speak(t, timeout); got != want {
			t.Errorf("%s, %s: answered = %v, want %v", p.name, when, got, want)
		}
	}
}

// An agent is frozen after it has computed a renewal and before the kernel has
// it; then again before it can take that back. The first freeze is in reading
// the clock, which is the last thing that the computation needs.
func TestAWriteFrozenPastItsDeadlineAdmitsNothingH7(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	l.serve(t, g)
	deadline, reads := Now()+2*time.Second, 0 // timeouts that outlast what is asked of a busy machine
	g.now = func() time.Duration {
		now := Now()
		switch reads++; reads {
		case 1:
			time.Sleep(deadline - now + 50*time.Millisecond) // the fault
		case 2:
			l.speaks(t, false, "after a frozen write")
			timeoutsRun(t, g) // so that it was the deadline that silenced them
		}
		return now
	}
	if err := g.Extend(deadline); !errors.Is(err, ErrStalled) || reads != 2 {
		t.Errorf("Extend = %v after %d looks at the clock, want ErrStalled after 2", err, reads)
	}
	g.now = Now
	l.speaks(t, false, "after the frozen write was taken back")
	l.serve(t, g)
}

// timeoutsRun expects that the leased sets have elements whose timeouts have not
// ended.
func timeoutsRun(t *testing.T, g *Guard) {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.sets.all() {
		elements, err := c.GetSetElements(p.leased)
		if err != nil || len(elements) != 1 || elements[0].Expires <= 0 {
			t.Errorf("%s in %v: %+v, %v; want one element that lasts", p.leased.Name, p.leased.Table.Family, elements, err)
		}
	}
}

// Somebody has set the wall clock after a renewal, by as much as it was wrong
// when the renewal was computed.
func TestASetWallClockSilencesUntilTheRenewalThatItCauses(t *testing.T) {
	for set, by := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(set, func(t *testing.T) {
			l := newLAN(t)
			g := open(t, Config{}, none)
			l.serve(t, g)
			g.wall = func() time.Duration { return wallNow() - by }
			grant(t, g, time.Minute)
			l.speaks(t, false, "after the clock was set")
			g.wall = wallNow
			g.stepped()
			l.speaks(t, true, "after the renewal for the new clock")
		})
	}
}

func TestASetWallClockAdmitsNothingWithoutALease(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	l.serve(t, g)
	if err := g.Clear(); err != nil {
		t.Fatal(err)
	}
	g.stepped()
	l.speaks(t, false, "after the lease was given up and the clock set")
}

// The clock stands for an agent that was frozen while it wrote.
func TestARenewalForASetWallClockThatCameTooLateIsTakenBackRule24(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	l.serve(t, g)
	reads := 0
	g.now = func() time.Duration {
		reads++
		return Now() + time.Duration(reads-1)*2*time.Minute
	}
	g.stepped()
	g.now = Now
	l.speaks(t, false, "after a late renewal")
	grant(t, g, time.Minute)
	l.speaks(t, true, "after the next renewal")
}

// The whole way, with the machine's own clock.
func TestSettingTheMachinesClockAnHourEitherWay(t *testing.T) {
	if os.Getenv("QUORATE_TEST_CLOCK") == "" {
		t.Skip("sets the machine's clock: run it with QUORATE_TEST_CLOCK=1 in a virtual machine")
	}
	l := newLAN(t)
	g := open(t, Config{}, none)
	l.serve(t, g)
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		began := Now()
		now := unix.NsecToTimeval(int64(wallNow() + by))
		if err := unix.Settimeofday(&now); err != nil {
			t.Fatal(err)
		}
		for !l.client.Ping(t, vip4, 20*time.Millisecond) {
			if Now()-began > 10*time.Second {
				t.Fatalf("%s is silent since the clock was set by %v", vip4, by)
			}
		}
		t.Logf("set by %v: %s answers again after at most %v", by, vip4, Now()-began)
	}
}

func TestAWatchOfTheWallClockEndsWhenItIsClosed(t *testing.T) {
	w, err := watchSteps(func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil { // waits for the watch
		t.Error(err)
	}
}

// The first form has a set with keys that no kernel takes.
func TestAKernelThatRefusesDeadlinesHasTheTimeouts(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	if got := g.String(); got != "kernel" {
		t.Errorf("guard: %s, want kernel", got)
	}
	refused := newSets(true)
	refused.v6.leased.KeyType.Bytes = 1000
	if err := g.install(none, refused, newSets(false)); err != nil {
		t.Fatal(err)
	}
	if got := g.String(); got != "kernel, relative" {
		t.Errorf("guard: %s, want kernel, relative", got)
	}
	for _, p := range l.probes() {
		t.Run(p.name, func(t *testing.T) { endsAfter(t, g, p, 400*time.Millisecond, 400*time.Millisecond) })
	}
}
