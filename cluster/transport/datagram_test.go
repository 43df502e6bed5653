package transport

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const kindTest = 7

type received struct {
	from, payload string
}

// hear returns what arrives at r.
func hear(r *running) <-chan received {
	heard := make(chan received, 1000)
	r.HandleDatagrams(kindTest, func(from string, payload []byte) {
		select {
		case heard <- received{from, string(payload)}:
		default:
		}
	})
	return heard
}

// insist sends until want has arrived, as one does with datagrams.
func insist(t testing.TB, from, to *running, heard <-chan received, payload string) {
	t.Helper()
	want := received{from.id.ID(), payload}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	ctx := soon(t)
	for {
		_ = from.SendDatagram(to.id.ID(), kindTest, []byte(payload))
		select {
		case <-ctx.Done():
			t.Fatalf("%q never arrived", payload)
		case got := <-heard:
			if got == want {
				return
			}
		case <-tick.C:
		}
	}
}

func exchangeDatagrams(t testing.TB, a, b *running) (atA, atB <-chan received) {
	t.Helper()
	atA, atB = hear(a), hear(b)
	insist(t, a, b, atB, "ping")
	insist(t, b, a, atA, "pong")
	return atA, atB
}

func TestDatagramsBothWays(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	exchangeDatagrams(t, a, b)

	whole := strings.Repeat("x", MaxDatagram)
	heard := hear(b)
	insist(t, a, b, heard, whole)
	if err := a.SendDatagram(b.id.ID(), kindTest, make([]byte, MaxDatagram+1)); !errors.Is(err, errTooLong) {
		t.Errorf("too long: %v", err)
	}
	if err := a.SendDatagram(a.id.ID(), kindTest, nil); !errors.Is(err, errSelf) {
		t.Errorf("to itself: %v", err)
	}
}

// The acceptor has no session of its own: it never sent anything first.
func TestAcceptorAnswersOverTheDialersSession(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	b.Transport.Addresses = func(string) []string { return nil } // it could not dial
	answers := hear(a)
	b.HandleDatagrams(kindTest, func(from string, payload []byte) {
		_ = b.SendDatagram(from, kindTest, payload)
	})
	want := received{b.id.ID(), "beat"}
	ctx := soon(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		_ = a.SendDatagram(b.id.ID(), kindTest, []byte("beat"))
		select {
		case got := <-answers:
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			return
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("no answer")
		}
	}
}

// restart ends a node and starts it again at the same place, with nothing but
// its identity.
func (l *lab) restart(r *running) *running {
	l.t.Helper()
	r.halt(l.t)
	return l.start(r.id, r.addr)
}

func TestRestartedPeerIsHeardAgainSoon(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	exchangeDatagrams(t, a, b)
	var quickest time.Duration // this machine may stand still for a while, but not each time
	for i := range 3 {
		b = l.restart(b)
		back := time.Now()
		insist(t, a, b, hear(b), "again") // b itself sends nothing
		if took := time.Since(back); i == 0 || took < quickest {
			quickest = took
		}
	}
	if quickest > 300*time.Millisecond {
		t.Errorf("the first datagram was accepted %v after a restart, at best", quickest)
	}
}

// Nothing tells a that b is gone: the connection is cut without a word, as by a
// power failure. Only the hint does.
func TestHintRenewsASessionThatThePeerForgot(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	_, atB := exchangeDatagrams(t, a, b)
	old := *b.sessions.Load()
	b.sessions.Store(&map[keyID]*session{}) // b has forgotten all keys
	began := time.Now()
	insist(t, a, b, atB, "after the hint")
	if took := time.Since(began); took > silence {
		t.Errorf("took %v, which is the silence's work and not the hint's", took)
	}
	for id := range *b.sessions.Load() {
		if old[id] != nil {
			t.Error("an old session came back")
		}
	}
}

// A long cut ends the connections, while both processes and their keys live on.
func TestSessionOutlivesItsConnection(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	atA, atB := exchangeDatagrams(t, a, b)
	l.mu.Lock()
	clear(l.at) // no new connection can be made
	l.mu.Unlock()
	for _, r := range []*running{a, b} {
		for _, s := range *r.sessions.Load() {
			s.conn.NetConn().Close()
			<-s.ended
		}
		r.sweep(r.elapsed() + time.Hour)
	}
	insist(t, a, b, atB, "to b after the cut")
	insist(t, b, a, atA, "to a after the cut")
}

func TestReplacedSessionIsForgotten(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	exchangeDatagrams(t, a, b)
	b = l.restart(b)
	insist(t, a, b, hear(b), "again")
	a.sweep(a.elapsed() + time.Hour)
	for _, s := range *a.sessions.Load() {
		if s.closedAt.Load() != 0 {
			t.Errorf("an ended session is still known beside %d others", len(*a.sessions.Load())-1)
		}
	}
}

func TestLink(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	if got := a.Links(b.id.ID()); len(got) != 1 || got[0].Up || got[0].LastHeard >= 0 || got[0].Address != b.addr {
		t.Errorf("links before anything was sent: %+v", got)
	}
	exchangeDatagrams(t, a, b)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); ; {
		got := a.Links(b.id.ID())[0]
		if got.Up && got.RTT > 0 {
			if got.Node != b.id.ID() || got.Address != b.addr || got.LastHeard < 0 || got.Loss != 0 {
				t.Errorf("link %+v", got)
			}
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("link: %+v", got)
		}
	}
}

