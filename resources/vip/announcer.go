package vip

import (
	"context"
	"sync"
	"time"
)

// An announcer repeats the announcement of one address on one link, on a
// schedule and when another host claims the address.
type announcer struct {
	count    int // of the burst
	interval time.Duration
	limit    *limiter
	send     func()
	again    <-chan struct{} // has a token when the schedule is to begin anew
}

// later are the announcements after the burst, counted from its beginning;
// then one every repeat. They reach neighbours that missed the first ones:
// a switch port that had to come up, a host that was just booting.
var later = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second}

const repeat = time.Minute

// due returns when announcement n is due after the first, which is n = 0.
func (a *announcer) due(n int) time.Duration {
	if n < a.count {
		return time.Duration(n) * a.interval
	}
	n -= a.count
	burst := time.Duration(a.count-1) * a.interval
	for _, at := range later {
		if at <= burst {
			continue
		}
		if n == 0 {
			return at
		}
		n--
	}
	last := max(burst, later[len(later)-1])
	return last.Truncate(repeat) + time.Duration(n+1)*repeat
}

// run sends the announcements from number n on, until ctx is canceled. A claim
// is answered at once, or as soon as the limit allows, so that ours is the last
// word.
func (a *announcer) run(ctx context.Context, n int, claims <-chan struct{}) {
	began := time.Now().Add(-a.due(max(n-1, 0)))
	scheduled := time.NewTimer(time.Until(began.Add(a.due(n))))
	answer := time.NewTimer(repeat)
	answer.Stop()
	defer scheduled.Stop()
	defer answer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.again:
			n, began = 0, time.Now()
			scheduled.Reset(0)
		case <-claims:
			answer.Reset(a.limit.wait(time.Now()))
		case <-answer.C:
			a.try(answer)
		case <-scheduled.C:
			if a.try(scheduled) {
				n++
				scheduled.Reset(time.Until(began.Add(a.due(n))))
			}
		}
	}
}

// try sends an announcement, or sets the timer to when it may be sent.
func (a *announcer) try(t *time.Timer) bool {
	if wait := a.limit.take(time.Now()); wait > 0 {
		t.Reset(wait)
		return false
	}
	a.send()
	a.limit.left(time.Now())
	return true
}

// A limiter allows burstLimit announcements in any second, so that two hosts
// that claim one address do not flood their network.
type limiter struct {
	mu   sync.Mutex
	sent [burstLimit]time.Time // a ring, oldest at next
	next int
}

const burstLimit = 5

// wait returns how long the next announcement has to wait.
func (l *limiter) wait(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rest(now)
}

func (l *limiter) rest(now time.Time) time.Duration {
	return max(0, l.sent[l.next].Add(time.Second).Sub(now))
}

// take notes an announcement that is about to be sent, unless it has to wait: then
// it returns how long.
func (l *limiter) take(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.rest(now); wait > 0 {
		return wait
	}
	l.sent[l.next] = now
	l.next = (l.next + 1) % burstLimit
	return 0
}

// left notes that the announcement taken last has left by now: a machine that was
// busy may have sent it later than it was to be sent.
func (l *limiter) left(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[(l.next+burstLimit-1)%burstLimit] = now
}
