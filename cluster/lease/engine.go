// Package lease decides who may keep running what.
//
// A node beats to every voter; its lease lasts from the moment it sent the
// newest beat that a majority acked, for its length. A voter that has received
// nothing for a longer time testifies to that, durably, and never acks that
// epoch again. With a majority of testimonies the leader commits NodeGone.
// Every majority of acks shares a voter with every majority of testimonies, so
// when NodeGone can exist no lease of that epoch is live (S1), whatever the
// delays and without synchronised clocks.
//
// The rules are numbered as in DESIGN.md and cited where they are kept. Network,
// clock, disk and guard are injected; all decisions read the injected clock,
// and timers only wake.
package lease

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A Clock is monotonic, goes on while the machine is suspended, and is not slewed
// (see [RawClock]). Its zero is anywhere.
type Clock interface{ Now() time.Duration }

// A Network sends datagrams. Send never waits for the network.
type Network interface {
	Send(to string, d *pb.LeaseDatagram) error
}

// Marks are the durable testimonies, by node (see Engine.about): the highest epoch testified to.
type Marks interface {
	Load() (map[string]uint64, error)
	Save(about string, epoch uint64) error // returns once it is durable
}

// A Log commits commands, by way of the leader.
type Log interface {
	Propose(ctx context.Context, c *pb.Command) error
}

// A Guard silences what is served once the deadline has passed, also when this
// process cannot (rules 23 and 24).
type Guard interface {
	// Extend moves the end of all that is admitted to a deadline on the Clock.
	// After an error nothing is admitted any more.
	Extend(deadline time.Duration) error
	// Clear silences everything at once.
	Clear() error
	// Kept reports whether something is admitted that an earlier start of this
	// agent admitted and this one has not taken over: Extend only ever cuts it.
	Kept() bool
}

// Rights are told what becomes of the node's rights, one call at a time, in
// order. They may take their time: no deadline waits for them.
type Rights interface {
	Lapsed()            // the lease is over: stop what runs
	Regained()          // it is held again, under the same epoch
	Drop(reason string) // the epoch is over: all rights under it end for good
}

// An Observer is told how the leader finds a node gone.
type Observer interface {
	Silent(node string, epoch uint64, heard, noticed time.Time)
	Testified(node string, epoch uint64, at time.Time)
}

// Config is what an Engine is made of.
type Config struct {
	Self            string // node id
	Nonce           uint64 // of this agent start (rule 4)
	BootID, Version string // for Admit
	Length          time.Duration
	Interval        time.Duration // between beats

	Clock    Clock
	Network  Network
	Marks    Marks
	Guard    Guard
	Log      Log
	Rights   Rights
	Observer Observer
	StepDown func() // hands leadership over (rule 17)
	Logger   *slog.Logger
}

// Threshold is the silence that a voter may testify to: longer than a lease of
// this length, by a tenth for clocks that run at different rates and 10 ms for
// the grain of timers (lease protocol, H8).
func Threshold(length time.Duration) time.Duration {
	return (length*11+9)/10 + 10*time.Millisecond
}

// Engine keeps this node's lease, votes on those of others, and, while Lead
// runs, finds out which nodes are gone.
type Engine struct {
	Config
	wake  chan struct{} // the holder's loop: something changed
	tells chan struct{} // the notice loop: there are notices
	news  chan struct{} // the loops that commit: the state or the epoch changed
	guard chan struct{} // the guard loop: the lease was extended
	saves chan testimony

	mu      sync.Mutex
	applied applied
	holder  holder
	voter   voter
	inquest inquest
	terms   int           // of Lead that run now
	wish    wish          // how long leases shall last
	unclear bool          // the guard could not be cleared: no epoch may begin
	pauses  time.Duration // how long the newest rest was
	rested  time.Duration // clock before which no epoch is asked for
}

// applied is what this node has applied of the replicated state. Rights are
// never taken from it (rule 6).
type applied struct {
	version uint64
	voters  []string
	beatTo  []string // the voters, and members that may become voters
	nodes   map[string]member
	alone   bool // this node goes on without the peer of its pair
	checked bool // and only while its checks succeed
}

// A member is a node as applied, and when this engine learned of its epoch.
type member struct {
	epoch     uint64
	nonce     uint64
	admitted  bool
	length    time.Duration
	resized   uint64 // version of the length (rule 25)
	restarts  bool   // it answers nobody for a while
	confirmed uint64
	fork      string        // id of the newest fork by which it went on alone
	known     time.Duration // clock when this epoch was first seen
}

