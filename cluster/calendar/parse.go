package calendar

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	calendarDate = regexp.MustCompile(`^([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2})$`)
	compactDate  = regexp.MustCompile(`^([0-9]{4})([0-9]{2})([0-9]{2})$`)
	ordinalDate  = regexp.MustCompile(`^([0-9]{1,4})-([0-9]{1,3})$`)
	weekDate     = regexp.MustCompile(`^([0-9]{1,4})-W([0-9]{1,2})-([0-9])$`)
	clock        = regexp.MustCompile(`^([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2}))?)?$`)
	compactClock = regexp.MustCompile(`^([0-9]{2})([0-9]{2})([0-9]{2})?$`)
)

// Parse reads a date of ISO 8601, with or without a time; without a zone it is UTC.
func Parse(s string) (time.Time, bool) {
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
