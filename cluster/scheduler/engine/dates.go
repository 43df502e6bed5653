package engine

import (
	"strings"
	"time"

	"quorate/cluster/calendar"
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
		return x.Spec != nil && calendar.Spec(x.Spec).Has(now)
	}
	return false
}

func optionalTime(s string) (t time.Time, set, ok bool) {
	if s == "" {
		return t, false, true
	}
	t, ok = calendar.Parse(s)
	return t, ok, ok
}

// addDuration adds a `duration` element to a time; false: it is not valid.
func addDuration(t time.Time, duration map[string]string) (time.Time, bool) {
	var p calendar.Period
	for _, name := range calendar.Parts {
		text, set := duration[name]
		if !set {
			continue
		}
		n, ok := scanInt(text)
		if !ok || int64(int32(n)) != n {
			return t, false
		}
		*p.Part(name) = int(n)
	}
	return p.After(t), true
}
