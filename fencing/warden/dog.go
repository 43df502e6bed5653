package warden

import (
	"errors"
	"time"

	"quorate/fencing/watchdog"
)

// A feeder is an armed watchdog, see [watchdog.Device].
type feeder interface {
	Set(timeout time.Duration) error
	Feed() error
	Disarm() error
	Leave() error
	Timeout() time.Duration
	Final() bool
	Identity() string
}

// arm is [watchdog.Arm].
func arm(path string, timeout time.Duration) (feeder, error) {
	d, err := watchdog.Arm(path, timeout)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// A dog is the watchdog as the warden keeps it: armed while something on the list
// needs it, and fed while the lease is held. It is not armed before, so that a node
// that runs nothing of that kind is never reset.
//
// Invariant: it fires no later than the time W that is wanted, and a twentieth of it,
// after the end of the lease; others wait a tenth of W. So it is not even set once the
// lease is over, which would start its timer anew. What the kernel starts anew by
// itself, as a warden is killed and its device closed, gets what was left of W from the
// next warden, in whole seconds.
type dog struct {
	device  feeder        // nil: not armed
	wanted  time.Duration // W, that it was armed for; 0: not needed
	cut     bool          // it has less than that
	retried time.Duration // clock of the last attempt to arm it
	starved bool
}

// tolerance is the share of W by which a feeding may come after the end of the lease.
const tolerance = 20

// keepDog arms, feeds or disarms the watchdog.
//
// That what needs it was killed does not feed it: not all that a resource does are
// processes. Only an agent takes a resource off the list.
func (w *warden) keepDog(now time.Duration) {
	d := &w.dog
	wanted := w.needed()
	starves := wanted > 0 && (now >= w.table.time(wordDeadline) || w.stuck())
	switch {
	case d.device == nil && (wanted != d.wanted || wanted > 0 && now-d.retried > lookAgain):
		d.retried = now
		w.armDog(now, wanted, starves)
	case d.device == nil || starves:
	case wanted != d.wanted || d.cut:
		w.setDog(wanted)
	}
	switch {
	case d.device == nil:
	case starves:
		w.starve(now)
	default:
		w.feed(now)
	}
	w.table.set(wordSeen, w.number)
}

// stuck reports whether the stop of something failed that needs the watchdog.
func (w *warden) stuck() bool {
	for i := range w.records {
		if w.records[i].watchdog > 0 && w.records[i].stuck {
			return true
		}
	}
	return false
}

// needed is the shortest timeout that something on the list asks for; 0: none does.
func (w *warden) needed() (shortest time.Duration) {
	for i := range w.records {
		if t := w.records[i].watchdog; t > 0 && (shortest == 0 || t < shortest) {
			shortest = t
		}
	}
	return shortest
}

// feed starts the watchdog's timer anew. This process may have stood still before the
// kernel heard of it, until after the lease: then it gets what is left, like a guard
// that was written too late (lease protocol, rule 24).
func (w *warden) feed(now time.Duration) {
	d := &w.dog
	if d.starved {
		d.starved = false
		w.table.set(wordDog, int64(dogArmed))
		w.notes.tell(noteDogFed, 0, 0, nil)
	}
	if err := d.device.Feed(); err != nil {
		w.notes.tell(noteDogBites, 0, 0, []byte(err.Error()))
		return
	}
	after := w.clock.Now()
	if d.wanted > 0 && after-w.table.time(wordDeadline) > d.wanted/tolerance {
		d.cut = true
		w.tellDog(d.device.Set(w.left(after, d.wanted)))
		return
	}
	w.table.setTime(wordFed, now)
}

// left is what is left of the timeout since the last feeding in time, in whole
// seconds, and one at least; all of it if there was none.
func (w *warden) left(now, wanted time.Duration) time.Duration {
	fed := w.table.time(wordFed)
	if fed == 0 {
		return wanted
	}
	return min(wanted, max(time.Second, (fed+wanted-now).Truncate(time.Second)))
}

// starve lets the watchdog fire.
func (w *warden) starve(now time.Duration) {
	if w.dog.starved {
		return
	}
	w.dog.starved = true
	w.table.set(wordDog, int64(dogStarve))
	w.notes.tell(noteDogStarves, 0, w.left(now, w.dog.wanted), nil)
}

// armDog opens the watchdog. Where another warden has let it starve, it goes on
// starving.
func (w *warden) armDog(now, wanted time.Duration, starves bool) {
	d := &w.dog
	d.wanted, d.cut, d.starved = wanted, starves, false
	if wanted == 0 {
		w.tellDog(nil)
		return
	}
	timeout := wanted
	if starves {
		timeout = w.left(now, wanted)
	}
	var err error
	d.device, err = w.arm(w.device, timeout)
	w.tellDog(err)
}

// setDog makes the timeout of an open watchdog what is wanted; 0 disarms it, where that
// can be done. Where it cannot, it is fed on.
func (w *warden) setDog(wanted time.Duration) {
	d := &w.dog
	d.wanted, d.cut = wanted, false
	switch {
	case wanted > 0:
		w.tellDog(d.device.Set(wanted))
	case !d.device.Final():
		err := d.device.Disarm()
		d.device, d.starved = nil, false
		w.table.set(wordFed, 0)
		w.notes.tell(noteDogDisarmed, 0, 0, nil)
		w.tellDog(err)
	}
}

func (w *warden) tellDog(err error) {
	d := &w.dog
	switch {
	case err != nil:
		if w.table.text(textDog) != err.Error() {
			w.notes.tell(noteDogFailed, 0, 0, []byte(err.Error()))
		}
		w.table.say(textDog, []byte(err.Error()))
		w.table.set(wordDog, int64(dogFailed))
	case d.device == nil:
		w.table.say(textDog, nil)
		w.table.set(wordDog, int64(dogOff))
	default:
		w.table.say(textDog, []byte(d.device.Identity()))
		w.table.setTime(wordTimeout, d.device.Timeout())
		w.table.set(wordDog, int64(dogArmed))
		w.notes.tell(noteDogArmed, 0, d.device.Timeout(), []byte(d.device.Identity()))
	}
}

// leaveDog is the warden's own end: a watchdog that something needs goes on, and the
// next warden feeds it.
func (w *warden) leaveDog() {
	d := w.dog.device
	if d == nil {
		return
	}
	var err error
	if w.dog.wanted > 0 || d.Final() {
		err = d.Leave()
	} else {
		err = errors.Join(d.Feed(), d.Disarm())
	}
	if err != nil {
		w.notes.tell(noteDogBites, 0, 0, []byte(err.Error()))
	}
}
