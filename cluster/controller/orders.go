package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// send brings every committed operation on its way that is not yet, and calls
// off those that the state no longer holds.
func (t *term) send(ctx context.Context, st *pb.State) {
	pending := make(map[uint64]bool)
	for _, op := range st.Operations {
		pending[op.Id] = true
		if t.sent[op.Id] != nil {
			continue
		}
		request := order(st, op)
		if request == nil {
			continue
		}
		orderCtx, cancel := context.WithCancel(ctx)
		t.sent[op.Id] = cancel
		t.group.Go(func() error {
			defer cancel()
			return t.attend(ctx, orderCtx, st, request)
		})
	}
	for id, cancel := range t.sent {
		if !pending[id] {
			cancel()
			delete(t.sent, id)
		}
	}
}

// order makes the order for an operation; nil when its node or resource is no more.
func order(st *pb.State, op *pb.Operation) *pb.ExecuteRequest {
	node, r := state.NodeByID(st, op.Node), state.ResourceByID(st, op.Resource)
	if node == nil || r == nil {
		return nil
	}
	return &pb.ExecuteRequest{Operation: op, Resource: state.Obeying(st, r), Nonce: node.Nonce, Instancing: state.Instancing(st, op.Resource, op.Node)}
}

// attend delivers an order, and tells other instances before and after. The order
// may be called off, and is once its result is known.
func (t *term) attend(ctx, order context.Context, st *pb.State, r *pb.ExecuteRequest) error {
	if !tells(st, r.Operation) {
		return t.deliver(order, r)
	}
	t.announce(order, st, st, r.Operation, before)
	if err := t.deliver(order, r); err != nil {
		return err
	}
	t.announce(ctx, t.state.Get().State, st, r.Operation, after)
	return nil
}

// deliver sends the order until it is answered or called off, and commits the
// answer. A node that does not answer is asked again: the order's id makes
// that harmless. Whether the node is gone is not decided here.
func (t *term) deliver(ctx context.Context, r *pb.ExecuteRequest) error {
	pause := 10 * time.Millisecond
	for ctx.Err() == nil {
		answer, err := t.peers.Execute(ctx, r.Operation.Node, r)
		if err == nil {
			t.refusals.wait(ctx, answer.Result)
			return t.record(ctx, answer.Result)
		}
		t.logger.Debug("order not answered", "operation", r.Operation.Id, "node", r.Operation.Node, "resource", r.Operation.Resource, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 500*time.Millisecond)
	}
	return nil
}

// record commits a result. A refusal means that the operation is no longer
// waited for, which is as good.
func (t *term) record(ctx context.Context, res *pb.Result) error {
	_, err := t.log.Propose(ctx, &pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: res}}})
	var refused *state.Refusal
	switch {
	case err == nil, ctx.Err() != nil:
		return nil
	case errors.As(err, &refused):
		t.logger.Info("result no longer waited for", "operation", res.Operation, "resource", res.Resource, "err", err)
		return nil
	default:
		return fmt.Errorf("record result of %s: %w", res.Resource, err)
	}
}
