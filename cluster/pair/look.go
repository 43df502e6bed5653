package pair

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate/cluster/lease"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// look sees what the next step is decided by. d.mu is held.
func (d *Driver) look(st *pb.State) Sight {
	peer, lost := state.Peer(st, d.Self), state.Lost(st, d.Self)
	d.peer = peer + lost // one of them
	s := Sight{
		Peer: state.NodeName(st, d.peer), Two: peer != "", Alone: lost != "",
		Round: d.round, Forking: d.forking, Failed: d.failed,
	}
	if d.Reach != nil {
		s.Checked, s.Checks = d.Reach.Newest()
	}
	if peer != "" {
		p := d.Lease.Peer(peer)
		s.Last, s.Silence, s.Met = p.Last, p.Silence, p.Last > 0 && d.State.Current() || d.excused
		if n := state.NodeByID(st, peer); n.GetLease() != nil {
			d.machine.Threshold = lease.Threshold(n.Lease.AsDuration())
		}
		if d.fenced(st, peer) {
			s.Fencing = d.fencing(peer, state.NodeByID(st, peer).GetEpoch())
		}
	}
	epoch, _, held := d.Lease.Held()
	s.Held = held
	if s.Two {
		s.Open = d.open(st, epoch, held)
	}
	s.Now = d.Clock.Now() // last: no check is younger
	return s
}

// fenced reports whether the peer is to be fenced before this node goes on alone.
func (d *Driver) fenced(st *pb.State, peer string) bool {
	return d.Fencer != nil && d.Fencer.Configured(st, peer)
}

// fencing asks for the outcome only once it matters: the first question begins.
func (d *Driver) fencing(peer string, epoch uint64) Fencing {
	if d.machine.Phase != Deciding && d.machine.Phase != HeldBack {
		return FencingPending
	}
	return d.Fencer.Fence(peer, epoch)
}

// open lists the addresses that the peer may be serving: those that this node
// does not own under its present lease, unless they are known to be stopped
// everywhere, or will not be taken over anyway.
func (d *Driver) open(st *pb.State, epoch uint64, held bool) []string {
	var ids []string
	for _, r := range st.Resources {
		if d.asker(r) == nil || held && d.owns(st, r.Id, epoch) || idle(st, r.Id) || d.barred(st, r.Id) {
			continue
		}
		ids = append(ids, r.Id)
	}
	return ids // sorted, as the state keeps them
}

func (d *Driver) owns(st *pb.State, resource string, epoch uint64) bool {
	a := state.AssignmentAt(st, resource, d.Self)
	return a != nil && a.Epoch == epoch
}

// idle reports whether nobody owns a resource and it is known to be stopped on
// every node that could run it.
func idle(st *pb.State, resource string) bool {
	if state.AssignmentOf(st, resource) != nil {
		return false
	}
	return !slices.ContainsFunc(st.Nodes, func(n *pb.Node) bool {
		return n.Role != pb.Role_ROLE_WITNESS &&
			state.InstanceOf(st, resource, n.Id).GetState() != pb.InstanceState_INSTANCE_STATE_STOPPED
	})
}

// barred reports whether a constraint keeps a resource off this node, which may
// not even have the interface to ask on.
func (d *Driver) barred(st *pb.State, resource string) bool {
	self, group := state.NodeName(st, d.Self), state.GroupOf(st, resource).GetId()
	return slices.ContainsFunc(st.Constraints, func(c *pb.Constraint) bool {
		l := c.GetLocation()
		return l != nil && l.Node == self && l.Score <= -state.Infinity && (l.Resource == resource || l.Resource == group)
	})
}

// asker is the agent of a resource, if what it holds can be asked for.
func (d *Driver) asker(r *pb.Resource) resources.Asker {
	agent, err := d.Agents.Find(r.Agent)
	if err != nil {
		return nil
	}
	asker, _ := agent.(resources.Asker)
	return asker
}

