package transport

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A wired pair is two nodes with several wires between them.
type wiredPair struct {
	*lab
	a, b  *running
	wires []*wire

	forked atomic.Bool // a's log, see follow
}

func newWiredPair(t testing.TB, wires int) *wiredPair {
	t.Helper()
	ids := cluster(t, 2)
	p := &wiredPair{lab: newLab(t)}
	p.a, p.b = p.start(ids[0], "127.0.0.1:0"), p.start(ids[1], "127.0.0.2:0")
	nodes := [2]netip.AddrPort{netip.MustParseAddrPort(p.a.addr), netip.MustParseAddrPort(p.b.addr)}
	var at [2][]string
	for n := range wires {
		w := newWire(t, n+1, nodes)
		p.wires = append(p.wires, w)
		for i, end := range w.ends {
			at[i] = append(at[i], end.at.String())
		}
	}
	p.via[p.a.id.ID()], p.via[p.b.id.ID()] = at[0], at[1]
	return p
}

// beat lets both nodes send as the lease does, beats and acks, until the test ends.
func (p *wiredPair) beat(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var beating sync.WaitGroup
	t.Cleanup(func() { stop(); beating.Wait() })
	for _, pair := range [][2]*running{{p.a, p.b}, {p.b, p.a}} {
		from, to := pair[0], pair[1]
		to.HandleDatagrams(kindTest+1, func(id string, payload []byte) { _ = to.SendDatagram(id, kindTest+2, payload) })
		beating.Go(func() {
			for ctx.Err() == nil {
				_ = from.SendDatagram(to.id.ID(), kindTest+1, []byte("beat"))
				pause(ctx, 65*time.Millisecond)
			}
		})
	}
}

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); !holds(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// up lists which links to a peer are up.
func (r *running) up(peer *running) string {
	text := ""
	for _, l := range r.Links(peer.id.ID()) {
		text += map[bool]string{true: "+", false: "-"}[l.Up]
	}
	return text
}

func (p *wiredPair) awaitUp(t testing.TB, want string) {
	t.Helper()
	await(t, "links to be "+want, func() bool { return p.a.up(p.b) == want && p.b.up(p.a) == want })
}

// ready waits until both nodes hear each other on all links.
func (p *wiredPair) ready(t testing.TB) {
	t.Helper()
	p.beat(t)
	all := ""
	for range p.wires {
		all += "+"
	}
	p.awaitUp(t, all)
}

func TestDatagramsSurviveTheLossOfAnyButTheLastLink(t *testing.T) {
	for first := range 3 {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			p := newWiredPair(t, 3)
			p.ready(t)
			seen := make(chan uint64, 1000)
			p.b.HandleDatagrams(kindTest, func(_ string, payload []byte) { seen <- binary.BigEndian.Uint64(payload) })
			const each = 100
			for i := range uint64(3 * each) {
				if i%each == 0 && i > 0 {
					p.wires[(first+int(i/each))%3].cut()
				}
				_ = p.a.SendDatagram(p.b.id.ID(), kindTest, binary.BigEndian.AppendUint64(nil, i))
				select { // each arrives, in time, and once
				case got := <-seen:
					if got != i {
						t.Fatalf("datagram %d arrived where %d was due", got, i)
					}
				case <-soon(t).Done():
					t.Fatalf("datagram %d was lost", i)
				}
			}
		})
	}
}

