package lease

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// resend is how long an inquiry waits for its answer before it is sent again.
const resend = 15 * time.Millisecond

// inquest is what the leader is asking. Engine.mu guards it.
type inquest struct {
	last      uint64
	questions map[uint64]*question
}

// A question is one inquiry and the answers to it so far.
type question struct {
	about   suspect
	asked   map[string]time.Duration // by voter: clock when last asked
	answers map[string]*pb.Answer    // by voter: the newest
	came    map[string]time.Duration // by voter: clock when it came
	news    chan struct{}            // poked at each answer
}

// Lead finds out which nodes are gone, until ctx ends with the term. Only the
// leader runs it (rule 11).
func (e *Engine) Lead(ctx context.Context) error {
	e.lead(1)
	defer e.lead(-1)
	g, ctx := errgroup.WithContext(ctx)
	asking := make(map[string]bool) // under e.mu
	for {
		suspects, next := e.suspects(asking)
		for _, s := range suspects {
			g.Go(func() error {
				defer func() {
					e.mu.Lock()
					delete(asking, s.node)
					e.mu.Unlock()
				}()
				return e.inquire(ctx, s)
			})
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return g.Wait()
		case <-timer.C:
		}
	}
}

func (e *Engine) lead(terms int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.terms += terms
}

// A suspect is a node that the leader itself has not heard for its threshold.
type suspect struct {
	node      string
	epoch     uint64
	threshold time.Duration
	silence   time.Duration
}

// suspects returns who must be asked about now, and when to look again: when
// the first could be silent for its threshold, or one is being asked about.
// A node that is admitted meanwhile cannot be silent for so long any earlier.
func (e *Engine) suspects(asking map[string]bool) (list []suspect, next time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Clock.Now()
	next = e.Length
	for id, m := range e.applied.nodes {
		if asking[id] {
			next = min(next, e.Interval)
			continue
		}
		if !m.admitted || id == e.Self {
			continue
		}
		limit := Threshold(m.length)
		silence := min(e.silence(id), now-m.known) // rule 11: not about a young epoch
		if silence < limit {
			next = min(next, limit-silence)
			continue
		}
		asking[id], next = true, min(next, e.Interval)
		list = append(list, suspect{id, m.epoch, limit, silence})
	}
	return list, next
}

// inquire asks about one suspect, first without binding anybody, and commits
// NodeGone when a majority has testified.
func (e *Engine) inquire(ctx context.Context, s suspect) error {
	noticed := time.Now()
	e.Observer.Silent(s.node, s.epoch, noticed.Add(-s.silence), noticed)
	ctx, cancel := context.WithTimeout(ctx, s.threshold)
	defer cancel()
	silent := func(a *pb.Answer) bool { return a.Silence.AsDuration() >= s.threshold }
	if e.ask(ctx, s, false, silent) == nil {
		return nil // a majority hears it, or does not answer: ask again later
	}
	testimonies := e.ask(ctx, s, true, func(a *pb.Answer) bool { return a.Testified && silent(a) })
	if testimonies == nil {
		return nil
	}
	e.Observer.Testified(s.node, s.epoch, time.Now())
	gone := &pb.NodeGone{Node: s.node, Epoch: s.epoch}
	for _, a := range testimonies {
		gone.Testimonies = append(gone.Testimonies, &pb.Testimony{Voter: a.Voter, Silence: a.Silence})
	}
	if err := e.Log.Propose(ctx, &pb.Command{Body: &pb.Command_NodeGone{NodeGone: gone}}); err != nil {
		e.Logger.Info("node not declared gone", "node", s.node, "err", err)
	}
	return nil
}

// ask puts a question to the electorate until a majority of it has given an
// answer that counts, and returns those; nil when ctx ends first.
func (e *Engine) ask(ctx context.Context, s suspect, testify bool, counts func(*pb.Answer) bool) []*pb.Answer {
	number, q := e.open(s)
	defer e.close(number)
	inquiry := &pb.Inquiry{
		Leader: e.Self, Number: number, Node: s.node, Epoch: s.epoch,
		Threshold: durationpb.New(s.threshold), Testify: testify,
	}
	for {
		due, next := e.toAsk(q, s, counts)
		for _, id := range due {
			e.put(id, inquiry)
		}
		if got := e.agreed(q, counts); got != nil {
			return got
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-q.news:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// toAsk returns which voters to ask now and when to look again: one that has
// not answered after resend, one that was silent for too short a time when
// that time has passed.
func (e *Engine) toAsk(q *question, s suspect, counts func(*pb.Answer) bool) (due []string, next time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Clock.Now()
	next = resend
	for _, id := range e.applied.voters {
		if id == s.node {
			continue
		}
		at := q.asked[id] + resend
		if a := q.answers[id]; a != nil {
			if counts(a) {
				continue
			}
			at = max(q.asked[id]+time.Millisecond, q.came[id]+s.threshold-a.Silence.AsDuration())
		}
		if _, asked := q.asked[id]; asked && at > now {
			next = min(next, at-now)
			continue
		}
		q.asked[id] = now
		due = append(due, id)
	}
	return due, next
}

func (e *Engine) put(to string, q *pb.Inquiry) {
	if to == e.Self {
		e.receiveInquiry(e.Self, q)
		return
	}
	_ = e.Network.Send(to, &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Inquiry{Inquiry: q}}) // asked again
}

func (e *Engine) open(s suspect) (uint64, *question) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inquest.last++
	q := &question{
		about: s,
		asked: map[string]time.Duration{}, answers: map[string]*pb.Answer{},
		came: map[string]time.Duration{}, news: make(chan struct{}, 1),
	}
	e.inquest.questions[e.inquest.last] = q
	return e.inquest.last, q
}

func (e *Engine) close(number uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.inquest.questions, number)
}

func (e *Engine) agreed(q *question, counts func(*pb.Answer) bool) (list []*pb.Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range e.applied.voters {
		if a := q.answers[id]; a != nil && counts(a) {
			list = append(list, a)
		}
	}
	if !e.applied.majority(len(list)) {
		return nil
	}
	return list
}

func (e *Engine) receiveAnswer(from string, a *pb.Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.inquest.questions[a.Number]
	// Numbers begin anew with each start, so the number alone says too little.
	if q == nil || from != a.Voter || a.Node != q.about.node || a.Epoch != q.about.epoch {
		return
	}
	q.answers[a.Voter], q.came[a.Voter] = a, e.Clock.Now()
	poke(q.news)
}
