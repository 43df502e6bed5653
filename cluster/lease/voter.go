package lease

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// A voter is what this node knows of others' beats. Engine.mu guards it: a
// receipt is noted, and a testimony is checked and marked, in one step.
type voter struct {
	ready     bool                     // marks are loaded; before that nothing is acked
	heard     map[string]time.Duration // clock at the last receipt of any epoch, by node id
	seen      map[string]time.Duration // clock at the last datagram of any kind, by node id
	vouched   time.Duration            // clock when the newest check that succeeded began
	listening time.Duration            // clock since when receipts are complete (rule 12)
	ticked    time.Duration            // clock at the last sign that this process runs
	marks     map[string]uint64        // highest epoch testified to, by what about returns
	durable   map[string]uint64        // the same, as on disk
}

// A testimony waits for the disk before it is given.
type testimony struct {
	node    string
	about   string
	epoch   uint64
	silence time.Duration

	inquiry *pb.Inquiry // the leader's, which it answers
	stored  chan error  // or who waits for it; has room for one
}

// loadMarks reads the testimonies of earlier starts, before the first ack (rule 13).
func (e *Engine) loadMarks() error {
	marks, err := e.Marks.Load()
	if err != nil {
		return fmt.Errorf("load testimonies: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	v := &e.voter
	v.durable = make(map[string]uint64)
	for id, epoch := range marks {
		v.marks[id], v.durable[id] = epoch, epoch
	}
	v.listening = e.Clock.Now()
	v.ticked = v.listening
	v.ready = true
	return nil
}

// receiveBeat notes the receipt, then acks, unless this voter has testified to
// that epoch or applied a later one (rule 8).
func (e *Engine) receiveBeat(from string, b *pb.Beat) {
	if from != b.Node {
		return
	}
	e.mu.Lock()
	v := &e.voter
	if !v.ready {
		e.mu.Unlock()
		return
	}
	e.tick()
	marked := v.marks[e.about(b.Node)]
	refused := marked >= b.Epoch || e.applied.nodes[b.Node].epoch > b.Epoch
	if !refused {
		v.heard[b.Node] = e.Clock.Now()
	}
	e.mu.Unlock()
	ack := &pb.Ack{Node: b.Node, Epoch: b.Epoch, Nonce: b.Nonce, Seq: b.Seq, Voter: e.Self, Refused: refused}
	if marked == b.Epoch {
		ack.MarkedEpoch = marked
	}
	_ = e.Network.Send(from, &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Ack{Ack: ack}}) // lost is lost
}

// about names what a mark is about: a node, since it last went on alone. A fork
// ends what older marks about the node could protect: from it on its lease needs
// no other's ack, and who marked it, to go on alone itself or for a leader that
// is none any more, follows its log now. Refusing that epoch still would cost the
// node its lease as soon as the other one votes again. Marks about others are
// kept: the one who forked relies on its own. e.mu is held.
func (e *Engine) about(node string) string { return e.applied.about(node) }

func (a *applied) about(node string) string {
	if id := a.nodes[node].fork; id != "" {
		return node + "@" + id
	}
	return node
}

// see notes a sign of life.
func (e *Engine) see(from string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.voter.seen[from] = e.tick()
}

// silence is how long nothing was received from a node. If this process stood
// still, what it would have received may be waiting unread, so silence is
// counted anew (rule 12). e.mu is held.
func (e *Engine) silence(id string) time.Duration {
	now := e.tick()
	return now - max(e.voter.heard[id], e.voter.listening)
}

// tick notes that this process runs, and whether it stood still. It is called
// with every beat that is sent or received, so no timer of its own is needed.
// e.mu is held.
func (e *Engine) tick() time.Duration {
	now, v := e.Clock.Now(), &e.voter
	if now-v.ticked > e.Interval+e.Length/4 {
		v.listening = now
	}
	v.ticked = now
	return now
}

// receiveInquiry answers how long a node was silent, or testifies to it.
func (e *Engine) receiveInquiry(from string, q *pb.Inquiry) {
	e.mu.Lock()
	v := &e.voter
	if !v.ready || q.Node == e.Self || q.Leader != from {
		e.mu.Unlock()
		return
	}
	silence := e.silence(q.Node)
	answer := &pb.Answer{Voter: e.Self, Number: q.Number, Node: q.Node, Epoch: q.Epoch, Silence: durationpb.New(silence)}
	n := e.applied.nodes[q.Node]
	long := silence >= max(q.Threshold.AsDuration(), Threshold(n.length))
	if q.Testify && long && n.epoch <= q.Epoch {
		about := e.about(q.Node)
		v.marks[about] = max(v.marks[about], q.Epoch) // from here on no ack (rule 13)
		e.mu.Unlock()
		select {
		case e.saves <- testimony{node: q.Node, about: about, epoch: q.Epoch, silence: silence, inquiry: q}:
		default: // the leader asks again
		}
		return
	}
	e.mu.Unlock()
	e.reply(from, answer)
}

func (e *Engine) reply(to string, a *pb.Answer) {
	if to == e.Self {
		e.receiveAnswer(e.Self, a)
		return
	}
	_ = e.Network.Send(to, &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Answer{Answer: a}}) // the leader asks again
}

// saveLoop makes testimonies durable, then gives them.
func (e *Engine) saveLoop(ctx context.Context) error {
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-e.saves:
			err := e.save(t)
			if err != nil && !failing { // the leader asks many times a second
				e.Logger.Error("testimony not stored", "node", t.node, "err", err)
			}
			failing = err != nil
			e.give(t, err)
		}
	}
}

// save stores a testimony unless it, or a later one, is on disk already.
func (e *Engine) save(t testimony) error {
	e.mu.Lock()
	stored := e.voter.durable[t.about] >= t.epoch
	e.mu.Unlock()
	if stored {
		return nil
	}
	if err := e.Marks.Save(t.about, t.epoch); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.voter.durable[t.about] = max(e.voter.durable[t.about], t.epoch)
	return nil
}

// give tells who asked. A leader whose question was not answered asks again.
func (e *Engine) give(t testimony, err error) {
	if t.stored != nil {
		t.stored <- err
		return
	}
	if q := t.inquiry; err == nil {
		e.reply(q.Leader, &pb.Answer{
			Voter: e.Self, Number: q.Number, Node: q.Node, Epoch: q.Epoch,
			Silence: durationpb.New(t.silence), Testified: true,
		})
	}
}
