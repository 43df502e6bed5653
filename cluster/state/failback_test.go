package state

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseFailback(t *testing.T) {
	every := [7]bool{true, true, true, true, true, true, true}
	const h = time.Hour
	tests := []struct {
		in   string
		want Failback
	}{
		{"score", Failback{}},
		{"Manual", Failback{Kind: FailbackManual}},
		{"auto", Failback{Kind: FailbackAuto}},
		{"delay 10m", Failback{Kind: FailbackDelay, Delay: 10 * time.Minute}},
		{"delay 90", Failback{Kind: FailbackDelay, Delay: 90 * time.Second}},
		{"window Sat 02:00-04:00", Failback{Kind: FailbackWindow, Days: [7]bool{6: true}, From: 2 * h, To: 4 * h}},
		{"window 2:30-4:00", Failback{Kind: FailbackWindow, Days: every, From: 2*h + 30*time.Minute, To: 4 * h}},
		{"window mon-fri 22:00-02:00", Failback{Kind: FailbackWindow, Days: [7]bool{false, true, true, true, true, true, false}, From: 22 * h, To: 2 * h}},
		{"window Saturday,Sun 00:00-24:00", Failback{Kind: FailbackWindow, Days: [7]bool{0: true, 6: true}, To: 24 * h}},
		{"window Sat, Sun 02:00-04:00", Failback{Kind: FailbackWindow, Days: [7]bool{0: true, 6: true}, From: 2 * h, To: 4 * h}},
		{"window Fri-Mon,Wed 01:00-02:00", Failback{Kind: FailbackWindow, Days: [7]bool{true, true, false, true, false, true, true}, From: h, To: 2 * h}},
	}
	for _, tt := range tests {
		if got, err := ParseFailback(tt.in); got != tt.want || err != nil {
			t.Errorf("ParseFailback(%q) = %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{
		"", "never", "manual now", "delay", "delay x", "delay -5s", "window", "window Sat", "window Sat 02:00", "window Xyz 02:00-04:00",
		"window Sat- 02:00-04:00", "window , 02:00-04:00", "window 02:00-02:00", "window 24:00-02:00", "window 02:60-04:00",
		"window 02:0-04:00", "window 25:00-26:00", "window 02:00-24:01", "window Sat 02:00-04:00 x",
	} {
		if got, err := ParseFailback(in); err == nil {
			t.Errorf("ParseFailback(%q) = %+v, want an error", in, got)
		}
	}
}

func TestFailbackOpens(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		when, err := time.Parse("Mon 2006-01-02 15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	tests := []struct{ policy, now, next string }{ // next: when it opens next, now or later; empty: never
		{"score", "Sat 2026-03-07 12:00:00", "Sat 2026-03-07 12:00:00"},
		{"auto", "Sat 2026-03-07 12:00:00", "Sat 2026-03-07 12:00:00"},
		{"delay 10m", "Sat 2026-03-07 12:00:00", "Sat 2026-03-07 12:00:00"},
		{"manual", "Sat 2026-03-07 12:00:00", ""},
		{"window Sat 02:00-04:00", "Sat 2026-03-07 01:59:59", "Sat 2026-03-07 02:00:00"},
		{"window Sat 02:00-04:00", "Sat 2026-03-07 02:00:00", "Sat 2026-03-07 02:00:00"},
		{"window Sat 02:00-04:00", "Sat 2026-03-07 03:59:59", "Sat 2026-03-07 03:59:59"},
		{"window Sat 02:00-04:00", "Sat 2026-03-07 04:00:00", "Sat 2026-03-14 02:00:00"},
		{"window Sat 22:00-02:00", "Sun 2026-03-08 01:59:59", "Sun 2026-03-08 01:59:59"},
		{"window Sat 22:00-02:00", "Sun 2026-03-08 02:00:00", "Sat 2026-03-14 22:00:00"},
		{"window Sat 22:00-02:00", "Sat 2026-03-07 01:00:00", "Sat 2026-03-07 22:00:00"},
		{"window 02:00-04:00", "Sat 2026-03-07 05:00:00", "Sun 2026-03-08 02:00:00"},
		{"window Sun 00:00-24:00", "Sun 2026-03-08 23:59:59", "Sun 2026-03-08 23:59:59"},
		{"window Mon-Fri 20:00-21:00", "Fri 2026-03-06 21:00:00", "Mon 2026-03-09 20:00:00"},
	}
	for _, tt := range tests {
		f, err := ParseFailback(tt.policy)
		if err != nil {
			t.Fatal(err)
		}
		next, ok := f.NextOpen(at(tt.now))
		switch {
		case tt.next == "" && ok:
			t.Errorf("%s at %s opens at %v, want never", tt.policy, tt.now, next)
		case tt.next != "" && !next.Equal(at(tt.next)):
			t.Errorf("%s at %s opens at %v, want %s", tt.policy, tt.now, next, tt.next)
		}
		if got, want := f.Open(at(tt.now)), tt.next == tt.now; got != want {
			t.Errorf("%s at %s: open is %t, want %t", tt.policy, tt.now, got, want)
		}
	}
}

func TestWindowLeftOutByTheClockIsNotWaitedForInVain(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("NO TIME ZONES HERE: %v", err)
	}
	f, err := ParseFailback("window Sun 02:10-02:50")
	if err != nil {
		t.Fatal(err)
	}
	// On Sunday 2026-03-29 the clocks go from 02:00 to 03:00.
	next, ok := f.NextOpen(time.Date(2026, 3, 28, 12, 0, 0, 0, berlin))
	if want := time.Date(2026, 4, 5, 2, 10, 0, 0, berlin); !ok || !next.Equal(want) {
		t.Errorf("opens at %v, want %v", next, want)
	}
}

// A naive judge: minute by minute until it is open.
func TestNextOpenIsTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Failback{Kind: FailbackWindow}
		f.Days[rapid.IntRange(0, 6).Draw(t, "day")] = true
		f.Days[rapid.IntRange(0, 6).Draw(t, "another day")] = true
		f.From = time.Duration(rapid.IntRange(0, 1439).Draw(t, "from")) * time.Minute
		f.To = time.Duration(rapid.IntRange(0, 1440).Draw(t, "to")) * time.Minute
		if f.From == f.To {
			f.To += time.Minute
		}
		now := noon.Add(time.Duration(rapid.IntRange(0, 10080).Draw(t, "now")) * time.Minute)
		want := now
		for !f.Open(want) {
			want = want.Add(time.Minute)
		}
		if got, ok := f.NextOpen(now); !ok || !got.Equal(want) {
			t.Fatalf("%+v at %v opens at %v, want %v", f, now, got, want)
		}
	})
}
