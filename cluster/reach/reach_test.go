package reach

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	interval = 500 * time.Millisecond
	hurried  = 50 * time.Millisecond
	patience = time.Second
	rtt      = 3 * time.Millisecond
)

var (
	router  = netip.MustParseAddr("192.0.2.1")
	other   = netip.MustParseAddr("192.0.2.2")
	router6 = netip.MustParseAddr("2001:db8::1")
)

// A lan is a network whose hosts answer unless they are dead.
type lan struct {
	began time.Time

	mu    sync.Mutex
	dead  map[netip.Addr]bool
	liar  netip.Addr  // valid: answers every question from this address
	asked []time.Time // when questions came
	opens int
	shut  error // what Open returns
	wire  chan packet
}

type packet struct {
	from netip.Addr
	data []byte
}

func (l *lan) Now() time.Duration { return time.Since(l.began) }

func (l *lan) open(bool) (Socket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opens++
	if l.shut != nil {
		return nil, l.shut
	}
	return &port{lan: l, closed: make(chan struct{})}, nil
}

// reports how many questions came since it was last called.
func (l *lan) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.asked)
	l.asked = nil
	return n
}

func (l *lan) kill(dead bool, hosts ...netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range hosts {
		l.dead[h] = dead
	}
}

// A port is a Socket on a lan.
type port struct {
	lan    *lan
	closed chan struct{}
	once   sync.Once
}

func (p *port) Ask(to netip.Addr, data []byte) error {
	l := p.lan
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, time.Now())
	if l.dead[to] {
		return nil
	}
	from := to
	if l.liar.IsValid() {
		from = l.liar
	}
	answer := packet{from, slices.Clone(data)}
	time.AfterFunc(rtt, func() { l.wire <- answer })
	return nil
}

func (p *port) Answer() (netip.Addr, []byte, error) {
	select {
	case a := <-p.lan.wire:
		return a.from, a.data, nil
	case <-p.closed:
		return netip.Addr{}, nil, net.ErrClosed
	}
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// onLAN runs f with a Pinger that asks on a lan.
func onLAN(t *testing.T, f func(l *lan, p *Pinger)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lan{began: time.Now(), dead: map[netip.Addr]bool{}, wire: make(chan packet, 100)}
		p := New(Config{
			Clock: l, Open: l.open, Interval: interval, Hurried: hurried, Patience: patience, Log: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = p.Run(ctx) })
		synctest.Wait()
		f(l, p)
		cancel()
		run.Wait()
	})
}

func isolated(p *Pinger) bool {
	isolated, _ := p.Isolated()
	return isolated
}

func TestWithoutTargetsNothingIsAskedAndNothingIsKnown(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		time.Sleep(time.Minute)
		if sent, configured := p.Newest(); configured || sent != Never {
			t.Errorf("Newest() = %v, %v; want Never, false", sent, configured)
		}
		if n := l.count(); n > 0 || isolated(p) {
			t.Errorf("%d questions were asked, isolated %v", n, isolated(p))
		}
	})
}

func TestNewestIsWhenTheAnsweredQuestionWasSent(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		p.Set([]netip.Addr{router})
		synctest.Wait()
		asked := l.Now()
		if sent, configured := p.Newest(); !configured || sent != Never {
			t.Errorf("before an answer: Newest() = %v, %v; want Never, true", sent, configured)
		}
		time.Sleep(2 * rtt)
		if sent, _ := p.Newest(); sent != asked {
			t.Errorf("Newest() = %v, want %v, when it was asked, not %v, when it was answered", sent, asked, asked+rtt)
		}
		want := Status{Address: router, Answered: true, Ago: rtt, RTT: rtt}
		if got := p.Targets(); len(got) != 1 || got[0] != want {
			t.Errorf("Targets() = %+v, want %+v", got, want)
		}
	})
}

func TestOneTargetOfTwoIsEnough(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		l.kill(true, other)
		p.Set([]netip.Addr{other, router})
		time.Sleep(10 * time.Second)
		if sent, _ := p.Newest(); l.Now()-sent > interval+rtt || isolated(p) {
			t.Errorf("newest answer is to a question of %v ago, isolated %v", l.Now()-sent, isolated(p))
		}
		if n := l.count(); n > 2*22 {
			t.Errorf("%d questions in 10 s, want 4 a second", n)
		}
	})
}

func TestOnlyAnAnswerToTheQuestionCounts(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		l.liar = other // answers, but was not asked
		p.Set([]netip.Addr{router})
		time.Sleep(5 * time.Second)
		for _, data := range [][]byte{nil, {1, 2, 3}, make([]byte, 16)} {
			l.wire <- packet{router, data}
		}
		synctest.Wait()
		if sent, _ := p.Newest(); sent != Never {
			t.Errorf("Newest() = %v, want Never: nothing was answered", sent)
		}
	})
}

func TestALateAnswerDoesNotHideANewerOne(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		p.Set([]netip.Addr{router})
		time.Sleep(interval + 2*rtt)
		newest, _ := p.Newest()
		p.mu.Lock()
		p.questions[77] = question{p.targets[0], newest - 400*time.Millisecond}
		p.mu.Unlock()
		p.answer(router, append(slices.Clone(p.nonce[:]), 0, 0, 0, 0, 0, 0, 0, 77))
		if sent, _ := p.Newest(); sent != newest {
			t.Errorf("Newest() went back from %v to %v", newest, sent)
		}
	})
}

