package grammar

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// units are Pacemaker's, and Go's where they agree.
var units = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second,
	"ms": time.Millisecond, "msec": time.Millisecond,
	"us": time.Microsecond, "usec": time.Microsecond,
	"m": time.Minute, "min": time.Minute,
	"h": time.Hour, "hr": time.Hour,
}

// ParseDuration reads "20" (seconds), "30s", "500ms", "10min", "1h30m" and the
// like. What names the value for the error, as in "interval".
func ParseDuration(what, word string) (time.Duration, error) {
	bad := Errorf("%s: %q is not a time", what, word).With("write for example 20s, 500ms, 10m or 1h")
	rest := word
	var sum float64
	for first := true; first || rest != ""; first = false {
		number, tail := span(rest, "0123456789.")
		name, next := span(tail, "abcdefghijklmnopqrstuvwxyz")
		unit, ok := units[name]
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || !ok || (name == "" && !first) {
			return 0, bad
		}
		sum += n * float64(unit)
		rest = next
	}
	if sum >= math.MaxInt64 {
		return 0, bad
	}
	return time.Duration(math.Round(sum)), nil
}

// span splits s after its longest prefix of the characters in set.
func span(s, set string) (prefix, rest string) {
	rest = strings.TrimLeft(s, set)
	return s[:len(s)-len(rest)], rest
}

// FormatDuration writes what [ParseDuration] reads, without needless zeros:
// "30s", "10m", "1h30m".
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return strings.Replace(s, "µs", "us", 1)
}
