package controller

import (
	"context"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
)

// refusals are when a node last refused an order, by what the order was.
//
// A node refuses what it cannot do at the moment, as to promote what has just died
// there, and knows why before the leader does. The leader, to whom nothing has changed,
// orders it again. The first refusal has it think again at once, since most come of
// orders that crossed something; each that follows has it wait, or it would do nothing
// else and fill the log.
type refusals struct {
	mu sync.Mutex
	at map[asked]time.Time
}

type asked struct {
	kind           pb.OperationKind
	resource, node string
}

// wait waits, after a refusal that soon followed another of the same, until retry has
// passed since that one, or ctx ends. Other results are not waited for.
func (r *refusals) wait(ctx context.Context, res *pb.Result) {
	if res.Outcome != pb.Outcome_OUTCOME_REFUSED {
		return
	}
	key := asked{res.Kind, res.Resource, res.Node}
	timer := time.NewTimer(time.Until(r.last(key).Add(retry)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[key] = time.Now()
}

func (r *refusals) last(key asked) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[key]
}