// askTimeout bounds one round: what takes longer counts as not asked.
const askTimeout = 2 * time.Second

// ask runs one round, all addresses side by side.
func (d *Driver) ask(ctx context.Context, peer string, round Round) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	st := d.State.Get().State
	yields := state.Preferred(st, peer, d.Self)
	findings := make([]Round, len(round.Asked))
	var asking sync.WaitGroup
	for i, id := range round.Asked {
		asking.Go(func() {
			findings[i].Finding, findings[i].Text = d.find(ctx, state.ResourceByID(st, id), yields, false)
		})
	}
	asking.Wait()
	for _, f := range findings {
		if f.Finding > round.Finding {
			round.Finding, round.Text = f.Finding, f.Text
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if round.Number > d.round.Number {
		d.round = round
	}
	d.poke()
}

// find asks for one address. Another host that only asks, as we do, counts if
// it goes first.
func (d *Driver) find(ctx context.Context, r *pb.Resource, yields, again bool) (Finding, string) {
	asker := d.asker(r)
	if r == nil || asker == nil {
		return Unasked, "the resource was deleted meanwhile"
	}
	claim, err := asker.Ask(ctx, r, again)
	switch {
	case err != nil:
		return Unasked, r.Id + " could not be asked for: " + oneLine(err.Error())
	case claim == nil, claim.Asking && !yields:
		return Free, ""
	default:
		return Taken, claim.String() + " (" + r.Id + ")"
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Clear asks, before a resource starts here, whether another host has its
// address, while the peer may be serving it. An error names that host. It is
// returned late: whoever ordered the start will order it again.
//
// While the peer is heard nobody is asked, and the start must be done under the
// lease that the peer's acks give: its context ends before this node keeps its
// lease by itself, when the peer may ask for the address and find it free.
func (d *Driver) Clear(ctx context.Context, r *pb.Resource) (context.Context, context.CancelFunc, error) {
	ctx, done := context.WithCancel(ctx)
	st := d.State.Get().State
	d.mu.Lock()
	cautious, peer, asked := d.machine.Phase.Cautious(), d.peer, d.justAsked(r)
	if !cautious && d.asker(r) != nil {
		done = d.trust(done)
	}
	d.mu.Unlock()
	if !cautious || d.asker(r) == nil {
		return ctx, done, nil
	}
	return ctx, done, d.inquire(ctx, st, r, peer, asked)
}

// inquire has the LAN asked for a resource that is about to start.
func (d *Driver) inquire(ctx context.Context, st *pb.State, r *pb.Resource, peer string, asked bool) error {
	again := time.NewTimer(Again)
	defer again.Stop()
	finding, text := d.find(ctx, r, state.Preferred(st, peer, d.Self), asked)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if finding == Free {
		d.cleared(r)
		return nil
	}
	d.claimed(st, r, text)
	select {
	case <-again.C:
	case <-ctx.Done():
	}
	return errors.New(text)
}

// trust keeps a start that nobody was asked about, until it is done. d.mu is held.
func (d *Driver) trust(end context.CancelFunc) (done context.CancelFunc) {
	d.trusts++
	number := d.trusts
	d.trusted[number] = end
	return func() {
		d.mu.Lock()
		delete(d.trusted, number)
		d.mu.Unlock()
		end()
	}
}

// distrust ends the starts that nobody was asked about, once the peer is silent.
// d.mu is held.
func (d *Driver) distrust() {
	for _, end := range d.trusted {
		end()
	}
	clear(d.trusted)
}

// justAsked reports whether the round that let this node go on asked for a
// resource a moment ago, so that it is enough to ask what has changed since.
// d.mu is held.
func (d *Driver) justAsked(r *pb.Resource) bool {
	return d.round.Finding == Free && slices.Contains(d.round.Asked, r.Id) && d.Clock.Now()-d.round.Began < Again
}
