// Package reach finds out whether this node still reaches the world: it pings
// the targets that people name (property quorum.ping).
//
// A silent peer may be dead, or this node may be cut off. Who reaches none of
// the targets is the one that is cut off: it takes nothing over, and hosts
// nothing while another can. What follows from an answer is decided elsewhere;
// this package only says which question was the newest that was answered, and
// when it was asked, on the lease's clock.
//
// An answer counts for its own question only: every question carries a number
// that was never used before, and a part drawn at random for this process. What
// this machine answers itself does not count.
package reach

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Clock is the lease's: monotonic and not slewed. Its zero is anywhere.
type Clock interface{ Now() time.Duration }

// A Socket sends echo requests of one address family and receives the answers.
type Socket interface {
	// Ask sends an echo request with these data. It never waits for the network.
	Ask(to netip.Addr, data []byte) error
	// Answer waits for an echo reply and returns who sent it and its data. It
	// fails once the socket is closed.
	Answer() (from netip.Addr, data []byte, err error)
	Close() error
}

// Never is when a target that has not answered yet was last asked with success:
// so long ago that it counts for nothing, and not so long that sums overflow.
const Never = time.Duration(-1 << 62)

// Config is what a Pinger is made of.
type Config struct {
	Clock    Clock
	Open     func(v6 bool) (Socket, error)
	Interval time.Duration // between two questions to one target
	Hurried  time.Duration // the same in a hurry, and while nobody answers
	Patience time.Duration // without an answer for so long, this node is isolated
	Log      *slog.Logger
}

// A Pinger pings its targets while it runs.
type Pinger struct {
	Config
	nonce [8]byte       // of this process, in every question
	wake  chan struct{} // has a token when something is to be done before its time

	mu        sync.Mutex
	targets   []*target
	since     time.Duration // when the targets were set
	questions map[uint64]question
	last      uint64        // number of the newest question
	asked     time.Duration // when the newest round began, or Never
	hurry     bool
	confirms  int           // under way
	news      chan struct{} // closed at the next answer that is newer than all before
	judge     judge
	changed   chan struct{} // closed when the verdict changes
}

type target struct {
	addr     netip.Addr
	newest   time.Duration // when the newest answered question was sent, or Never
	answered time.Duration // when its answer came
	err      error         // of the newest attempt to ask
}

// A question was sent and has no answer yet.
type question struct {
	to   *target
	sent time.Duration
}

// New makes a Pinger without targets.
func New(c Config) *Pinger {
	p := &Pinger{
		Config: c, wake: make(chan struct{}, 1), questions: make(map[uint64]question), asked: Never,
		changed: make(chan struct{}), news: make(chan struct{}),
	}
	_, _ = rand.Read(p.nonce[:]) // never fails
	return p
}

// Set replaces the targets. Those that stay keep what is known of them.
func (p *Pinger) Set(targets []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.EqualFunc(p.targets, targets, func(t *target, a netip.Addr) bool { return t.addr == a }) {
		return
	}
	var list []*target
	for _, a := range targets {
		i := slices.IndexFunc(p.targets, func(t *target) bool { return t.addr == a })
		if i >= 0 {
			list = append(list, p.targets[i])
			continue
		}
		list = append(list, &target{addr: a, newest: Never})
	}
	p.targets, p.since = list, p.Clock.Now()
	p.awake()
}

// Newest is when, on the lease's clock, the newest question that a target has
// answered was sent: Never while none was answered. Without targets nothing is
// known, and configured is false.
func (p *Pinger) Newest() (sent time.Duration, configured bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newest(), len(p.targets) > 0
}

// newest is Newest with p.mu held.
func (p *Pinger) newest() time.Duration {
	sent := Never
	for _, t := range p.targets {
		sent = max(sent, t.newest)
	}
	return sent
}

// Hurry makes the Pinger ask fast until it is told otherwise, as while a peer
// is suspected to be gone.
func (p *Pinger) Hurry(fast bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fast && !p.hurry {
		p.awake()
	}
	p.hurry = fast
}

