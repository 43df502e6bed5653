package calendar

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Period is a span of the calendar: a month of it is as long as that month.
type Period struct{ Years, Months, Weeks, Days, Hours, Minutes, Seconds int }

// Parts are the names of a Period's parts, greatest first.
var Parts = []string{"years", "months", "weeks", "days", "hours", "minutes", "seconds"}

// Part returns the part with a name; nil: there is none.
func (p *Period) Part(name string) *int {
	switch name {
	case "years":
		return &p.Years
	case "months":
		return &p.Months
	case "weeks":
		return &p.Weeks
	case "days":
		return &p.Days
	case "hours":
		return &p.Hours
	case "minutes":
		return &p.Minutes
	case "seconds":
		return &p.Seconds
	}
	return nil
}

// longest is the greatest number that a part of a Period may be.
const longest = 1_000_000

// ParsePeriod reads a Period from its parts by name. What follows "; " in its
// errors is the fix.
func ParsePeriod(parts map[string]string) (p Period, err error) {
	if len(parts) == 0 {
		return p, fmt.Errorf("it says nothing; write for example hours=5")
	}
	for _, name := range sortedNames(parts) {
		part := p.Part(name)
		if part == nil {
			return p, fmt.Errorf("there is no part %q of a duration; use %s", name, strings.Join(Parts, ", "))
		}
		if *part, err = strconv.Atoi(parts[name]); err != nil || *part < 0 || *part > longest {
			return p, fmt.Errorf("%s=%s is no number of %s; use 0 to %d", name, parts[name], name, longest)
		}
	}
	return p, nil
}

// After returns the time a period after another.
func (p Period) After(t time.Time) time.Time {
	t = addMonths(t, 12*p.Years+p.Months)
	t = t.AddDate(0, 0, 7*p.Weeks+p.Days)
	return t.Add(time.Duration(p.Hours)*time.Hour + time.Duration(p.Minutes)*time.Minute + time.Duration(p.Seconds)*time.Second)
}

// addMonths adds months to a date; a day that the month has not becomes its last.
func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), 0, t.Location()).AddDate(0, months, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

func sortedNames(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
