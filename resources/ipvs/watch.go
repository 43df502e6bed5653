package ipvs

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources/check"
)

// reread is how often the table is compared with what is wanted. The kernel tells
// nobody of its changes.
const reread = 2 * time.Second

// A watch looks after one director while it runs.
type watch struct {
	agent  *Agent
	r      *pb.Resource
	hold   *hold
	checks *check.Runner
	round  int // of the hold's targets that the checks have
}

// Watch implements [resources.Watcher]. It also owns the checks: the table follows
// their results while it runs.
func (a *Agent) Watch(ctx context.Context, r *pb.Resource, changed func(why string)) error {
	x := &watch{agent: a, r: r, hold: a.hold(r)}
	x.checks = check.New(check.Config{Changed: func(c check.Result) {
		a.log.Info("server checked", "resource", r.GetId(), "check", c.ID, "state", c.State.String(), "reason", c.Reason)
		signal(x.hold.changed)
	}})
	x.hold.show(x.checks)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = x.checks.Run(ctx) }) // it ends with ctx, and with no other error
	told := newTeller(a, r)
	running.Go(func() { told.Run(ctx) })
	defer func() { told.flush(x.hold.takeNews(), time.Now()) }()
	defer running.Wait()
	defer cancel()
	tick, afresh := time.NewTicker(reread), true
	defer tick.Stop()
	for {
		if err := x.follow(afresh); err != nil {
			a.log.Warn("table is not as it should be", "resource", r.GetId(), "err", err)
			changed(err.Error())
		}
		told.take(x.hold.takeNews(), time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-x.hold.renewed:
			afresh = true
		case <-x.hold.changed:
			afresh = false
		case <-tick.C:
			afresh = true
		}
	}
}

// follow makes the table what the checks say and, if it is to be read afresh, undoes
// what another hand did. To read a large table takes longer than to write one change.
func (x *watch) follow(afresh bool) error {
	h := x.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.active {
		return nil // a Start will say when there is something to do
	}
	if err := x.agent.takeEdit(h); err != nil {
		x.agent.log.Warn("a changed file is not taken over; what it said before stays in force", "resource", x.r.GetId(), "err", err)
	}
	if x.round != h.round {
		if err := x.checks.Set(h.targets); err != nil {
			return err
		}
		x.round = h.round
	}
	h.learn(x.checks.Status())
	k, err := openKernel()
	if err != nil {
		return err
	}
	defer k.close()
	if !afresh && h.table != nil {
		err := x.agent.write(k, h, x.r, h.table, nil)
		if err == nil {
			return nil
		}
		x.agent.log.Info("table is read again", "resource", x.r.GetId(), "err", err)
	}
	keys := h.config.Keys()
	found, err := k.read(func(key Key) bool { return slices.Contains(keys, key) })
	if err != nil {
		return err
	}
	return x.agent.write(k, h, x.r, found, nil)
}

// learn takes over what the checks know. A server of which they know nothing yet
// stays as it was. h.mu is held.
func (h *hold) learn(all []check.Status) {
	known := make(map[string]check.Status, len(all))
	for _, s := range all {
		known[s.ID] = s
	}
	h.known = known
	for _, t := range h.targets {
		switch s := known[t.ID]; s.State {
		case check.Up:
			delete(h.down, Question{t.Server, t.Check})
			h.weigh(Question{t.Server, t.Check}, s.Weight)
		case check.Down:
			h.down[Question{t.Server, t.Check}] = true
		case check.Unknown:
		}
	}
}

// weigh takes over what a check says of a weight. What is published of the weights is
// not modified. h.mu is held.
func (h *hold) weigh(q Question, w check.Weight) {
	if h.standing.weights[q] == w {
		return
	}
	weights := maps.Clone(h.standing.weights)
	if weights == nil {
		weights = Weights{}
	}
	weights[q] = w
	h.standing.weights = weights
}