// Confirm asks fast until a question that was sent after the call is answered, or
// ctx is canceled, and reports which.
func (p *Pinger) Confirm(ctx context.Context) bool {
	p.mu.Lock()
	began := p.Clock.Now()
	p.confirms++
	p.awake()
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.confirms--
	}()
	for {
		p.mu.Lock()
		sent, news := p.newest(), p.news
		p.mu.Unlock()
		if sent > began {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

// A Status is what is known of one target, for display.
type Status struct {
	Address  netip.Addr
	Answered bool          // at least once
	Ago, RTT time.Duration // of the newest answer
	Err      error         // why it could not be asked
}

// Targets returns the status of every target, in the order in which they were set.
func (p *Pinger) Targets() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Clock.Now()
	var list []Status
	for _, t := range p.targets {
		s := Status{Address: t.addr, Err: t.err, Answered: t.newest != Never}
		if s.Answered {
			s.Ago, s.RTT = now-t.answered, t.answered-t.newest
		}
		list = append(list, s)
	}
	return list
}

// awake makes the loop look at once.
func (p *Pinger) awake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run asks until ctx is canceled.
func (p *Pinger) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	s := &sockets{pinger: p, group: g, open: make(map[bool]Socket)}
	g.Go(func() error {
		defer s.close()
		for {
			wait := p.round(s)
			select {
			case <-ctx.Done():
				return nil
			case <-p.wake:
			case <-time.After(wait):
			}
		}
	})
	return g.Wait()
}

// round asks every target once, if it is time for that, and returns when to look
// again.
func (p *Pinger) round(s *sockets) time.Duration {
	p.mu.Lock()
	now := p.Clock.Now()
	targets := p.due(now)
	p.mu.Unlock()
	for _, t := range targets {
		p.ask(s, t)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.Clock.Now()
	p.forget(now)
	p.look(now)
	return p.pause(now)
}

// due returns the targets if it is time to ask, and notes that they are asked.
// p.mu is held.
func (p *Pinger) due(now time.Duration) []*target {
	if len(p.targets) == 0 || now-p.asked < p.gap(now) {
		return nil
	}
	p.asked = now
	return slices.Clone(p.targets)
}

// gap is the time between two rounds. Many questions in a row are lost before a
// node calls itself isolated, so one that stays without an answer is soon
// followed by others. p.mu is held.
func (p *Pinger) gap(now time.Duration) time.Duration {
	doubt := !p.judge.isolated && now-p.newest() >= p.Interval+p.grace()
	if p.hurry || p.confirms > 0 || doubt {
		return p.Hurried
	}
	return p.Interval
}

// pause is how long nothing is to be done. p.mu is held.
func (p *Pinger) pause(now time.Duration) time.Duration {
	if len(p.targets) == 0 {
		return p.Interval
	}
	wait := p.asked + p.gap(now) - now
	if doubt := p.newest() + p.Interval + p.grace() - now; doubt > 0 {
		wait = min(wait, doubt)
	}
	return max(wait, 0)
}

// grace is how long an answer may take before other questions follow.
func (p *Pinger) grace() time.Duration { return 2 * p.Hurried }

// ask sends one question. The clock is read before that.
func (p *Pinger) ask(s *sockets, t *target) {
	p.mu.Lock()
	p.last++
	number, sent := p.last, p.Clock.Now()
	p.questions[number] = question{t, sent}
	p.mu.Unlock()
	err := s.ask(t.addr, binary.BigEndian.AppendUint64(p.nonce[:len(p.nonce):len(p.nonce)], number))
	p.mu.Lock()
	defer p.mu.Unlock()
	t.err = err
	if err != nil {
		delete(p.questions, number)
	}
}

// answer takes an answer in, if it is one to a question of ours.
func (p *Pinger) answer(from netip.Addr, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(data) != len(p.nonce)+8 || [8]byte(data) != p.nonce {
		return
	}
	number := binary.BigEndian.Uint64(data[len(p.nonce):])
	q, asked := p.questions[number]
	if !asked || q.to.addr != from {
		return
	}
	delete(p.questions, number)
	if q.sent > q.to.newest {
		q.to.newest, q.to.answered = q.sent, p.Clock.Now()
		close(p.news)
		p.news = make(chan struct{})
	}
}

// forget drops the questions whose answer would prove nothing any more.
func (p *Pinger) forget(now time.Duration) {
	for number, q := range p.questions {
		if now-q.sent > 2*p.Patience {
			delete(p.questions, number)
		}
	}
}
