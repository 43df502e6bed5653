package pair

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	ms        = time.Millisecond
	length    = 400 * ms
	threshold = 450 * ms
)

// A story is what happens around one node from the last word of its peer on, at
// time zero. Times that are not set: never.
type story struct {
	single     bool            // it is no pair
	unmet      bool            // the peer was not heard since the start
	heard      []time.Duration // words of the peer after that
	lapsed     time.Duration   // when this node's lease is over, whatever it does
	checks     bool            // ping targets are configured
	pingsUntil time.Duration   // last ping that is answered
	pingsFrom  time.Duration   // and first one of those that are answered again
	serves     bool            // all there is
	takenUntil time.Duration   // the address answers up to then
	carrier    time.Duration   // when the LAN can be asked; zero: all the time
	fencing    Fencing
	fencedAt   time.Duration
	forkFails  int           // so often
	until      time.Duration // end of the story
}

// tell plays the story in steps of 5 ms and returns the turns it takes.
func tell(t *testing.T, y story) string {
	t.Helper()
	const start = time.Hour
	m := Machine{Length: length, Threshold: threshold}
	var out strings.Builder
	s := Sight{Peer: "b", Two: !y.single, Met: !y.unmet, Checks: y.checks, Fencing: y.fencing, Held: true}
	var round Round
	var roundEnds, forkEnds, deadline time.Duration
	for at := time.Duration(0); at <= y.until; at += 5 * ms {
		s.Now, s.Last = start+at, start
		for _, h := range y.heard {
			if h <= at {
				s.Last = max(s.Last, start+h)
			}
		}
		s.Silence = s.Now - s.Last
		s.Held = s.Now < max(deadline, s.Last+length-65*ms) && (y.lapsed == 0 || at < y.lapsed)
		s.Checked = start + min(at, y.pingsUntil)
		if y.pingsFrom > 0 && at >= y.pingsFrom {
			s.Checked = s.Now
		}
		if y.fencedAt > 0 && at >= y.fencedAt {
			s.Fencing = FencingDone
		}
		s.Open = nil
		if !y.serves || !s.Held {
			s.Open = []string{"vip"}
		}
		if roundEnds > 0 && at >= roundEnds {
			s.Round, roundEnds = round, 0
		}
		if forkEnds > 0 && at >= forkEnds {
			s.Forking, forkEnds = false, 0
			if y.forkFails--; y.forkFails >= 0 {
				s.Failed = "disk full"
			} else {
				s.Alone, s.Two = true, false
			}
		}
		next, o := m.Step(s)
		if next.Phase != m.Phase || next.Why != m.Why {
			fmt.Fprintf(&out, "+%v %v", at, next.Phase)
			if next.Why != "" {
				fmt.Fprintf(&out, ": %s", next.Why)
			}
			out.WriteString("\n")
		}
		m = next
		if o.Prolong > 0 && s.Held {
			deadline = max(deadline, o.Prolong+length)
		}
		if o.Ask > 0 {
			round = Round{Number: o.Ask, Began: s.Now, Asked: s.Open}
			switch {
			case y.carrier > at:
				round.Finding, round.Text = Unasked, "eth0 has no carrier"
			case at < y.takenUntil:
				round.Finding, round.Text = Taken, "02:00:00:00:00:01 answers for vip"
			}
			roundEnds = at + 200*ms
		}
		if o.Fork {
			s.Forking, s.Failed, forkEnds = true, "", at+100*ms
		}
	}
	return out.String()
}

