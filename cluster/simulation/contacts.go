package simulation

import (
	"slices"
	"sync"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Contacts are an account, independent of the lease's own, of which voters have
// answered a process, and so of how long it may serve at most (S3): no lease is
// longer than its length from the arrival of the acks of a majority.
type contacts struct {
	mu          sync.Mutex
	acked       map[string]time.Duration // by voter: the machine's clock at its newest ack
	refused     map[string]uint64        // by voter that has not acked since: the newest epoch that it refused
	electorate  *pb.Electorate           // as applied
	predecessor *pb.Electorate           // until the guard is cut to a new electorate, the old one counts (rule 20)
	length      time.Duration            // of the lease, as applied
}

func newContacts() *contacts {
	return &contacts{acked: map[string]time.Duration{}, refused: map[string]uint64{}}
}

// apply takes over what a process applies of its own state.
func (c *contacts) apply(id string, s *pb.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Electorate.GetVersion() != c.electorate.GetVersion() {
		c.predecessor, c.electorate = c.electorate, s.Electorate
	}
	if n := state.NodeByID(s, id); n != nil {
		c.length = max(n.Lease.AsDuration(), leaseLength)
		if n.ElectorateConfirmed == s.Electorate.GetVersion() {
			c.predecessor = nil
		}
	}
}

// received notes an ack. After a majority of refusals a machine whose clock had
// stood still must fall silent.
func (c *contacts) received(p *process, d *pb.LeaseDatagram) {
	a := d.GetAck()
	if a == nil || a.Node != p.machine.id || a.Nonce != p.nonce {
		return
	}
	epoch, _, _ := p.core.Held()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !a.Refused {
		c.acked[a.Voter] = p.machine.clock.Now()
		delete(c.refused, a.Voter)
		return
	}
	if a.Epoch != epoch {
		return
	}
	c.refused[a.Voter] = epoch
	if p.machine.excused() && c.majority(c.electorate, func(id string) bool { return c.refused[id] == epoch }) {
		clear(c.refused)
		at := p.machine.clock.Now()
		p.machine.world.after(refusedAfter, func() { p.machine.world.judgeRefused(p, epoch, at) })
	}
}

func (c *contacts) majority(e *pb.Electorate, counts func(id string) bool) bool {
	n := 0
	for _, id := range e.GetVoters() {
		if counts(id) {
			n++
		}
	}
	return 2*n > len(e.GetVoters())
}

// latest is the end, on the machine's clock, of the longest lease that the acks
// so far can give. A process acks its own beats.
func (c *contacts) latest(p *process) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.newest(p, c.electorate), c.newest(p, c.predecessor)) + c.length
}

// ackedSince reports whether a majority has acked since a time on the machine's clock,
// as one of another electorate may have, of which the machine did not know then.
func (c *contacts) ackedSince(p *process, at time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.newest(p, c.electorate), c.newest(p, c.predecessor)) >= at
}

// newest is when a majority of an electorate had acked last. c.mu is held.
func (c *contacts) newest(p *process, e *pb.Electorate) time.Duration {
	var times []time.Duration
	for _, id := range e.GetVoters() {
		at := c.acked[id]
		if id == p.machine.id {
			at = p.machine.clock.Now()
		}
		times = append(times, at)
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[(len(times)-1)/2] // as many as a majority are not earlier
}