// A tap sends packets to a node's port from a socket of its own.
type tap struct {
	*net.UDPConn
	to netip.AddrPort
}

func newTap(t *testing.T, to *running) tap {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return tap{c, netip.MustParseAddrPort(to.addr)}
}

func (x tap) send(t *testing.T, packet []byte) {
	t.Helper()
	if _, err := x.WriteToUDPAddrPort(packet, x.to); err != nil {
		t.Fatal(err)
	}
}

func TestForgedAndReplayedDatagramsAreDropped(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	_, atB := exchangeDatagrams(t, a, b)
	s := (*a.peer(b.id.ID()).chosen.Load())[0]
	genuine := func(payload string) []byte {
		return slices.Clone(s.sealInto(new(sealBuffer), kindTest, []byte(payload)))
	}
	wire := newTap(t, b)

	once := genuine("once")
	wire.send(t, once)
	wire.send(t, once) // replayed
	for _, at := range []int{0, 1, headerSize - 1, headerSize, len(once) - 1} {
		forged := genuine("forged")
		forged[at] ^= 1
		wire.send(t, forged)
	}
	wire.send(t, genuine("short")[:headerSize+tagSize])
	wire.send(t, nil)
	reflected := genuine("reflected") // back to its own sender
	newTap(t, a).send(t, reflected)
	wire.send(t, genuine("last"))

	var got []string
	for ctx := soon(t); ; {
		select {
		case r := <-atB:
			if r.payload != "ping" { // of the exchange before
				got = append(got, r.payload)
			}
		case <-ctx.Done():
			t.Fatalf("got only %q", got)
		}
		if slices.Contains(got, "last") {
			break
		}
	}
	if want := []string{"once", "last"}; !slices.Equal(got, want) {
		t.Errorf("accepted %q, want %q", got, want)
	}
}

func TestHintIsShortAndRare(t *testing.T) {
	node := cluster(t, 1)[0]
	r := newLab(t).start(node, anyPort)
	wire := newTap(t, r)
	unknown := make([]byte, minSealed)
	unknown[0] = sealed
	copy(unknown[1:], "stranger")
	wire.send(t, unknown)
	reply := make([]byte, 100)
	if err := wire.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := wire.Read(reply)
	if err != nil || string(reply[:n]) != "\x02stranger" {
		t.Errorf("hint %q, %v", reply[:n], err)
	}
	synctest.Test(t, func(t *testing.T) {
		var l hintLimit
		began := time.Now()
		sent := 0
		for time.Since(began) < 10*time.Second {
			if l.allow(time.Since(began)) {
				sent++
			}
			time.Sleep(time.Millisecond)
		}
		if want := 10*int(time.Second/hintEvery) + hintBurst; sent > want || sent < want-hintBurst {
			t.Errorf("%d hints in 10 s, want about %d", sent, want)
		}
	})
}

func TestWindow(t *testing.T) {
	tests := []struct {
		name     string
		counters []uint64
		want     string // + taken, - refused
	}{
		{"in order", []uint64{1, 2, 3}, "+++"},
		{"repeated", []uint64{1, 1, 2, 1, 2}, "+-+--"},
		{"out of order", []uint64{5, 3, 4, 3, 1}, "+++-+"},
		{"zero is never sent", []uint64{0, 1, 0}, "-+-"},
		{"at the edge", []uint64{100, 37, 36, 37}, "++--"},
		{"a leap", []uint64{1, 1000, 1, 937, 936, 999}, "++-+-+"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w window
			got := ""
			for _, c := range tt.counters {
				if !w.fresh(c) {
					got += "-"
					continue
				}
				w.note(c)
				got += "+"
			}
			if got != tt.want {
				t.Errorf("%v: %s, want %s", tt.counters, got, tt.want)
			}
		})
	}
}

func BenchmarkDatagramRoundTrip(b *testing.B) {
	ids := cluster(b, 2)
	l := newLab(b)
	near, far := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	exchangeDatagrams(b, near, far)
	far.HandleDatagrams(kindTest, func(from string, payload []byte) {
		_ = far.SendDatagram(from, kindTest, payload)
	})
	echoed := make(chan struct{}, 1000)
	near.HandleDatagrams(kindTest, func(string, []byte) { echoed <- struct{}{} })
	beat := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if err := near.SendDatagram(far.id.ID(), kindTest, beat); err != nil {
			b.Fatal(err)
		}
		<-echoed
	}
}

// The time from a restarted peer's first moment on the network until it has
// accepted a datagram, while the other side keeps sending every millisecond.
func BenchmarkPeerRestart(b *testing.B) {
	ids := cluster(b, 2)
	l := newLab(b)
	near, far := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	exchangeDatagrams(b, near, far)
	var worst, sum time.Duration
	for range b.N {
		far = l.restart(far)
		began := time.Now()
		insist(b, near, far, hear(far), "again")
		took := time.Since(began)
		worst, sum = max(worst, took), sum+took
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(b.N), "µs/recovery")
	b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
}