func TestAPairTakesItsTurns(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name string
		story
		want string
	}{
		{"three or more vote, or the policy is stop", story{single: true, until: 2 * time.Second}, ""},
		{"the peer died", story{until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms forking: nobody else answers for vip
			+750ms alone`},
		{"the peer died, and this node serves everything", story{serves: true, until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms forking: there is no address that b may serve
			+550ms alone`},
		{"a short silence", story{heard: []time.Duration{440 * ms, 500 * ms}, until: 600 * ms}, `
			+0s together
			+200ms suspect
			+440ms together`},
		{"the peer is heard while the network is asked", story{heard: []time.Duration{600 * ms}, until: 700 * ms}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+600ms together`},
		{"wait_for_all: the peer was never heard", story{unmet: true, until: day / 1000}, `
			+0s waiting: b was not heard since this agent started`},
		{"only the cable between the two is cut", story{takenUntil: day, until: 3 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms held back: 02:00:00:00:00:01 answers for vip`},
		{"the owner that held this node back dies", story{takenUntil: 1300 * ms, until: 3 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms held back: 02:00:00:00:00:01 answers for vip
			+1.65s forking: nobody else answers for vip
			+1.75s alone`},
		{"the LAN cannot be asked", story{carrier: 1200 * ms, until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms held back: eth0 has no carrier
			+1.65s forking: nobody else answers for vip
			+1.75s alone`},
		{"this node is cut off", story{checks: true, pingsUntil: -50 * ms, until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms cut off: no ping target answers, so it is this node that is cut off`},
		{"a cut-off node reaches a target again", story{checks: true, pingsFrom: time.Second, until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms cut off: no ping target answers, so it is this node that is cut off
			+1s deciding: asking the network for vip
			+1.2s forking: nobody else answers for vip
			+1.3s alone`},
		{"the peer was cut off", story{checks: true, pingsUntil: day, until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms forking: nobody else answers for vip
			+750ms alone`},
		{"the survivor is cut off in turn", story{checks: true, pingsUntil: 1500 * ms, pingsFrom: 2500 * ms, until: 3 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms forking: nobody else answers for vip
			+750ms alone
			+1.9s cut off: no ping target answers, so what ran here has stopped
			+2.5s alone`},
		{"the lease ends while this node, which serves all, is alone", story{serves: true, lapsed: 430 * ms, until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms forking: nobody else answers for vip
			+750ms alone`},
		{"fencing is proof", story{fencing: FencingPending, fencedAt: 800 * ms, takenUntil: day, until: 2 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: fencing b
			+800ms forking: b was fenced
			+900ms alone`},
		{"fencing that fails lets nobody go on", story{fencing: FencingFailed, until: 3 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms held back: b could not be fenced, so it may be serving`},
		{"a fork that fails is tried again, the LAN being asked anew", story{forkFails: 1, until: 3 * time.Second}, `
			+0s together
			+200ms suspect
			+450ms deciding: asking the network for vip
			+650ms forking: nobody else answers for vip
			+750ms held back: the log could not be taken over: disk full
			+1.95s forking: nobody else answers for vip
			+2.05s alone`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.TrimPrefix(strings.ReplaceAll(tt.want, "\t", ""), "\n")
			if got := strings.TrimSuffix(tell(t, tt.story), "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// A node that is alone keeps what it serves: its lease is prolonged in time, and
// from the start of a check.
func TestTheLeaseIsProlongedInTime(t *testing.T) {
	m := Machine{Length: length, Threshold: threshold}
	s := Sight{Peer: "b", Two: true, Met: true, Held: true, Last: time.Hour, Checks: true}
	deadline := s.Last + length - 2*65*ms // two beats were not acked any more
	for s.Now = s.Last; s.Now < s.Last+5*time.Second; {
		s.Silence, s.Checked = s.Now-s.Last, s.Now-90*ms // pings are slow
		s.Open, s.Round = []string{"vip"}, Round{Number: 1, Finding: Taken, Began: s.Now}
		next, o := m.Step(s)
		m = next
		if s.Now >= deadline {
			t.Fatalf("after %v of silence, in phase %v, the lease is over", s.Silence, m.Phase)
		}
		if o.Prolong > 0 {
			deadline = max(deadline, o.Prolong+length)
		}
		if o.Prolong > s.Checked {
			t.Fatalf("prolonged from %v, and the check began at %v", o.Prolong, s.Checked)
		}
		if o.Next <= s.Now {
			t.Fatalf("phase %v: the next look is not after this one", m.Phase)
		}
		s.Now = o.Next + 10*ms // a late timer
	}
}

// Whatever one sees, in whatever order: what must never be ordered never is.
func TestNoOrderGoesBeyondWhatWasSeen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := Machine{Length: length, Threshold: threshold}
		s := Sight{Peer: "b", Now: time.Hour, Last: time.Hour}
		rounds := map[uint64]Round{}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			look(rt, &s, rounds)
			next, o := m.Step(s)
			if again, p := m.Step(s); again != next || p != o {
				rt.Fatalf("the same sight %+v gives %+v and %+v", s, next, again)
			}
			check(rt, s, next, o)
			m = next
			if o.Ask > 0 {
				rounds[o.Ask] = Round{Number: o.Ask, Began: s.Now, Asked: slices.Clone(s.Open)}
			}
			s.Forking = s.Forking || o.Fork
		}
	})
}

// look draws what is seen next.
func look(rt *rapid.T, s *Sight, rounds map[uint64]Round) {
	flip := func(name string, one int) bool { return rapid.IntRange(1, one).Draw(rt, name) == 1 }
	s.Now += time.Duration(rapid.IntRange(1, 300).Draw(rt, "ms")) * ms
	if flip("heard", 12) {
		s.Last = s.Now
	}
	s.Silence = s.Now - s.Last
	if flip("stalled", 15) {
		s.Silence = min(s.Silence, 10*ms)
	}
	s.Two, s.Alone = !flip("not two", 20), flip("alone", 30)
	s.Met, s.Held = s.Met || !flip("unmet", 4), !flip("lapsed", 4)
	s.Checks = flip("checks", 2)
	if flip("pinged", 2) {
		s.Checked = s.Now - time.Duration(rapid.IntRange(0, 200).Draw(rt, "ago"))*ms
	}
	s.Fencing = NoFencing
	if flip("fencing", 10) {
		s.Fencing = rapid.SampledFrom([]Fencing{FencingPending, FencingDone, FencingFailed}).Draw(rt, "outcome")
	}
	s.Open = rapid.SampledFrom([][]string{nil, {"v"}, {"v", "w"}}).Draw(rt, "open")
	if r, ok := rounds[rapid.Uint64Range(0, uint64(len(rounds))).Draw(rt, "round")]; ok {
		s.Round = r
		s.Round.Finding = rapid.SampledFrom([]Finding{Free, Free, Taken, Unasked}).Draw(rt, "finding")
	}
	if s.Forking && flip("fork ends", 3) {
		s.Forking, s.Failed = false, rapid.SampledFrom([]string{"", "disk full"}).Draw(rt, "failed")
	}
}

func check(rt *rapid.T, s Sight, m Machine, o Orders) {
	fail := func(rule string) { rt.Fatalf("%s: saw %+v, is %+v, ordered %+v", rule, s, m, o) }
	lone := s.Two && s.Met && !s.Alone
	switch {
	case o.Prolong > 0 && (!s.Two || !s.Met || !s.Held || s.Now-s.Last < length/2):
		fail("a lease was prolonged that could not be, or need not")
	case o.Prolong > s.Now || o.Prolong > 0 && s.Checks && o.Prolong > s.Checked:
		fail("it was prolonged beyond its check")
	case o.Fork && (!lone || s.Forking || s.Silence < threshold):
		fail("a fork before the silence was long enough, or twice")
	case o.Fork && s.Fencing == NoFencing && s.Checks && s.Now-s.Checked >= length:
		fail("a cut-off node forked")
	case o.Fork && s.Fencing == NoFencing && len(s.Open) > 0 &&
		(s.Round.Finding != Free || !s.Round.covers(s.Open) || s.Round.Began < s.Last+threshold):
		fail("a fork without having asked, in this silence, for every address")
	case o.Fork && s.Fencing != NoFencing && s.Fencing != FencingDone:
		fail("a fork although fencing is not done")
	case o.Ask > 0 && (!lone || s.Silence < threshold):
		fail("asked before the silence was long enough")
	case s.Two && s.Met && !s.Forking && !s.Alone && s.Now-s.Last < length/2 && m.Phase != Together && s.Failed == "":
		fail("the peer was heard, and the two are not together")
	case o.Next <= s.Now:
		fail("no time to look again")
	}
}