// Linked streams: one accepted at b for each that a dials.
func (p *wiredPair) dialStream(t testing.TB) (near, far net.Conn) {
	t.Helper()
	near, err := p.a.Dial(soon(t), p.b.id.ID(), ALPNRaft)
	if err != nil {
		t.Fatal(err)
	}
	far, err = p.b.Listener(ALPNRaft).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// wireOf says over which wire a dialed stream goes.
func (p *wiredPair) wireOf(c net.Conn) int {
	return slices.IndexFunc(p.wires, func(w *wire) bool { return w.ends[1].at.String() == c.RemoteAddr().String() })
}

// A stream is to close within two fifths of a second. This machine may stand still for
// so long, but not each time.
func TestStreamsOverADeadLinkCloseAtOnceAndAreDialedOverAnother(t *testing.T) {
	for way, cut := range map[string]func(*wire){
		"both ways": (*wire).cut,
		"to a":      func(w *wire) { w.ends[0].pass(false) },
		"to b":      func(w *wire) { w.ends[1].pass(false) },
	} {
		t.Run(way, func(t *testing.T) {
			p := newWiredPair(t, 2)
			p.b.Listener(ALPNRaft)
			p.ready(t)
			for range 3 {
				if p.cutStream(t, way, cut) <= 400*time.Millisecond {
					return
				}
			}
			t.Error("the stream closed too late each time")
		})
	}
}

// cutStream cuts the link that a stream goes over, and returns how long after that the
// stream closed.
func (p *wiredPair) cutStream(t *testing.T, way string, cut func(*wire)) time.Duration {
	t.Helper()
	near, far := p.dialStream(t)
	used := p.wireOf(near)
	other, _ := p.dialStream(t)
	other.Close()

	began := time.Now()
	cut(p.wires[used])
	hearing, deaf := near, far // which end the cut keeps from hearing closes at once
	if way == "to b" {
		hearing, deaf = far, near
	}
	if _, err := hearing.Read(make([]byte, 1)); err == nil {
		t.Error("something was read from a stream over a cut link")
	}
	closed := time.Since(began)
	again, _ := p.dialStream(t)
	if got := p.wireOf(again); got == used {
		t.Errorf("the next stream goes over wire %d, which is cut", got)
	}
	t.Logf("closed after %v, the next one stood after %v", closed, time.Since(began))
	if _, err := deaf.Read(make([]byte, 1)); err == nil {
		t.Error("something was read at the other end")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the other end closed after %v", took)
	}
	p.awaitUp(t, map[int]string{0: "-+", 1: "+-"}[used])

	p.wires[used].mend()
	p.awaitUp(t, "++")
	return closed
}

// One end is just about to make new sessions when nothing reaches the other any more
// on a link, so none comes about.
func TestALinkIsFoundDeafWhileNoNewSessionCanBeMade(t *testing.T) {
	p := newWiredPair(t, 2)
	p.ready(t)
	p.wires[0].ends[0].pass(false)
	p.b.peer(p.a.id.ID()).renew(true)
	p.awaitUp(t, "-+")
	p.wires[0].mend()
	p.awaitUp(t, "++")
}

// A stream stays where it is, and is not touched, while its link is well.
func TestStreamsOverOtherLinksStayOpen(t *testing.T) {
	p := newWiredPair(t, 2)
	p.b.Listener(ALPNRaft)
	p.ready(t)
	near, far := p.dialStream(t)
	used := p.wireOf(near)
	p.wires[1-used].cut()
	p.awaitUp(t, map[int]string{0: "+-", 1: "-+"}[used])
	if _, err := near.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// All links fail at once, as when the peer's power does: then nothing is closed
// before TCP notices, as with a single link.
func TestSilenceOnAllLinksClosesNothing(t *testing.T) {
	p := newWiredPair(t, 2)
	p.b.Listener(ALPNRaft)
	p.ready(t)
	near, _ := p.dialStream(t)
	for _, w := range p.wires {
		w.cut()
	}
	await(t, "links to be down", func() bool { return p.a.up(p.b) == "--" })
	if n := near.(*tls.Conn).NetConn().(*stream).link.trouble.Load(); n != sound {
		t.Errorf("link is in trouble %d although no other was up", n)
	}
	for _, w := range p.wires {
		w.mend()
	}
	p.awaitUp(t, "++")
}

func TestALossyLinkIsDialedLastAndSaysSo(t *testing.T) {
	p := newWiredPair(t, 2)
	p.b.Listener(ALPNRaft)
	for _, end := range p.wires[0].ends {
		end.loss.Store(40)
	}
	p.ready(t)
	await(t, "pings to be lost", func() bool { return p.a.Links(p.b.id.ID())[0].Loss > lossy })
	links := p.a.Links(p.b.id.ID())
	if l := links[1]; l.Loss != 0 || l.RTT == 0 || !l.Up || l.Index != 1 {
		t.Errorf("the other link: %+v", l)
	}
	near, _ := p.dialStream(t)
	if got := p.wireOf(near); got != 1 {
		t.Errorf("dialed over wire %d, which loses datagrams", got)
	}
}

// The peer has one address more than we have: the pairs of addresses count.
func TestANodeWithOneAddressHasALinkToEachOfThePeers(t *testing.T) {
	p := newWiredPair(t, 2)
	p.mu.Lock()
	p.via[p.a.id.ID()] = p.via[p.a.id.ID()][:1]
	p.mu.Unlock()
	p.beat(t)
	await(t, "links", func() bool { return p.a.up(p.b) == "++" && p.b.up(p.a) == "+" })
	p.wires[0].cut()
	await(t, "the link to be down", func() bool { return p.a.up(p.b) == "-+" })
	heard := hear(p.a)
	insist(t, p.b, p.a, heard, "over the second")
}

func TestAnAddressThatAPeerGivesUpIsForgotten(t *testing.T) {
	p := newWiredPair(t, 2)
	p.ready(t)
	p.mu.Lock()
	for id, all := range p.via {
		p.via[id] = all[:1]
	}
	p.mu.Unlock()
	await(t, "keepers to end", func() bool {
		return len(p.a.keepersOf(p.b)) == 1 && len(p.b.keepersOf(p.a)) == 1
	})
	await(t, "links to be forgotten", func() bool {
		p.a.sweep(p.a.elapsed() + time.Hour)
		p.b.sweep(p.b.elapsed() + time.Hour)
		return len(p.a.ways(p.b.id.ID())) == 1 && len(p.b.ways(p.a.id.ID())) == 1
	})
	exchangeDatagrams(t, p.a, p.b)
}

func (r *running) keepersOf(other *running) []*keeper {
	p := r.peer(other.id.ID())
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.keepers)
}

func TestPings(t *testing.T) {
	var p pings
	if p.loss() != 0 || p.unanswered() != 0 {
		t.Errorf("before any: loss %v, %d unanswered", p.loss(), p.unanswered())
	}
	for i := range 10 {
		if n := p.next(); i%2 == 0 {
			p.note(n)
		}
	}
	p.next()
	p.note(99) // no number of ours
	if got := p.loss(); got != 0.5 {
		t.Errorf("loss %v after 5 of 10", got)
	}
	if got := p.unanswered(); got != 1 {
		t.Errorf("%d unanswered, want the tenth; the eleventh is under way", got)
	}
	p.note(10) // late
	if got := p.unanswered(); got != 0 {
		t.Errorf("%d unanswered after a late answer", got)
	}
	for range 200 {
		p.next()
	}
	if p.loss() != 1 || p.unanswered() != pingWindow {
		t.Errorf("after 200 lost pings: loss %v, %d unanswered", p.loss(), p.unanswered())
	}
}

// The time from the loss of a link until a stream over another stands.
func BenchmarkLinkLoss(b *testing.B) {
	p := newWiredPair(b, 2)
	p.b.Listener(ALPNRaft)
	p.ready(b)
	var sum, worst time.Duration
	for range b.N {
		near, _ := p.dialStream(b)
		used := p.wireOf(near)
		began := time.Now()
		p.wires[used].cut()
		_, _ = near.Read(make([]byte, 1))
		p.dialStream(b)
		took := time.Since(began)
		sum, worst = sum+took, max(worst, took)
		p.wires[used].mend()
		p.awaitUp(b, "++")
	}
	b.ReportMetric(float64(sum.Microseconds())/float64(b.N), "µs/move")
	b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
}
