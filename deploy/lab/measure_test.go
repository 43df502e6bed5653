package lab

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script runs on a host of the lab, with VIP in its environment.
func script(t *testing.T, l *Lab, host string, lines ...string) {
	t.Helper()
	run(t, l, host, "sh", "-ec", "VIP="+VIP.String()+" VIP6="+VIP6.String()+"\n"+strings.Join(lines, "\n"))
}

func TestProberMeasuresAKnownOutage(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1"}, []string{"quorate", "lab", "web", ":80"}))
	script(t, l, "n1", "ip addr add $VIP/32 dev eth0", "ip addr add $VIP6/128 dev eth0 nodad")
	for _, tt := range []struct {
		name          string
		address       netip.Addr
		del, add, url string
	}{
		{"IPv4", VIP, "ip addr del $VIP/32 dev eth0", "ip addr add $VIP/32 dev eth0", "http://" + VIP.String() + "/"},
		{"IPv6", VIP6, "ip addr del $VIP6/128 dev eth0", "ip addr add $VIP6/128 dev eth0 nodad", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// No outage may look shorter than it was, which is longer than the script
			// sleeps. On a busy machine it may look longer, also by the kernel's word,
			// which is read late then, but not each time.
			for try := range 10 {
				outage, tallies := outage(t, l, tt.address, tt.url, tt.del, "sleep 0.2", tt.add, "sleep 0.3")
				exact := outage < 260
				for _, tally := range tallies {
					longest := tally.Longest.Milliseconds()
					if longest < 200 {
						t.Fatalf("%s: an outage of %d ms was measured as %d ms: %+v", tally.Kind, outage, longest, tally)
					}
					exact = exact && longest >= outage-3 && longest <= outage+15
				}
				if exact {
					return
				}
				t.Logf("try %d: an outage of %d ms was measured as %+v", try+1, outage, tallies)
			}
			t.Error("never measured to 15 ms")
		})
	}
}

// outage runs a script that takes an address away for a while and returns how
// long the kernel says it was gone, in ms, and what the prober saw.
func outage(t *testing.T, l *Lab, address netip.Addr, url string, lines ...string) (int64, []Tally) {
	t.Helper()
	stop, err := l.Meter(address)
	if err != nil {
		t.Fatal(err)
	}
	var seen []Gap
	p, err := l.Probe(t.Context(), address, url, func(g Gap) { seen = append(seen, g) })
	if err != nil {
		t.Fatal(err)
	}
	script(t, l, "n1", lines...)
	tallies, err := p.Stop()
	if err != nil {
		t.Fatal(err)
	}
	for _, tally := range tallies {
		if !slices.ContainsFunc(seen, func(g Gap) bool { return g.Kind == tally.Kind && g.Length() == tally.Longest }) {
			t.Errorf("%s: gap not seen while it ran: %+v", tally.Kind, seen)
		}
	}
	truth, err := stop()
	if err != nil || len(truth.Present) != 2 {
		t.Fatalf("the kernel tells of %+v, %v; want one outage", truth, err)
	}
	return (truth.Present[1].From - truth.Present[0].To).Milliseconds(), tallies
}

func TestMeterSeesTwoOwners(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1", "n2", "n3"}, nil))
	for _, tt := range []struct {
		name     string
		address  netip.Addr
		before   func()
		double   bool
		answered []string
	}{
		{"a move", VIP, nil, false, []string{"n1", "n2"}},
		{"two for 200 ms", VIP, nil, true, []string{"n1", "n2"}},
		{"two for 200 ms by IPv6", VIP6, nil, true, []string{"n1", "n2"}},
		{"two for 200 ms, one of them cut off", VIP, func() { mustFault(t, l, Cut, "n1") }, true, []string{"n1", "n2"}},
		{"two for 200 ms, one of them unplugged", VIP, func() { mustFault(t, l, Unplug, "n1") }, false, []string{"n2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.before != nil {
				tt.before()
			}
			dev := tt.address.String() + "/" + strconv.Itoa(tt.address.BitLen()) + " dev eth0"
			stop, err := l.Meter(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			nodad := ""
			if tt.address.Is6() {
				nodad = " nodad"
			}
			script(t, l, "n1", "ip addr add "+dev+nodad, "sleep 0.05")
			if tt.name == "a move" {
				script(t, l, "n1", "ip addr del "+dev)
				script(t, l, "n2", "ip addr add "+dev, "sleep 0.1", "ip addr del "+dev)
			} else {
				script(t, l, "n2", "ip addr add "+dev+nodad, "sleep 0.2", "ip addr del "+dev)
				script(t, l, "n1", "ip addr del "+dev)
			}
			got, err := stop()
			if err != nil {
				t.Fatal(err)
			}
			// The kernel's own word on who had it: a busy machine takes longer than 200 ms.
			double, both := got.Double.Milliseconds(), got.Both.Milliseconds()
			if tt.double && (both < 190 || double < both*3/4 || double > both+20) || !tt.double && double != 0 {
				t.Errorf("two had it for %d ms; two answered, so it measured, for %d ms: %+v", both, double, got)
			}
			var nodes []string
			for _, s := range got.Answered {
				nodes = append(nodes, s.Node)
			}
			slices.Sort(nodes)
			if nodes = slices.Compact(nodes); !slices.Equal(nodes, tt.answered) {
				t.Errorf("answered: got %q, want %q", nodes, tt.answered)
			}
			if len(got.Present) != 2 {
				t.Errorf("present: got %+v, want one span on each of two nodes", got.Present)
			}
			if tt.before != nil {
				mustFault(t, l, Heal, "n1")
			}
		})
	}
}

func mustFault(t *testing.T, l *Lab, f Fault, host string) {
	t.Helper()
	if _, err := l.Fault(t.Context(), f, host); err != nil {
		t.Fatal(err)
	}
}

