package engine

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// holds reports whether a time is in a range or fits a specification ("Rules":
// "Date/Time Expressions"). Both ends of a range are in it.
func (x *DateCondition) holds(now time.Time) bool {
	start, starts, ok := optionalTime(x.Start)
	end, ends, alsoOK := optionalTime(x.End)
	switch strings.ToLower(x.Operation) {
	case "", "in_range":
		if !ok || !alsoOK || !starts && !ends {
			return false
		}
		if !ends && x.Duration != nil {
			if end, ends = addDuration(start, x.Duration); !ends {
				return false
			}
		}
		return (!starts || !now.Before(start)) && (!ends || !now.After(end))
	case "gt":
		return ok && starts && now.After(start)
	case "lt":
		return alsoOK && ends && now.Before(end)
	case "date_spec":
		return x.Spec != nil && fits(now, x.Spec)
	}
	return false
}

func optionalTime(s string) (t time.Time, set, ok bool) {
	if s == "" {
		return t, false, true
	}
	t, ok = parseTime(s)
	return t, ok, ok
}

// fits reports whether every range of a date_spec has the time's value.
func fits(now time.Time, spec map[string]string) bool {
	weekYear, week := now.ISOWeek()
	weekday := (int(now.Weekday())+6)%7 + 1 // Monday is 1
	values := map[string]int{
		"years": now.Year(), "months": int(now.Month()), "monthdays": now.Day(),
		"hours": now.Hour(), "minutes": now.Minute(), "seconds": now.Second(),
		"yeardays": now.YearDay(), "weekyears": weekYear, "weeks": week, "weekdays": weekday,
	}
	for name, value := range values {
		if text, set := spec[name]; set && !inRange(text, value) {
			return false
		}
	}
	return true
}

var rangeText = regexp.MustCompile(`^([0-9]*)(-([0-9]*))?$`)

// inRange reports whether a number is in a range like 3, 3-, -5 or 3-5.
func inRange(text string, n int) bool {
	m := rangeText.FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[3] == "" {
		return false
	}
	if low, err := strconv.Atoi(m[1]); m[1] != "" && (err != nil || n < low) {
		return false
	}
	last := m[3]
	if m[2] == "" {
		last = m[1]
	}
	high, err := strconv.Atoi(last)
	return last == "" || err == nil && n <= high
}

// addDuration adds a `duration` element to a time; false: it is not valid.
func addDuration(t time.Time, duration map[string]string) (time.Time, bool) {
	var parts [7]int
	for i, name := range []string{"years", "months", "weeks", "days", "hours", "minutes", "seconds"} {
		text, set := duration[name]
		if !set {
			continue
		}
		n, ok := scanInt(text)
		if !ok || int64(int32(n)) != n {
			return t, false
		}
		parts[i] = int(n)
	}
	t = addMonths(t, 12*parts[0]+parts[1])
	t = t.AddDate(0, 0, 7*parts[2]+parts[3])
	return t.Add(time.Duration(parts[4])*time.Hour + time.Duration(parts[5])*time.Minute + time.Duration(parts[6])*time.Second), true
}

// addMonths adds months to a date; a day that the month has not becomes its last.
func addMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), 0, t.Location()).AddDate(0, months, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

var (
	calendarDate = regexp.MustCompile(`^([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2})$`)
	compactDate  = regexp.MustCompile(`^([0-9]{4})([0-9]{2})([0-9]{2})$`)
	ordinalDate  = regexp.MustCompile(`^([0-9]{1,4})-([0-9]{1,3})$`)
	weekDate     = regexp.MustCompile(`^([0-9]{1,4})-W([0-9]{1,2})-([0-9])$`)
	clock        = regexp.MustCompile(`^([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}))?)?$`)
	compactClock = regexp.MustCompile(`^([0-9]{2})([0-9]{2})([0-9]{2})?$`)
)

// parseTime reads an ISO 8601 date, with or without a time; without a zone it is UTC.
func parseTime(s string) (time.Time, bool) {
	if strings.EqualFold(s, "epoch") {
		return time.Unix(0, 0).UTC(), true
	}
	date := s[:len(s)-len(strings.TrimLeft(s, "0123456789-W"))]
	day, ok := parseDate(date)
	if !ok {
		return day, false
	}
	rest := s[len(date):]
	if rest == "" || rest[0] != 'T' && rest[0] != ' ' {
		return day, true
	}
	rest = rest[1:]
	at, zone := rest, ""
	if i := strings.IndexAny(rest, "Z +-"); i >= 0 {
		at, zone = rest[:i], strings.TrimSpace(rest[i:])
	}
	seconds, ok := parseClock(at)
	offset, zoned := parseZone(zone)
	return day.Add(seconds - offset), ok && zoned
}

func parseDate(s string) (time.Time, bool) {
	number := func(m []string, i int) int { n, _ := strconv.Atoi(m[i]); return n }
	for _, form := range []*regexp.Regexp{calendarDate, compactDate} {
		if m := form.FindStringSubmatch(s); m != nil {
			t := time.Date(number(m, 1), time.Month(number(m, 2)), number(m, 3), 0, 0, 0, 0, time.UTC)
			return t, number(m, 1) > 0 && int(t.Month()) == number(m, 2) && t.Day() == number(m, 3)
		}
	}
	if m := ordinalDate.FindStringSubmatch(s); m != nil {
		t := time.Date(number(m, 1), 1, number(m, 2), 0, 0, 0, 0, time.UTC)
		return t, number(m, 1) > 0 && t.Year() == number(m, 1)
	}
	if m := weekDate.FindStringSubmatch(s); m != nil {
		fourth := time.Date(number(m, 1), 1, 4, 0, 0, 0, 0, time.UTC) // in week 1, always
		monday := fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7)
		t := monday.AddDate(0, 0, 7*(number(m, 2)-1)+number(m, 3)-1)
		year, week := t.ISOWeek()
		return t, year == number(m, 1) && week == number(m, 2) && number(m, 3) >= 1 && number(m, 3) <= 7
	}
	return time.Time{}, false
}

// parseClock reads a time of day; 24:00 is the next day's first moment.
func parseClock(s string) (time.Duration, bool) {
	m := clock.FindStringSubmatch(s)
	if m == nil {
		m = compactClock.FindStringSubmatch(s)
	}
	if m == nil {
		return 0, false
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	second, _ := strconv.Atoi(m[3])
	midnight := hour == 24 && minute == 0 && second == 0
	ok := (hour < 24 || midnight) && minute < 60 && second < 60
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second, ok
}

func parseZone(s string) (time.Duration, bool) {
	if s == "" || s[0] == 'Z' {
		return 0, true
	}
	offset, ok := parseClock(strings.TrimLeft(s, "+-"))
	if s[0] == '-' {
		offset = -offset
	}
	return offset, ok
}