// majority reports whether n voters are more than half of the electorate.
func (a *applied) majority(n int) bool { return 2*n > len(a.voters) }

func (a *applied) votes(id string) bool { return slices.Contains(a.voters, id) }

// New makes an engine that does nothing until Run.
func New(c Config) *Engine {
	if c.Interval == 0 {
		c.Interval = 65 * time.Millisecond
	}
	return &Engine{
		Config:  c,
		wake:    make(chan struct{}, 1),
		tells:   make(chan struct{}, 1),
		news:    make(chan struct{}, 1),
		guard:   make(chan struct{}, 1),
		saves:   make(chan testimony, 64),
		applied: applied{nodes: map[string]member{}},
		voter:   voter{heard: map[string]time.Duration{}, seen: map[string]time.Duration{}, marks: map[string]uint64{}},
		inquest: inquest{questions: map[uint64]*question{}},
		wish:    wish{length: c.Length, granted: make(chan struct{})},
	}
}

// Run keeps the lease and votes until ctx is canceled.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.loadMarks(); err != nil {
		return err
	}
	if !e.Guard.Kept() { // rule 4, and its exception for what rule 25 left
		e.noteClear(e.Guard.Clear())
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.holdLoop(ctx) })
	g.Go(func() error { return e.commitLoop(ctx) })
	g.Go(func() error { return e.noticeLoop(ctx) })
	g.Go(func() error { return e.guardLoop(ctx) })
	g.Go(func() error { return e.saveLoop(ctx) })
	return g.Wait()
}

// Apply takes over what the replicated state says. It is called inside every
// change of the state and does no I/O.
func (e *Engine) Apply(st *pb.State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Clock.Now()
	next := e.read(st, now)
	changed := next.version != e.applied.version
	e.applied = next
	e.holder.follow(e, changed, now)
	poke(e.wake)
	poke(e.news)
}

// read returns what the lease goes by of a state. e.mu is held.
func (e *Engine) read(st *pb.State, now time.Duration) applied {
	next := applied{
		version: st.Electorate.GetVersion(), voters: st.Electorate.GetVoters(),
		nodes: make(map[string]member, len(st.Nodes)), alone: state.Lost(st, e.Self) != "",
	}
	next.checked = next.alone && st.GetProperties()["quorum.ping"] != ""
	for _, n := range st.Nodes {
		m := member{
			epoch: n.Epoch, nonce: n.Nonce, admitted: n.Admission == pb.Admission_ADMISSION_ADMITTED,
			length: n.Lease.AsDuration(), resized: n.LeaseVersion, restarts: n.Restarting, confirmed: n.ElectorateConfirmed, known: now,
		}
		if old, ok := e.applied.nodes[n.Id]; ok && old.epoch == m.epoch {
			m.known = old.known
		}
		next.nodes[n.Id] = m
		if next.votes(n.Id) || (m.admitted && n.Role != pb.Role_ROLE_REPLICA) {
			next.beatTo = append(next.beatTo, n.Id)
		}
	}
	for _, f := range st.Forks {
		if m, ok := next.nodes[f.Node]; ok {
			m.fork = f.Id
			next.nodes[f.Node] = m
		}
	}
	return next
}

// poke wakes the loop that waits for a channel of one place.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Receive takes a datagram in. The network's reader calls it; it does no I/O
// but sending the answer.
func (e *Engine) Receive(from string, d *pb.LeaseDatagram) {
	e.see(from)
	switch b := d.Body.(type) {
	case *pb.LeaseDatagram_Beat:
		e.receiveBeat(from, b.Beat)
	case *pb.LeaseDatagram_Ack:
		e.receiveAck(from, b.Ack)
	case *pb.LeaseDatagram_Inquiry:
		e.receiveInquiry(from, b.Inquiry)
	case *pb.LeaseDatagram_Answer:
		e.receiveAnswer(from, b.Answer)
	}
}

// Status says how the lease stands.
func (e *Engine) Status() *pb.LeaseStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Clock.Now()
	h := &e.holder
	s := &pb.LeaseStatus{
		Epoch: h.epoch, Held: h.valid(now) && !h.ending(), Lapses: h.lapses,
		Length: durationpb.New(h.length), Threshold: durationpb.New(Threshold(h.length)),
		WorstBeatDelay: durationpb.New(h.late.ever), RecentWorstBeatDelay: durationpb.New(h.late.recent(now)),
		Remaining: durationpb.New(0),
	}
	if s.Held {
		s.Remaining = durationpb.New(h.deadline - now)
	}
	return s
}
