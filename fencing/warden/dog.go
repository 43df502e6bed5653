package warden

import (
	"errors"
	"time"

	"quorate/fencing/watchdog"
)

// A dog is the watchdog as the warden keeps it: armed while something on the list
// needs it, and fed while the lease is held. It is not armed before, so that a node
// that runs nothing of that kind is never reset.
type dog struct {
	device  *watchdog.Device // nil: not armed
	wanted  time.Duration    // that it was armed for; 0: not needed
	retried time.Duration    // clock of the last attempt to arm it
	starved bool
}

// keepDog arms, feeds or disarms the watchdog.
//
// It is fed until the deadline at the latest, so that it fires no later than its
// timeout after the lease. That what needs it was killed does not feed it: not all
// that a resource does are processes. Only an agent takes a resource off the list.
func (w *warden) keepDog(now time.Duration) {
	d := &w.dog
	wanted := w.needed()
	if wanted != d.wanted || wanted > 0 && d.device == nil && now-d.retried > lookAgain {
		d.retried = now
		w.armDog(wanted)
	}
	w.table.set(wordSeen, w.number)
	if d.device == nil {
		return
	}
	if wanted > 0 && (now >= w.table.time(wordDeadline) || w.stuck()) {
		w.starve(now)
		return
	}
	if d.starved {
		d.starved = false
		w.table.set(wordDog, int64(dogArmed))
		w.notes.tell(noteDogFed, 0, 0, nil)
	}
	if err := d.device.Feed(); err != nil {
		w.notes.tell(noteDogBites, 0, 0, []byte(err.Error()))
		return
	}
	w.table.setTime(wordFed, now)
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

// starve lets the watchdog fire.
func (w *warden) starve(now time.Duration) {
	if w.dog.starved {
		return
	}
	w.dog.starved = true
	w.table.set(wordDog, int64(dogStarve))
	w.notes.tell(noteDogStarves, 0, w.table.time(wordFed)+w.dog.device.Timeout-now, nil)
}

// armDog makes the watchdog's timeout what is wanted; 0 disarms it, where that can be
// done. Where it cannot, it is fed on.
func (w *warden) armDog(wanted time.Duration) {
	d := &w.dog
	d.wanted = wanted
	var err error
	switch {
	case wanted == 0 && d.device == nil:
	case wanted == 0 && d.device.Final:
		return
	case wanted == 0:
		err = d.device.Disarm()
		d.device = nil
		w.notes.tell(noteDogDisarmed, 0, 0, nil)
	case d.device == nil:
		d.device, err = watchdog.Arm(w.device, wanted)
	default:
		err = d.device.Set(wanted)
	}
	w.tellDog(err)
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
		w.table.setTime(wordTimeout, d.device.Timeout)
		w.table.set(wordDog, int64(dogArmed))
		w.notes.tell(noteDogArmed, 0, d.device.Timeout, []byte(d.device.Identity()))
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
	if w.dog.wanted > 0 || d.Final {
		err = d.Leave()
	} else {
		err = errors.Join(d.Feed(), d.Disarm())
	}
	if err != nil {
		w.notes.tell(noteDogBites, 0, 0, []byte(err.Error()))
	}
}
