package lease

import "time"

// delays remembers how late beats were sent. Engine.mu guards it.
type delays struct {
	ever    time.Duration // the worst since the engine began
	minutes [60]struct {  // the worst of each of the last 60 minutes
		number int64
		worst  time.Duration
	}
}

// note takes in one delay at a time on the clock.
func (d *delays) note(now, late time.Duration) {
	d.ever = max(d.ever, late)
	number := int64(now / time.Minute)
	m := &d.minutes[number%60]
	if m.number != number {
		m.number, m.worst = number, 0
	}
	m.worst = max(m.worst, late)
}

// recent is the worst delay within the last hour.
func (d *delays) recent(now time.Duration) time.Duration {
	var worst time.Duration
	for _, m := range d.minutes {
		if int64(now/time.Minute)-m.number < 60 {
			worst = max(worst, m.worst)
		}
	}
	return worst
}
