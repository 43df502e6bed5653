package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fake server is asked in a bubble: it answers as told, and how long it takes.
type fake struct {
	mu       sync.Mutex
	bad      error
	takes    time.Duration
	asked    []time.Time
	at, most int // attempts under way, now and at most
}

func (f *fake) probe(ctx context.Context, _ netip.AddrPort) (string, error) {
	f.mu.Lock()
	f.asked = append(f.asked, time.Now())
	f.at++
	f.most = max(f.most, f.at)
	takes := f.takes
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.at--; f.mu.Unlock() }()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(takes):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return "fine", f.bad
}

// seen returns when it was asked, and how many attempts were under way at most.
func (f *fake) seen() (asked []time.Time, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked), f.most
}

func (f *fake) set(bad error, takes time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad, f.takes = bad, takes
}

// A bench runs a Runner whose checks of kind "fake-N" ask fakes.
type bench struct {
	*Runner
	mu    sync.Mutex
	began time.Time
	told  []string
}

var server = netip.MustParseAddrPort("192.0.2.1:80")

// fakeKind registers a kind for one test; tests with fakes do not run in parallel.
func fakeKind(t *testing.T, f *fake) string {
	t.Helper()
	name := "fake:" + t.Name()
	kinds[name] = kind{make: func(Check) (probe, error) { return f.probe, nil }}
	t.Cleanup(func() { delete(kinds, name) })
	return name
}

func newBench(t *testing.T, c Config) *bench {
	t.Helper()
	b := &bench{began: time.Now()}
	c.Changed = func(r Result) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.told = append(b.told, fmt.Sprintf("%s %v: %s", r.ID, r.State, r.Reason))
	}
	b.Runner = New(c)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return b
}

func (b *bench) set(t *testing.T, targets ...Target) {
	t.Helper()
	if err := b.Set(targets); err != nil {
		t.Fatal(err)
	}
}

// expect compares what was told since the last call.
func (b *bench) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := strings.Join(b.told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%s: told\n%s\nwant\n%s", when, got, strings.Join(want, "\n"))
	}
	b.told = nil
}

func TestOnlyChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: 5 * time.Millisecond}
		b := newBench(t, Config{})
		c := Check{Kind: fakeKind(t, f), Interval: time.Second, Rise: 2, Fall: 3}
		b.set(t, Target{ID: "a", Server: server, Check: c})
		time.Sleep(1100 * time.Millisecond)
		b.expect(t, "after the first answer", "a up: fine")
		time.Sleep(10 * time.Second)
		b.expect(t, "while it answers")

		f.set(errors.New("status 503"), 0)
		time.Sleep(1800 * time.Millisecond)
		b.expect(t, "before the third failure")
		time.Sleep(1500 * time.Millisecond)
		b.expect(t, "after it", "a down: status 503")

		f.set(nil, 0)
		time.Sleep(3 * time.Second)
		b.expect(t, "after two successes", "a up: fine")
	})
}

func TestAnAdoptedStateIsNotToldAndFallsAsAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, Config{})
		c := Check{Kind: fakeKind(t, f), Interval: time.Second, Fall: 2}
		b.set(t, Target{ID: "a", Server: server, Check: c, Assume: Up})
		time.Sleep(5 * time.Second)
		b.expect(t, "while it answers")
		f.set(errors.New("no"), 0)
		time.Sleep(940 * time.Millisecond) // shorter than any pause
		b.expect(t, "after one failure at most")
		time.Sleep(1200 * time.Millisecond)
		b.expect(t, "after two", "a down: no")
	})
}

func TestAFailureIsLookedIntoAfterRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, Config{})
		c := Check{Kind: fakeKind(t, f), Interval: time.Minute, Retry: 100 * time.Millisecond, Fall: 4}
		b.set(t, Target{ID: "a", Server: server, Check: c})
		time.Sleep(2 * time.Second)
		b.expect(t, "at first", "a up: fine")
		f.set(errors.New("no"), 0)
		time.Sleep(time.Minute + 5*time.Second)
		b.expect(t, "well before four intervals", "a down: no")
	})
}

func TestAnAnswerThatDoesNotComeEndsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Hour}
		b := newBench(t, Config{})
		b.set(t, Target{ID: "a", Server: server, Check: Check{Kind: fakeKind(t, f), Interval: time.Second, Timeout: 300 * time.Millisecond}})
		time.Sleep(1400 * time.Millisecond)
		b.expect(t, "after interval and timeout", "a down: it did not answer in time")
		if s := b.Status()[0]; s.Latency != 300*time.Millisecond {
			t.Errorf("it took %v, want the timeout, 300ms", s.Latency)
		}
	})
}

func TestAttemptsOfOneTargetNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: 2500 * time.Millisecond}
		b := newBench(t, Config{})
		b.set(t, Target{ID: "a", Server: server, Check: Check{Kind: fakeKind(t, f), Interval: time.Second, Timeout: 3 * time.Second}})
		time.Sleep(time.Minute)
		if asked, most := f.seen(); most != 1 || len(asked) < 23 {
			t.Errorf("%d attempts in a minute, up to %d at once; want about 24, one at a time", len(asked), most)
		}
	})
}

func TestNoMoreThanTheLimitAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: 100 * time.Millisecond}
		b := newBench(t, Config{Connections: 7})
		var targets []Target
		for i := range 50 {
			targets = append(targets, Target{ID: fmt.Sprint(i), Server: server, Check: Check{Kind: fakeKind(t, f), Interval: 10 * time.Millisecond}})
		}
		b.set(t, targets...)
		time.Sleep(10 * time.Second)
		if asked, most := f.seen(); most != 7 || len(asked) < 600 {
			t.Errorf("%d attempts in 10s, up to %d at once; want some 700, up to 7 at once", len(asked), most)
		}
	})
}

func TestFirstAttemptsAreSpreadAndLaterOnesDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, Config{})
		var targets []Target
		for i := range 100 {
			targets = append(targets, Target{ID: fmt.Sprint(i), Server: server, Check: Check{Kind: fakeKind(t, f), Interval: 10 * time.Second}})
		}
		b.set(t, targets...)
		time.Sleep(time.Second)
		tenths := make(map[int]int)
		asked, _ := f.seen()
		for _, at := range asked {
			tenths[int(at.Sub(b.began)/(100*time.Millisecond))]++
		}
		if len(asked) != 100 || len(tenths) < 8 {
			t.Errorf("%d of 100 were asked within a second, in %d of its tenths; want all, in nearly all", len(asked), len(tenths))
		}
		for _, s := range b.Status() {
			if s.Late != 0 {
				t.Errorf("%s was %v late", s.ID, s.Late)
			}
		}
	})
}

func TestAnotherSetKeepsWhatIsAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		b := newBench(t, Config{})
		c := Check{Kind: fakeKind(t, f), Interval: time.Second}
		other := c
		other.Interval = 3 * time.Second
		b.set(t, Target{ID: "a", Server: server, Check: c}, Target{ID: "b", Server: server, Check: c}, Target{ID: "c", Server: server, Check: c})
		time.Sleep(3 * time.Second)
		b.mu.Lock()
		b.told = nil
		b.mu.Unlock()
		b.set(t, Target{ID: "a", Server: server, Check: c, Assume: Down}, Target{ID: "b", Server: server, Check: other})
		b.expect(t, "at once")
		status := b.Status()
		if len(status) != 2 || status[0].State != Up || status[1].State != Unknown {
			t.Errorf("got %+v; want a up as before, b to be found out anew, c gone", status)
		}
		time.Sleep(4 * time.Second)
		b.expect(t, "later", "b up: fine")
	})
}

func TestWhatIsTakenBackIsNotAskedOrToldAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: 200 * time.Millisecond}
		b := newBench(t, Config{})
		b.set(t, Target{ID: "a", Server: server, Check: Check{Kind: fakeKind(t, f), Interval: 10 * time.Millisecond}})
		time.Sleep(50 * time.Millisecond) // the first attempt is under way
		b.set(t)
		time.Sleep(5 * time.Second)
		b.expect(t, "after it was taken back")
		if asked, _ := f.seen(); len(asked) != 1 || len(b.Status()) != 0 {
			t.Errorf("it was asked %d times, and the status has %d targets", len(asked), len(b.Status()))
		}
	})
}

func TestABadSetChangesNothing(t *testing.T) {
	b := New(Config{})
	good := Target{ID: "a", Server: server, Check: Check{Kind: "tcp"}}
	if err := b.Set([]Target{good}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		bad  Target
		want string
	}{
		{"twice", good, "a: it is there twice"},
		{"kind", Target{ID: "b", Server: server, Check: Check{Kind: "gopher"}}, `b: "gopher" is no kind of check`},
		{"port", Target{ID: "b", Server: netip.AddrPortFrom(server.Addr(), 0), Check: Check{Kind: "tcp"}}, "b: it has no port to ask; add port=… to the check"},
		{"address", Target{ID: "b", Check: Check{Kind: "ping"}}, "b: it has no address to ask"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := b.Set([]Target{good, tt.bad})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if s := b.Status(); len(s) != 1 || s[0].ID != "a" {
				t.Errorf("the targets are now %+v", s)
			}
		})
	}
}
