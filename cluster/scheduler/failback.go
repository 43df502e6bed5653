package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// FailbackKind is a way to go back to a better node.
type FailbackKind int

// When a resource goes back to a better node.
const (
	FailbackScore  FailbackKind = iota // when it scores higher than here plus stickiness
	FailbackManual                     // when an operator says so
	FailbackAuto                       // at once, stickiness counts for nothing
	FailbackDelay                      // as score, once the better node has been up for Delay
	FailbackWindow                     // as score, within the window alone
)

// A Failback is a resource's failback policy. It holds back improvements only:
// a resource never stays on a node that may not run it.
type Failback struct {
	Kind  FailbackKind
	Delay time.Duration
	// Days on which the window opens, by [time.Weekday].
	Days [7]bool
	// Opens and Closes are minutes after midnight. A window that closes before
	// it opens closes on the next day.
	Opens, Closes int

	text string
}

// String returns the policy as it was written.
func (f Failback) String() string {
	if f.text == "" {
		return "failback score"
	}
	return "failback " + f.text
}

// ParseFailback reads "score", "manual", "auto", "delay 10m" or
// "window Sat 02:00-04:00". Days are names, lists (Sat,Sun) and ranges
// (Mon-Fri); without any the window opens every day. Empty means score.
func ParseFailback(s string) (Failback, error) {
	words := strings.Fields(strings.ToLower(s))
	f := Failback{text: strings.Join(strings.Fields(s), " ")}
	var err error
	switch {
	case len(words) == 0, len(words) == 1 && words[0] == "score":
		f.Kind = FailbackScore
	case len(words) == 1 && words[0] == "manual":
		f.Kind = FailbackManual
	case len(words) == 1 && words[0] == "auto":
		f.Kind = FailbackAuto
	case len(words) == 2 && words[0] == "delay":
		f.Kind = FailbackDelay
		f.Delay, err = readDelay(words[1])
	case len(words) >= 2 && words[0] == "window":
		f.Kind = FailbackWindow
		err = f.readWindow(words[1:])
	default:
		err = fmt.Errorf("failback %q: want score, manual, auto, delay TIME or window DAYS HH:MM-HH:MM", s)
	}
	if err != nil {
		return Failback{}, err
	}
	return f, nil
}

func readDelay(s string) (time.Duration, error) {
	d, ok := parseDuration(s)
	if !ok {
		return 0, fmt.Errorf("failback delay %q: want a time such as 10m", s)
	}
	return d, nil
}

func (f *Failback) readWindow(words []string) error {
	days := words[:len(words)-1]
	if len(days) == 0 {
		days = []string{"sun-sat"}
	}
	for part := range strings.SplitSeq(strings.Join(days, ","), ",") {
		if part == "" {
			continue
		}
		if err := f.readDays(part); err != nil {
			return err
		}
	}
	hours := words[len(words)-1]
	from, to, ok := strings.Cut(hours, "-")
	var okFrom, okTo bool
	f.Opens, okFrom = readClock(from)
	f.Closes, okTo = readClock(to)
	if !ok || !okFrom || !okTo || f.Opens == f.Closes {
		return fmt.Errorf("failback window %q: want hours such as 02:00-04:00", hours)
	}
	return nil
}

// readDays reads one day or one range of days.
func (f *Failback) readDays(s string) error {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, last := readDay(from), readDay(to)
	if first < 0 || last < 0 {
		return fmt.Errorf("failback window %q: want days such as Sat, Sat,Sun or Mon-Fri", s)
	}
	for d := first; ; d = (d + 1) % 7 {
		f.Days[d] = true
		if d == last {
			return nil
		}
	}
}

// readDay reads a day's name or its first three letters; -1: it is none.
func readDay(s string) int {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := strings.ToLower(d.String()); s == name || s == name[:3] {
			return int(d)
		}
	}
	return -1
}

// readClock reads HH:MM as minutes after midnight; 24:00 ends a day.
func readClock(s string) (int, bool) {
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, false
	}
	return t.Hour()*60 + t.Minute(), true
}

// Holds reports whether the policy keeps a resource from going back now to a
// better node that was admitted at a time, and until when. A zero time means
// that no time alone will change it.
func (f Failback) Holds(now, admitted time.Time) (until time.Time, holds bool) {
	switch f.Kind {
	case FailbackManual:
		return time.Time{}, true
	case FailbackDelay:
		until = admitted.Add(f.Delay)
		return until, until.After(now)
	case FailbackWindow:
		return f.opening(now)
	default:
		return time.Time{}, false
	}
}

// opening returns when the window opens next, unless it is open now.
func (f Failback) opening(now time.Time) (at time.Time, closed bool) {
	year, month, day := now.Date()
	length := f.Closes - f.Opens
	if length <= 0 {
		length += 24 * 60
	}
	for offset := -1; offset <= 7; offset++ {
		opens := time.Date(year, month, day+offset, 0, f.Opens, 0, 0, now.Location())
		closes := time.Date(year, month, day+offset, 0, f.Opens+length, 0, 0, now.Location())
		if !f.Days[opens.Weekday()] || !closes.After(now) {
			continue
		}
		return opens, opens.After(now)
	}
	return time.Time{}, true
}

// A hold says that a policy keeps a resource where it is, or that the better node
// is not ready for it.
type hold struct {
	better  int       // index of the node it would go to
	until   time.Time // zero: no time alone ends it
	unready bool
}

// text is why it counts for the node where the resource is.
func (h *hold) text(r *resource) string {
	if h.unready {
		return "a better node is not ready to take it over"
	}
	return r.failback.String() + " keeps it where it is"
}

// holds returns what keeps a resource from going to a better node now, the longer of
// two reasons; nil: nothing.
func (g *graph) holds(r *resource, better int) *hold {
	until, holds := r.failback.Holds(g.now, g.nodes[better].AdmittedAt.AsTime())
	ready, waits := g.awaits(r, better)
	switch {
	case holds && (!waits || until.IsZero() || until.After(ready)):
		return &hold{better: better, until: until}
	case waits:
		return &hold{better: better, until: ready, unready: true}
	}
	return nil
}

// holdBack looks for moves that a failback policy forbids now. It returns
// whether there are any that were not held back before.
func (g *graph) holdBack() bool {
	found := false
	for _, r := range g.resources {
		if r.held != nil || r.yields || r.placed < 0 || r.placed == r.stay() || !r.mayStay() {
			continue
		}
		if r.held = g.holds(r, r.placed); r.held != nil {
			found = true
		}
	}
	return found
}

// awaitFailbacks notes when the first policy lets go of a resource.
func (g *graph) awaitFailbacks() {
	for _, r := range g.resources {
		if r.held != nil && r.placed == r.stay() {
			g.wake(r.held.until)
		}
	}
}
