package state

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FailbackKind says when a resource returns to a node that suits it better.
type FailbackKind int

// Score is the default and the zero value.
const (
	FailbackScore  FailbackKind = iota // when scores and stickiness say so, as in Pacemaker
	FailbackManual                     // when an operator says so
	FailbackAuto                       // as soon as it can, whatever the stickiness
	FailbackDelay                      // as score, once the better node has been there for Delay
	FailbackWindow                     // as score, within a weekly window
)

// Failback is a parsed `failback` policy.
type Failback struct {
	Kind  FailbackKind
	Delay time.Duration // of FailbackDelay
	// Of FailbackWindow: it opens at From of each of Days and closes at the next
	// To, on the next day if that is earlier. Both count from midnight by the
	// clock on the wall.
	Days     [7]bool // by time.Weekday
	From, To time.Duration
}

const failbackRule = `use score, manual, auto, "delay 10m" or "window Sat 02:00-04:00"`

// ParseFailback reads score, manual, auto, "delay DURATION" or "window [DAYS]
// HH:MM-HH:MM" with days as in Sat, Mon-Fri or Sat,Sun; without days it is
// every day.
func ParseFailback(s string) (Failback, error) {
	words := strings.Fields(strings.ToLower(s))
	if len(words) == 0 {
		return Failback{}, fmt.Errorf("the failback policy is empty; %s", failbackRule)
	}
	simple := map[string]FailbackKind{"score": FailbackScore, "manual": FailbackManual, "auto": FailbackAuto}
	if kind, ok := simple[words[0]]; ok && len(words) == 1 {
		return Failback{Kind: kind}, nil
	}
	switch {
	case words[0] == "delay" && len(words) == 2:
		d, err := ParseDuration(words[1])
		return Failback{Kind: FailbackDelay, Delay: d}, err
	case words[0] == "window" && len(words) > 1:
		return parseWindow(words[1:])
	default:
		return Failback{}, fmt.Errorf("%q is no failback policy; %s", s, failbackRule)
	}
}

func parseWindow(words []string) (Failback, error) {
	f := Failback{Kind: FailbackWindow, Days: [7]bool{true, true, true, true, true, true, true}}
	var err error
	if last := len(words) - 1; last > 0 {
		if f.Days, err = parseDays(strings.Join(words[:last], ",")); err != nil {
			return Failback{}, err
		}
	}
	span := words[len(words)-1]
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		return Failback{}, fmt.Errorf("%q is no span of time; use for example 02:00-04:00", span)
	}
	if f.From, err = parseClock(from, 23); err != nil {
		return Failback{}, err
	}
	if f.To, err = parseClock(to, 24); err != nil {
		return Failback{}, err
	}
	if f.From == f.To {
		return Failback{}, fmt.Errorf("the window %s never opens; use 00:00-24:00 for the whole day", span)
	}
	return f, nil
}

// parseDays reads Sat, Mon-Fri, Sat,Sun and mixtures of these.
func parseDays(s string) (days [7]bool, err error) {
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' }) {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := parseDay(first)
		if err != nil {
			return days, err
		}
		to, err := parseDay(last)
		if err != nil {
			return days, err
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	if days == [7]bool{} {
		return days, fmt.Errorf("%q names no day; use for example Sat or Mon-Fri", s)
	}
	return days, nil
}

func parseDay(s string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := strings.ToLower(d.String())
		if s == name || s == name[:3] {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is no day of the week; use Mon, Tue, Wed, Thu, Fri, Sat or Sun", s)
}

// parseClock reads HH:MM up to latest:00.
func parseClock(s string, latest int) (time.Duration, error) {
	hours, minutes, ok := strings.Cut(s, ":")
	h, errH := strconv.ParseUint(hours, 10, 8)
	m, errM := strconv.ParseUint(minutes, 10, 8)
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	end := time.Duration(latest) * time.Hour
	if latest == 23 {
		end += 59 * time.Minute
	}
	if !ok || errH != nil || errM != nil || len(minutes) != 2 || m > 59 || d > end {
		return 0, fmt.Errorf("%q is no time of day; use for example 02:00", s)
	}
	return d, nil
}

// Open reports whether a resource may go back at t as far as the clock on t's
// wall decides: never with manual; with delay it also depends on how long the
// better node has been there.
func (f Failback) Open(t time.Time) bool {
	if f.Kind != FailbackWindow {
		return f.Kind != FailbackManual
	}
	hour, minute, second := t.Clock()
	now := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	today, yesterday := f.Days[t.Weekday()], f.Days[(t.Weekday()+6)%7]
	if f.From < f.To {
		return today && f.From <= now && now < f.To
	}
	return today && f.From <= now || yesterday && now < f.To
}

// NextOpen returns the first time at or after t at which Open holds; there is
// none with manual.
func (f Failback) NextOpen(t time.Time) (time.Time, bool) {
	if f.Open(t) {
		return t, true
	}
	if f.Kind != FailbackWindow {
		return time.Time{}, false
	}
	hour, minute := int(f.From/time.Hour), int(f.From%time.Hour/time.Minute)
	// Two weeks: where clocks are put forward, a window may be left out once.
	for day := range 15 {
		at := time.Date(t.Year(), t.Month(), t.Day()+day, hour, minute, 0, 0, t.Location())
		if at.After(t) && f.Open(at) {
			return at, true
		}
	}
	return time.Time{}, false
}
