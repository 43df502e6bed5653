package warden

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A kennel is a watchdog that notes what is done to it.
type kennel struct {
	done    []string
	timeout time.Duration
	final   bool
	refuse  error
	fed     func() // when it is fed, before it is
}

func (k *kennel) note(format string, args ...any) {
	k.done = append(k.done, fmt.Sprintf(format, args...))
}

func (k *kennel) arm(_ string, timeout time.Duration) (feeder, error) {
	k.note("arm %v", timeout)
	k.timeout = timeout
	if k.refuse != nil {
		return nil, k.refuse
	}
	return k, nil
}

func (k *kennel) Set(timeout time.Duration) error {
	k.note("set %v", timeout)
	k.timeout = timeout
	return nil
}

func (k *kennel) Feed() error {
	if k.fed != nil {
		k.fed()
	}
	k.note("feed")
	return nil
}

func (k *kennel) Disarm() error          { k.note("disarm"); return nil }
func (k *kennel) Leave() error           { k.note("leave"); return nil }
func (k *kennel) Timeout() time.Duration { return k.timeout }
func (k *kennel) Final() bool            { return k.final }
func (k *kennel) Identity() string       { return "a watchdog" }

// A keeping is a warden and its watchdog, between two turns.
type keeping struct {
	*testing.T
	*warden
	*kennel
}

func keep(t *testing.T) *keeping {
	t.Helper()
	w, err := newWarden(newTable(t), Config{})
	if err != nil {
		t.Fatal(err)
	}
	k := &keeping{t, w, &kennel{}}
	w.arm = k.kennel.arm
	k.lease(time.Hour)
	return k
}

// lease ends some time from now.
func (k *keeping) lease(d time.Duration) { k.table.setTime(wordDeadline, k.clock.Now()+d) }

// needs has resources on the list that need a watchdog within so many seconds.
func (k *keeping) needs(seconds ...int) {
	k.records = nil
	for _, s := range seconds {
		k.records = append(k.records, record{watchdog: time.Duration(s) * time.Second})
	}
}

// does checks what one turn does to the watchdog, and what it says of it then.
func (k *keeping) does(state dogState, want ...string) {
	k.Helper()
	k.done = nil
	k.keepDog(k.clock.Now())
	if !slices.Equal(k.done, want) {
		k.Errorf("did %q, want %q", k.done, want)
	}
	if got := dogState(k.table.get(wordDog)); got != state {
		k.Errorf("the watchdog is %s, want %s", dogStates[got], dogStates[state])
	}
}

func TestTheWatchdogIsArmedForTheFirstResourceThatNeedsItAndDisarmedAfterTheLast(t *testing.T) {
	k := keep(t)
	k.does(dogOff)
	k.needs(10)
	k.does(dogArmed, "arm 10s", "feed")
	k.does(dogArmed, "feed")
	k.needs(10, 5)
	k.does(dogArmed, "set 5s", "feed")
	k.needs(10)
	k.does(dogArmed, "set 10s", "feed")
	k.needs()
	k.does(dogOff, "disarm")
	k.does(dogOff)
}

func TestTheWatchdogIsFedWhileTheLeaseIsHeldAndNotAfter(t *testing.T) {
	k := keep(t)
	k.needs(10)
	k.does(dogArmed, "arm 10s", "feed")
	k.lease(0)
	k.does(dogStarve)
	k.does(dogStarve)
	k.lease(time.Hour)
	k.does(dogArmed, "feed")
	k.lease(0)
	k.does(dogStarve)
	k.needs() // it was stopped in good order
	k.does(dogOff, "disarm")
}

// To set the timeout of a watchdog feeds it: here of one of two resources that is
// stopped in good order after the lease, while the other one is not.
func TestTheWatchdogIsNotEvenSetAfterTheLeaseS4(t *testing.T) {
	k := keep(t)
	k.needs(5, 10)
	k.does(dogArmed, "arm 5s", "feed")
	k.lease(0)
	k.does(dogStarve)
	k.needs(10)
	k.does(dogStarve)
	k.lease(time.Hour)
	k.does(dogArmed, "set 10s", "feed")
}

func TestAFailedStopStarvesTheWatchdogUntilItIsStoppedByHandS5(t *testing.T) {
	k := keep(t)
	k.needs(10, 0)
	k.does(dogArmed, "arm 10s", "feed")
	k.records[1].stuck = true
	k.does(dogArmed, "feed") // which needs none
	k.records[0].stuck = true
	k.does(dogStarve)
	k.records[0].stuck = false
	k.does(dogArmed, "feed")
}

// The warden may stand still between its look at the clock and the feeding.
func TestAFeedingAfterTheLeaseGivesNoMoreThanWasLeftRule24(t *testing.T) {
	k := keep(t)
	k.needs(10)
	k.does(dogArmed, "arm 10s", "feed")
	k.table.setTime(wordFed, k.clock.Now()-4*time.Second)
	k.fed = func() { k.lease(-2 * time.Second) }
	k.does(dogArmed, "feed", "set 5s")
	k.fed = nil
	k.does(dogStarve)
	k.lease(time.Hour)
	k.does(dogArmed, "set 10s", "feed")
}

// The kernel feeds a watchdog as its warden is killed.
func TestAWardenThatFollowsOneAfterTheLeaseDoesNotPutTheResetOffS4(t *testing.T) {
	tests := []struct {
		name string
		fed  time.Duration // before, by the other one; 0: never
		want string
	}{
		{"what is left, in whole seconds", 3500 * time.Millisecond, "arm 6s"},
		{"a second at least", 9500 * time.Millisecond, "arm 1s"},
		{"all of it where none was armed", 0, "arm 10s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := keep(t)
			k.lease(-time.Second)
			if tt.fed > 0 {
				k.table.setTime(wordFed, k.clock.Now()-tt.fed)
			}
			k.needs(10)
			k.does(dogStarve, tt.want)
			k.lease(time.Hour)
			k.does(dogArmed, "set 10s", "feed")
		})
	}
}

func TestAWatchdogThatCannotBeDisarmedIsFedOn(t *testing.T) {
	k := keep(t)
	k.final = true
	k.needs(10)
	k.does(dogArmed, "arm 10s", "feed")
	k.needs()
	k.lease(0)
	k.does(dogArmed, "feed")
	k.does(dogArmed, "feed")
	k.done = nil
	if k.leaveDog(); !slices.Equal(k.done, []string{"leave"}) {
		t.Errorf("at its end the warden did %q, want it left armed", k.done)
	}
}

func TestAWardenThatEndsLeavesTheWatchdogOfWhatRunsArmed(t *testing.T) {
	k := keep(t)
	k.needs(10)
	k.does(dogArmed, "arm 10s", "feed")
	k.done = nil
	if k.leaveDog(); !slices.Equal(k.done, []string{"leave"}) {
		t.Errorf("at its end the warden did %q, want it left armed", k.done)
	}
}

func TestAWatchdogThatIsNotToBeHadIsTriedAgain(t *testing.T) {
	k := keep(t)
	k.refuse = errors.New("in use")
	k.needs(10)
	k.does(dogFailed, "arm 10s")
	k.does(dogFailed)
	if said := k.table.text(textDog); !strings.Contains(said, "in use") {
		t.Errorf("it says %q, want why", said)
	}
	k.refuse = nil
	k.dog.retried -= 2 * lookAgain
	k.does(dogArmed, "arm 10s", "feed")
}