func TestAHurryIsFastAndBounded(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		p.Set([]netip.Addr{router})
		time.Sleep(10 * time.Second)
		if n := l.count(); n < 20 || n > 22 {
			t.Errorf("%d questions in 10 s, want 2 a second", n)
		}
		for range 1000 { // however it is called
			p.Hurry(true)
			p.Hurry(false)
			p.Hurry(true)
			time.Sleep(time.Millisecond)
		}
		if n := l.count(); n < 19 || n > 22 {
			t.Errorf("%d questions in 1 s of hurry, want 20", n)
		}
	})
}

func TestALostTargetIsAskedFastAgain(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		p.Set([]netip.Addr{router})
		time.Sleep(10 * time.Second)
		l.count()
		l.kill(true, router)
		changed := p.Changed()
		<-changed
		if n := l.count(); n < 8 || !isolated(p) {
			t.Errorf("isolated %v after %d lost questions, want true after at least 8", isolated(p), n)
		}
		time.Sleep(10 * time.Second)
		if n := l.count(); n > 21 {
			t.Errorf("%d questions in 10 s while isolated, want 2 a second", n)
		}
	})
}

func TestIsolationIsToldWithinItsPatienceAndEndsWithHysteresis(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		p.Set([]netip.Addr{router, router6})
		time.Sleep(3300 * time.Millisecond)
		cut := l.Now()
		changed := p.Changed()
		l.kill(true, router, router6)
		<-changed
		if took := l.Now() - cut; !isolated(p) || took > patience+hurried || took < patience-interval {
			t.Errorf("isolated %v, told after %v; want after %v to %v", isolated(p), took, patience-interval, patience)
		}
		changed = p.Changed()
		for range 5 { // a flapping link
			l.kill(false, router6)
			time.Sleep(700 * time.Millisecond)
			l.kill(true, router6)
			time.Sleep(patience + interval)
		}
		select {
		case <-changed:
			t.Error("a link that comes and goes ended the isolation")
		default:
		}
		healed := l.Now()
		l.kill(false, router)
		<-changed
		if took := l.Now() - healed; isolated(p) || took < 2*patience || took > 2*patience+interval+hurried {
			t.Errorf("isolated %v, told %v after the repair; want after %v", isolated(p), took, 2*patience)
		}
	})
}

func TestNewTargetsHaveTimeToAnswer(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		l.kill(true, router)
		time.Sleep(time.Hour)
		p.Set([]netip.Addr{router})
		time.Sleep(patience - hurried)
		if isolated(p) {
			t.Error("isolated before the new target could answer")
		}
		time.Sleep(2 * hurried)
		if !isolated(p) {
			t.Error("not isolated although the new target never answered")
		}
		changed := p.Changed()
		p.Set(nil)
		<-changed
		if isolated(p) {
			t.Error("isolated without targets")
		}
	})
}

func TestTheOrderOfTargetsMayChangeWithoutForgetting(t *testing.T) {
	onLAN(t, func(_ *lan, p *Pinger) {
		p.Set([]netip.Addr{router, other})
		time.Sleep(interval)
		before, _ := p.Newest()
		p.Set([]netip.Addr{other})
		if sent, _ := p.Newest(); sent != before {
			t.Errorf("Newest() = %v after a target was taken away, want %v", sent, before)
		}
	})
}

func TestASocketThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		l.mu.Lock()
		l.shut = errors.New("not permitted")
		l.mu.Unlock()
		p.Set([]netip.Addr{router})
		time.Sleep(time.Second)
		if got := p.Targets(); got[0].Err == nil || got[0].Answered {
			t.Errorf("Targets() = %+v, want the error", got)
		}
		l.mu.Lock()
		l.shut = nil
		l.mu.Unlock()
		time.Sleep(time.Second)
		if got := p.Targets(); got[0].Err != nil || !got[0].Answered {
			t.Errorf("Targets() = %+v, want an answer", got)
		}
	})
}

func TestTheVerdictIsKnownWithTheFirstAnswer(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		if isolated, known := p.Isolated(); isolated || !known {
			t.Errorf("without targets: isolated %v, known %v; want false, true", isolated, known)
		}
	})
	for _, dead := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := &lan{began: time.Now(), dead: map[netip.Addr]bool{router: dead}, wire: make(chan packet, 100)}
			p := New(Config{Clock: l, Open: l.open, Interval: interval, Hurried: hurried, Patience: patience, Log: slog.New(slog.DiscardHandler)})
			p.Set([]netip.Addr{router})
			ctx, cancel := context.WithCancel(t.Context())
			var run sync.WaitGroup
			changed := p.Changed()
			run.Go(func() { _ = p.Run(ctx) })
			synctest.Wait()
			if _, known := p.Isolated(); known {
				t.Error("known before anything could be known")
			}
			<-changed
			if isolated, known := p.Isolated(); isolated != dead || !known {
				t.Errorf("target dead %v: isolated %v, known %v", dead, isolated, known)
			}
			cancel()
			run.Wait()
		})
	}
}

func TestConfirmCountsOnlyWhatIsAskedFromNowOn(t *testing.T) {
	onLAN(t, func(l *lan, p *Pinger) {
		p.Set([]netip.Addr{router})
		time.Sleep(10*time.Second + interval/3)
		began := l.Now()
		if !p.Confirm(context.Background()) {
			t.Error("not confirmed although the target answers")
		}
		if took := l.Now() - began; took > hurried+rtt || took < rtt {
			t.Errorf("confirmed after %v, want about one round trip (%v)", took, rtt)
		}
		time.Sleep(interval / 2)
		l.kill(true, router)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if p.Confirm(ctx) {
			t.Error("confirmed by an answer to an earlier question")
		}
	})
}
