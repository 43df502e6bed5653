package lab

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Gap is a time without a good answer.
type Gap struct {
	Kind string        `json:"kind"` // icmp or http
	From time.Duration `json:"from"` // when the last well answered probe was sent
	To   time.Duration `json:"to"`   // when the next well answered probe was sent
	Lost int           `json:"lost"` // probes in between
	Late int           `json:"late"` // of these, answered too late: a busy machine rather than a missing owner
	Bad  int           `json:"bad"`  // of these, answered by a refusal, a reset or another status than 200
	Open bool          `json:"open,omitempty"`
}

// Length of the gap: no shorter than the outage, and longer by two intervals at most.
func (g Gap) Length() time.Duration { return g.To - g.From }

// Silence is for how long of the gap nobody answered, by the share of its probes that
// got no answer, not even a late one: the rest is the busy machine's.
func (g Gap) Silence() time.Duration {
	return g.Length() * time.Duration(g.Lost-g.Late) / time.Duration(max(g.Lost, 1))
}

// lasts reports whether the client has had no answer in all the calm at the end.
func (g Gap) lasts() bool { return g.Open && g.Silence() >= calm }

func (g Gap) String() string {
	if g.Lost == 0 {
		return fmt.Sprintf("no gap over %d ms", Noticeable.Milliseconds())
	}
	text := fmt.Sprintf("a gap of %d ms", g.Length().Milliseconds())
	if g.Late > 0 {
		text += fmt.Sprintf(" (%d of %d probes were answered, but after more than %d ms)", g.Late, g.Lost, ProbeDeadline.Milliseconds())
	}
	return text
}

// Tally is what became of all probes of one kind.
type Tally struct {
	Kind     string         `json:"kind"`
	Sent     int            `json:"sent"`
	Lost     int            `json:"lost"`
	Late     int            `json:"late"`              // answered after the deadline: counted as lost
	Answers  map[string]int `json:"answers,omitempty"` // also those that came when their probes were judged
	Gaps     []Gap          `json:"gaps"`              // longer than Noticeable, and one still open at the end
	Stalls   int            `json:"stalls"`            // times the prober itself was kept from asking
	Longest  time.Duration  `json:"longest"`
	LastGood time.Duration  `json:"last_good"`
}

const (
	// ProbeEvery is how often each kind of probe is sent.
	ProbeEvery = 2 * time.Millisecond
	// ProbeDeadline is when an answer comes too late. With a long one, probes
	// that waited for the address's new owner in the kernel's queue would be
	// answered by it, and hide the outage.
	ProbeDeadline = 10 * time.Millisecond
	// Noticeable gaps are reported one by one.
	Noticeable = 5 * time.Millisecond
	// patience is how long a probe's answer is waited for before it is judged: the
	// kernel says when it came, even if the prober gets to read it only later.
	patience = 150 * time.Millisecond
)

// probe is one question, and its answer.
type probe struct {
	sent     time.Duration
	answered time.Duration // 0: not yet
	good     bool          // the answer, apart from when it came
}

// A track judges the probes of one kind in the order in which they were sent.
type track struct {
	report func(Gap) // called for every noticeable gap when it has ended

	mu     sync.Mutex
	tally  Tally
	heard  time.Duration // all answers that came until then are noted
	probes []probe
	first  int // number of probes[0]
	begun  bool
	lost   int // in a row
	late   int // of these
	bad    int // of these
}

func newTrack(kind string, report func(Gap)) *track {
	return &track{report: report, heard: forever, tally: Tally{Kind: kind, Answers: map[string]int{}}}
}

// send notes that a probe is sent now, and numbers it.
func (t *track) send() (number int, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at = now()
	if n := len(t.probes); n > 0 && at-t.probes[n-1].sent > Noticeable {
		t.tally.Stalls++
	}
	t.probes = append(t.probes, probe{sent: at})
	t.tally.Sent++
	return t.first + len(t.probes) - 1, at
}

// answer notes when a probe was answered, and by what.
func (t *track) answer(number int, at time.Duration, good bool, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if what != "" {
		t.tally.Answers[what]++
	}
	i := number - t.first
	if i < 0 || i >= len(t.probes) || t.probes[i].answered != 0 {
		return
	}
	t.probes[i].answered, t.probes[i].good = at, good
}

// listenedUntil says that all answers that came until then are noted: on a busy
// machine they are read late, and until then nothing is known of their probes.
func (t *track) listenedUntil(at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = at
}

// waiting tells whether an answer to a probe could still be noted.
func (t *track) waiting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.probes, func(p probe) bool { return p.answered == 0 && p.sent+patience > t.heard })
}

// settle judges all probes that are older than patience at the time given, or
// all of them at the end.
func (t *track) settle(at time.Duration, all bool) {
	t.mu.Lock()
	at = min(at, t.heard)
	var ended []Gap
	i := 0
	for ; i < len(t.probes); i++ {
		if p := t.probes[i]; !all && p.sent+patience > at {
			break
		} else if g, ok := t.judge(p); ok {
			ended = append(ended, g)
		}
	}
	t.probes, t.first = t.probes[i:], t.first+i
	t.mu.Unlock()
	for _, g := range ended {
		t.report(g)
	}
}

// judge counts one probe, and returns the gap that it ends, if it is noticeable.
func (t *track) judge(p probe) (Gap, bool) {
	late := p.good && p.answered-p.sent > ProbeDeadline
	if late {
		t.tally.Late++
		t.late++
	}
	if p.answered != 0 && !p.good {
		t.bad++
	}
	if p.answered == 0 || !p.good || late {
		t.tally.Lost++
		t.lost++
		return Gap{}, false
	}
	g := Gap{Kind: t.tally.Kind, From: t.tally.LastGood, To: p.sent, Lost: t.lost, Late: t.late, Bad: t.bad}
	notice := t.begun && t.lost > 0
	t.begun, t.lost, t.late, t.bad, t.tally.LastGood = true, 0, 0, 0, p.sent
	if !notice {
		return Gap{}, false
	}
	return g, t.record(g)
}

func (t *track) record(g Gap) bool {
	t.tally.Longest = max(t.tally.Longest, g.Length())
	if g.Length() <= Noticeable {
		return false
	}
	t.tally.Gaps = append(t.tally.Gaps, g)
	return true
}

// end judges what is left and returns the tally. A gap that goes on is in it, as open;
// there is none where the last answers were late, and came.
func (t *track) end() Tally {
	at := now()
	t.settle(at, true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost > t.late && t.begun && at-t.tally.LastGood > ProbeDeadline {
		t.record(Gap{Kind: t.tally.Kind, From: t.tally.LastGood, To: at, Lost: t.lost, Late: t.late, Bad: t.bad, Open: true})
	}
	return t.tally
}

// answering tells whether a good answer has come and been judged.
func (t *track) answering() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.begun
}
