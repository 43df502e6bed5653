package scheduler

import (
	"testing"
	"time"
)

func TestFailback(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"score: goes", "n1 online, n2 online; db on n2 failback=score; db prefers n1=50", "db n1"},
		{"score: stickiness outweighs", "n1 online, n2 online; db on n2 resource-stickiness=50 failback=score; db prefers n1=50", "db n2"},
		{"manual: stays", "n1 online, n2 online; db on n2 failback=manual; db prefers n1=50", "db n2"},
		{"manual: even against INFINITY", "n1 online, n2 online; db on n2 failback=manual; db prefers n1=INFINITY", "db n2"},
		{"manual: leaves where it may not run", "n1 online, n2 standby; db on n2 failback=manual", "db n1"},
		{"manual: leaves where it is unwanted", "n1 online, n2 online; db on n2 failback=manual; db prefers n2=-1", "db n1"},
		{"manual: leaves where it failed too often", "n1 online, n2 online; db on n2 migration-threshold=1 fails=n2:1 failback=manual", "db n1"},
		{"manual: leaves with its primary", "n1 online, n2 online; vip on n2; web on n2 failback=manual; web with vip INFINITY; vip prefers n2=-INFINITY", "vip n1, web n1"},
		{"manual: a move is an operator's word", "n1 online, n2 online; db on n2 move=n1 failback=manual", "db n1"},
		{"manual: holds the primary too", "n1 online, n2 online; vip on n2; web on n2 failback=manual; web with vip INFINITY; vip prefers n1=50", "vip n2, web n2"},
		{"manual: holds the dependent too", "n1 online, n2 online; vip on n2 failback=manual; web on n2; web with vip INFINITY; web prefers n1=50", "vip n2, web n2"},
		{"manual: lasts over a restart", "n1 online, n2 online; db ran n2 failback=manual; db prefers n1=50", "db n2"},
		{"manual: of a group", "n1 online, n2 online; a on n2; b on n2; group g a b failback=manual; g prefers n1=50", "a n2, b n2"},
		{"auto: whatever the stickiness", "n1 online, n2 online; db on n2 resource-stickiness=INFINITY failback=auto; db prefers n1=50", "db n1"},
		{"auto: equals stay", "n1 online, n2 online; db on n2 failback=auto", "db n2"},
		{"delay: too early", "n1 up=9m59s, n2 online; db on n2 failback=delay 10m; db prefers n1=50", "db n2"},
		{"delay: late enough", "n1 up=10m, n2 online; db on n2 failback=delay 10m; db prefers n1=50", "db n1"},
		{"delay: a failover does not wait", "n1 up=1s, n2 standby; db on n2 failback=delay 10m", "db n1"},
		{"window: closed", "n1 online, n2 online; db on n2 failback=window Sat 02:00-04:00; db prefers n1=50", "db n2"},
		{"window: open", "n1 online, n2 online; db on n2 failback=window Thu 11:00-13:00; db prefers n1=50", "db n1"},
		{"as a default", "n1 online, n2 online; db on n2; db prefers n1=50; default failback=manual", "db n2"},
		{"as a property", "n1 online, n2 online; db on n2; db prefers n1=50; property failback=manual", "db n2"},
		{"the resource's own word counts", "n1 online, n2 online; db on n2 failback=score; db prefers n1=50; default failback=manual", "db n1"},
	})
}

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name, state string
		want        time.Duration // from noon; zero: never
	}{
		{"nothing to wait for", "n1 online; db on n1", 0},
		{"a failure expires", "n1 online, n2 online; db on n2 migration-threshold=1 failure-timeout=60s fails=n1:1:20s", 40 * time.Second},
		{"a failure has expired", "n1 online, n2 online; db on n2 migration-threshold=1 failure-timeout=60s fails=n1:1:2m", 0},
		{"a failure never expires", "n1 online, n2 online; db on n2 migration-threshold=1 fails=n1:1:2m", 0},
		{"a delay ends", "n1 up=4m, n2 online; db on n2 failback=delay 10m; db prefers n1=50", 6 * time.Minute},
		{"a delay that holds nothing back", "n1 up=4m, n2 online; db on n1 failback=delay 10m; db prefers n1=50", 0},
		{"a window opens", "n1 online, n2 online; db on n2 failback=window Sat 02:00-04:00; db prefers n1=50", 38 * time.Hour},
		{"the earliest of two", "n1 up=4m, n2 online; a on n2 failback=delay 10m; b on n2 failback=delay 5m; a prefers n1=50; b prefers n1=50", time.Minute},
		{"manual waits for a person", "n1 online, n2 online; db on n2 failback=manual; db prefers n1=50", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := time.Time{}
			if tt.want != 0 {
				want = noon.Add(tt.want)
			}
			if got := Schedule(parse(t, tt.state), noon).Next; !got.Equal(want) {
				t.Errorf("Schedule(%s).Next = %v, want %v", tt.state, got, want)
			}
		})
	}
}

func TestParseFailbackRefuses(t *testing.T) {
	for _, s := range []string{
		"never", "manual now", "delay", "delay soon", "delay -5m", "window", "window Sat", "window Sat 2-4",
		"window Sun 02:00-02:00", "window Foo 02:00-04:00", "window Mon-Foo 02:00-04:00", "window 25:00-26:00",
	} {
		if f, err := ParseFailback(s); err == nil {
			t.Errorf("ParseFailback(%q) = %+v, want an error", s, f)
		}
	}
}

func TestWindows(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 1, day, hour, minute, 0, 0, time.UTC) }
	for _, tt := range []struct {
		policy     string
		now, opens time.Time // opens zero: it is open
	}{
		{"window Sat 02:00-04:00", at(1, 12, 0), at(3, 2, 0)},
		{"window Sat 02:00-04:00", at(3, 1, 59), at(3, 2, 0)},
		{"window Sat 02:00-04:00", at(3, 2, 0), time.Time{}},
		{"window Sat 02:00-04:00", at(3, 3, 59), time.Time{}},
		{"window Sat 02:00-04:00", at(3, 4, 0), at(10, 2, 0)},
		{"window Fri 22:00-02:00", at(3, 1, 0), time.Time{}}, // Saturday, in Friday's window
		{"window Fri 22:00-02:00", at(2, 1, 0), at(2, 22, 0)},
		{"window Mon-Wed,Sat 02:00-04:00", at(5, 5, 0), at(6, 2, 0)},
		{"window sat,sunday 02:00-04:00", at(3, 5, 0), at(4, 2, 0)},
		{"window Sat-Mon 02:00-04:00", at(4, 5, 0), at(5, 2, 0)},
		{"window 02:00-04:00", at(1, 12, 0), at(2, 2, 0)},
		{"window 20:00-24:00", at(1, 23, 59), time.Time{}},
	} {
		f, err := ParseFailback(tt.policy)
		if err != nil {
			t.Fatalf("ParseFailback(%q): %v", tt.policy, err)
		}
		until, holds := f.Holds(tt.now, time.Time{})
		if holds == tt.opens.IsZero() || holds && !until.Equal(tt.opens) {
			t.Errorf("%s at %v: holds %v until %v, want until %v", tt.policy, tt.now, holds, until, tt.opens)
		}
	}
}