func TestOverlap(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		name  string
		spans []Span
		want  time.Duration
	}{
		{"nobody", nil, 0},
		{"one after the other", []Span{{"a", 0, 10 * ms}, {"b", 10 * ms, 20 * ms}}, 0},
		{"two", []Span{{"a", 0, 10 * ms}, {"b", 4 * ms, 20 * ms}}, 6 * ms},
		{"three count once", []Span{{"a", 0, 10 * ms}, {"b", 4 * ms, 20 * ms}, {"c", 5 * ms, 8 * ms}}, 6 * ms},
		{"twice", []Span{{"a", 0, 10 * ms}, {"b", 1 * ms, 2 * ms}, {"b", 4 * ms, 6 * ms}}, 3 * ms},
		{"without end", []Span{{"a", 0, forever}, {"b", 4 * ms, 5 * ms}}, ms},
	} {
		if got := overlap(tt.spans); got != tt.want {
			t.Errorf("%s: overlap(%v) = %v, want %v", tt.name, tt.spans, got, tt.want)
		}
	}
}

// TestTrack plays a client's probes, one every 2 ms, each answered after the
// time given in ms (x: never).
func TestTrack(t *testing.T) {
	for _, tt := range []struct {
		answers string
		lost    int
		gaps    string // length in ms/probes lost
	}{
		{"0 0 0 0", 0, ""},
		{"0 x 0 0", 1, ""},
		{"x x x x 0 0", 4, ""},
		{"0 x x x 0", 3, "8/3"},
		{"0 12 10 0", 1, ""},
		{"0 40 38 36 34 0", 4, "10/4"},
		{"0 x x x 0 0 x x x x 0", 7, "8/3 10/4"},
	} {
		var got []string
		tr := newTrack("icmp", func(g Gap) {
			got = append(got, strconv.FormatInt(g.Length().Milliseconds(), 10)+"/"+strconv.Itoa(g.Lost))
		})
		for i, a := range strings.Fields(tt.answers) {
			p := probe{sent: time.Duration(i+1) * ProbeEvery, good: true}
			if ms, err := strconv.Atoi(a); err == nil {
				p.answered = p.sent + time.Duration(ms)*time.Millisecond
			}
			tr.probes = append(tr.probes, p)
		}
		tr.settle(0, true)
		if gaps := strings.Join(got, " "); gaps != tt.gaps || tr.tally.Lost != tt.lost {
			t.Errorf("%s\n got %d lost, gaps %q\nwant %d, %q", tt.answers, tr.tally.Lost, gaps, tt.lost, tt.gaps)
		}
	}
}

func TestAGapIsOpenUnlessTheLastAnswersCameLate(t *testing.T) {
	for _, tt := range []struct {
		last time.Duration // until the last probe is answered; 0: never
		open bool
	}{{time.Millisecond, false}, {12 * time.Millisecond, false}, {0, true}} {
		tr := newTrack("icmp", func(Gap) {})
		sent := now() - time.Second
		tr.probes = []probe{{sent: sent, answered: sent + 1, good: true}, {sent: sent + ProbeEvery, good: true}}
		if tt.last > 0 {
			tr.probes[1].answered = tr.probes[1].sent + tt.last
		}
		if tally := tr.end(); (len(tally.Gaps) > 0) != tt.open {
			t.Errorf("the last probe answered after %v: gaps %v, want one %v", tt.last, tally.Gaps, tt.open)
		}
	}
}

// A prober that is kept from reading answers must not call their probes lost.
func TestTrackJudgesNothingBeforeItHasListened(t *testing.T) {
	tr := newTrack("icmp", func(g Gap) { t.Errorf("a gap that was none: %v", g) })
	tr.probes = []probe{{sent: 2 * ProbeEvery}}
	tr.listenedUntil(ProbeEvery)
	tr.settle(time.Second, false)
	if tr.tally.Lost != 0 || !tr.waiting() {
		t.Errorf("%d lost of what may still be read; waiting: %v", tr.tally.Lost, tr.waiting())
	}
	tr.answer(0, 3*ProbeEvery, true, "")
	tr.listenedUntil(time.Second)
	if tr.settle(time.Second, false); tr.tally.Lost != 0 || tr.waiting() {
		t.Errorf("%d lost of what was answered; waiting: %v", tr.tally.Lost, tr.waiting())
	}
	tr.probes = []probe{{sent: 4 * ProbeEvery}}
	if tr.settle(time.Second, false); tr.tally.Lost != 1 {
		t.Errorf("%d lost of what nobody answered, want 1", tr.tally.Lost)
	}
}

// TestBenchOfKeepalived benches a real program that is not ours, in a lab of
// its own: what the numbers mean does not depend on our agent.
func TestBenchOfKeepalived(t *testing.T) {
	if !installed("keepalived") {
		t.Skip("SKIPPED: keepalived is not installed")
	}
	l := start(t, keepalivedSpec("t", []string{"n1", "n2"}, "0.1"))
	k := &keepalived{l, "0.1"}
	for _, tt := range []struct {
		event    Event
		min, max float64
		double   bool
	}{
		{EventPowerOff, 150, 2000, false},
		{EventKill, 0, 2000, true}, // both have it and may answer: what Quorate is for
	} {
		r, err := bench(t.Context(), l, k, task{Event: tt.event}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Median < tt.min || r.Median > tt.max || (r.Double > 0 && !tt.double) {
			t.Errorf("%s: got %+v, want a gap of %v to %v ms, two owners possible: %v", tt.event, r, tt.min, tt.max, tt.double)
		}
		t.Logf("%s: a gap of %v ms, two owners for %v ms", tt.event, r.Median, r.Double)
	}
}
