// Package calendar reads dates and ranges of them as the rules of Pacemaker have
// them (Pacemaker Explained 3.0, "Date/Time Expressions").
//
// It is pure: a time is always given. What a rule as a whole means stands in
// cluster/scheduler/engine; which rules may be configured, in cluster/state.
package calendar

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Spec names fields of a time and in which range each of them has to be:
// hours=9-16, weekdays=1-5. A range is a number, 3-, -5 or 3-5.
type Spec map[string]string

// A field is a part of a time that a Spec can ask for.
type field struct {
	name          string
	first, last   int // of all values it can have
	of            func(time.Time) int
	step          time.Duration // it keeps its value at least until the next multiple
	unit, example string        // for people
}

const day = 24 * time.Hour

var fields = []field{
	{"hours", 0, 23, time.Time.Hour, time.Hour, "hour", "9-16"},
	{"minutes", 0, 59, time.Time.Minute, time.Minute, "minute", "0-29"},
	{"monthdays", 1, 31, time.Time.Day, day, "day of a month", "1-7"},
	{"months", 1, 12, func(t time.Time) int { return int(t.Month()) }, day, "month", "6-8"},
	{"seconds", 0, 59, time.Time.Second, time.Second, "second", "0-29"},
	{"weekdays", 1, 7, weekday, day, "day of a week", "1-5"},
	{"weeks", 1, 53, func(t time.Time) int { _, week := t.ISOWeek(); return week }, day, "week", "1-26"},
	{"weekyears", 1, 9999, func(t time.Time) int { year, _ := t.ISOWeek(); return year }, day, "year", "2027-"},
	{"yeardays", 1, 366, time.Time.YearDay, day, "day of a year", "1-31"},
	{"years", 1, 9999, time.Time.Year, day, "year", "2027-"},
}

// weekday is 1 on a Monday and 7 on a Sunday.
func weekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

// Has reports whether every range of s has the time's value, in its time zone.
func (s Spec) Has(t time.Time) bool {
	for i := range fields {
		if text, set := s[fields[i].name]; set && !inRange(text, fields[i].of(t)) {
			return false
		}
	}
	return true
}

// farthest is for how many steps Next looks ahead.
const farthest = 400

// Next returns a later time until which Has answers as it does at t: the one at
// which its answer changes, or one before that if it is far away. A Spec that
// asks for nothing never changes; its Next is the zero time.
func (s Spec) Next(t time.Time) time.Time {
	step := time.Duration(0)
	for i := range fields {
		if _, set := s[fields[i].name]; set && (step == 0 || fields[i].step < step) {
			step = fields[i].step
		}
	}
	if step == 0 {
		return time.Time{}
	}
	next := t
	for range farthest {
		next = boundary(next, step)
		if s.Has(next) != s.Has(t) {
			break
		}
	}
	return next
}

// boundary returns the first time after t at which a second, minute, hour or day
// begins, in the time zone of t.
func boundary(t time.Time, step time.Duration) time.Time {
	if step == day {
		return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, t.Location())
	}
	past := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	return t.Add(step - past%step)
}

// Check returns what is wrong with a Spec; what follows "; " is the fix.
func (s Spec) Check() error {
	if len(s) == 0 {
		return fmt.Errorf("it says nothing; write for example hours=9-16 weekdays=1-5")
	}
	for _, name := range sortedNames(s) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			return fmt.Errorf("there is no part %q of a date; use %s", name, Fields())
		}
		if err := fields[i].check(s[name]); err != nil {
			return err
		}
	}
	return nil
}

func (f *field) check(text string) error {
	low, high, ok := bounds(text)
	if !ok {
		return fmt.Errorf("%s=%s is no range; write for example %s=%s", f.name, text, f.name, f.example)
	}
	for _, n := range []*int{low, high} {
		if n != nil && (*n < f.first || *n > f.last) {
			return fmt.Errorf("%s=%s: %d is no %s; use %d to %d", f.name, text, *n, f.unit, f.first, f.last)
		}
	}
	if low != nil && high != nil && *low > *high {
		return fmt.Errorf("%s=%s holds never; write the smaller number first", f.name, text)
	}
	return nil
}

// Fields lists the names that a Spec may have, for people.
func Fields() string {
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].name
	}
	return strings.Join(names, ", ")
}

var rangeText = regexp.MustCompile(`^([0-9]*)(-([0-9]*))?$`)

// bounds reads a range; nil: it has no such end.
func bounds(text string) (low, high *int, ok bool) {
	m := rangeText.FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[3] == "" {
		return nil, nil, false
	}
	low, ok = bound(m[1])
	if m[2] == "" {
		return low, low, ok
	}
	high, alsoOK := bound(m[3])
	return low, high, ok && alsoOK
}

func bound(digits string) (n *int, ok bool) {
	if digits == "" {
		return nil, true
	}
	value, err := strconv.Atoi(digits)
	return &value, err == nil
}

// inRange reports whether a number is in a range.
func inRange(text string, n int) bool {
	low, high, ok := bounds(text)
	return ok && (low == nil || n >= *low) && (high == nil || n <= *high)
}
