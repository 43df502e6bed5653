package state

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseScore(t *testing.T) {
	tests := []struct {
		in   string
		want int64
		bad  bool
	}{
		{in: "0"}, {in: "50", want: 50}, {in: "+50", want: 50}, {in: "-50", want: -50}, {in: " 7 ", want: 7},
		{in: "INFINITY", want: 1000000}, {in: "+INFINITY", want: 1000000}, {in: "-INFINITY", want: -1000000}, {in: "infinity", want: 1000000},
		{in: "1000001", want: 1000000}, {in: "-1000001", want: -1000000},
		{in: "99999999999999999999", want: 1000000}, {in: "-99999999999999999999", want: -1000000},
		{in: "abc", bad: true}, {in: "", bad: true}, {in: "1.5", bad: true}, {in: "--5", bad: true}, {in: "+-5", bad: true},
		{in: "5x", bad: true}, {in: "+", bad: true}, {in: "INF", bad: true}, {in: "1e3", bad: true},
	}
	for _, tt := range tests {
		got, err := ParseScore(tt.in)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("ParseScore(%q) = %d, %v, want %d, bad %t", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

func TestScoresReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-Infinity, Infinity).Draw(t, "score")
		if got, err := ParseScore(FormatScore(n)); got != n || err != nil {
			t.Fatalf("ParseScore(FormatScore(%d)) = %d, %v", n, got, err)
		}
	})
}

func TestParseDuration(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
		bad  bool
	}{
		{in: "30", want: 30 * time.Second}, {in: "30s", want: 30 * time.Second}, {in: "30sec", want: 30 * time.Second},
		{in: "500ms", want: 500 * time.Millisecond}, {in: "500msec", want: 500 * time.Millisecond}, {in: "10us", want: 10 * time.Microsecond},
		{in: "10m", want: 10 * time.Minute}, {in: "15min", want: 15 * time.Minute}, {in: "1h", want: time.Hour}, {in: "2hr", want: 2 * time.Hour},
		{in: "2d", want: 48 * time.Hour}, {in: "1h30m", want: 90 * time.Minute}, {in: "1.5s", want: 1500 * time.Millisecond},
		{in: " 30 S ", want: 30 * time.Second}, {in: "0"}, {in: "0s"},
		{in: "", bad: true}, {in: "s", bad: true}, {in: "abc", bad: true}, {in: "-5", bad: true}, {in: "-5s", bad: true},
		{in: "10 weeks", bad: true}, {in: "9223372036854775807", bad: true}, {in: "99999999999999999999", bad: true}, {in: "1000000h", bad: true},
	}
	for _, tt := range tests {
		got, err := ParseDuration(tt.in)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v, bad %t", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

func TestDurationsReadAsGoWritesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "duration"))
		if got, err := ParseDuration(d.String()); got != d || err != nil {
			t.Fatalf("ParseDuration(%q) = %v, %v", d, got, err)
		}
	})
}

func TestParsersNeverPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		if d, err := ParseDuration(s); err == nil && (d < 0 || d > longest) {
			t.Fatalf("ParseDuration(%q) = %v", s, d)
		}
		if n, err := ParseScore(s); err == nil && n != Saturate(n) {
			t.Fatalf("ParseScore(%q) = %d", s, n)
		}
		if _, err := ParseFailback("window " + s); err == nil && len(s) < 11 {
			t.Fatalf("ParseFailback accepted the window %q", s)
		}
		_, _ = ParseBool(s)
		_ = checkName("name", s, isName, nameRule)
		_ = checkName("name", s, isNodeName, nameRule)
	})
}

func TestSuggestionsAreNear(t *testing.T) {
	known := []string{"fencing", "maintenance-mode", "symmetric-cluster"}
	for name, want := range map[string]string{
		"Fencing":          `did you mean "fencing"?`,
		"fenicng":          `did you mean "fencing"?`,
		"maintenance":      "",
		"maintenace-mode":  `did you mean "maintenance-mode"?`,
		"symetric-clutser": `did you mean "symmetric-cluster"?`,
		"priority":         "",
		"":                 "",
	} {
		if got := suggest(name, known); got != want {
			t.Errorf("suggest(%q) = %q, want %q", name, got, want)
		}
	}
}
