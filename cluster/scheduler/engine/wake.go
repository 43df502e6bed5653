package engine

import (
	"strings"
	"time"

	"quorate/cluster/calendar"
)

// wake notes a time from which on the decision may be another one although
// nothing happens. The earliest that is still to come counts.
func (c *cluster) wake(at time.Time) {
	if at.After(c.in.Now) && (c.next.IsZero() || at.Before(c.next)) {
		c.next = at
	}
}

// wakeAt does so for seconds since 1970.
func (c *cluster) wakeAt(seconds int64) { c.wake(time.Unix(seconds, 0).UTC()) }

// wakeFor does so for the times at which a condition's answer may change: at its
// bounds, or a second after those that are in it.
func (c *cluster) wakeFor(x *DateCondition) {
	if strings.EqualFold(x.Operation, "date_spec") {
		c.wake(calendar.Spec(x.Spec).Next(c.in.Now))
		return
	}
	start, starts, _ := optionalTime(x.Start)
	end, ends, _ := optionalTime(x.End)
	if starts && !ends && x.Duration != nil {
		end, ends = addDuration(start, x.Duration)
	}
	for _, bound := range []struct {
		at  time.Time
		set bool
	}{{start, starts}, {end, ends}} {
		if bound.set {
			c.wake(bound.at)
			c.wake(bound.at.Add(time.Second))
		}
	}
}
