package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// RunByHand does what a person asks for outside of all orders, in the resource's turn,
// and tells what that said; with trace, also each command of a script. What it starts
// is served under no right: nothing resumes it, and it is halted with all else when the
// lease ends. Whether two nodes may then run it is the caller's to know.
func (e *Executor) RunByHand(ctx context.Context, r *pb.ExecuteRequest, trace bool) (*pb.RunByHandResponse, error) {
	agent, err := e.agents.Find(r.Resource.GetAgent())
	if err == nil {
		err = resources.Missing(agent)
	}
	if err != nil {
		return nil, err
	}
	u, err := e.unitByHand(r)
	if err != nil {
		return nil, err
	}
	answer := &pb.RunByHandResponse{Resource: r.Resource.Id, Action: r.Operation.Kind}
	var said transcript
	ctx = resources.WithTranscript(resources.WithTold(ctx, r.GetInstancing().GetTold()), &resources.Transcript{Output: &said, Trace: trace})
	op := &pb.Operation{Kind: r.Operation.Kind, Timeout: configuredTimeout(r.Resource, r.Operation.Kind)}
	res := &pb.Result{}
	e.perform(ctx, u, op, agent, res, func(ctx context.Context) (pb.Outcome, error) {
		return e.actByHand(ctx, u, r, agent, answer)
	})
	answer.Outcome, answer.Error, answer.Took, answer.Output = res.Outcome, res.Error, res.Duration, said.String()
	return answer, nil
}

// unitByHand is the unit of a resource that a person does something about.
func (e *Executor) unitByHand(r *pb.ExecuteRequest) (*unit, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx == nil {
		return nil, errors.New("this agent is starting or stopping")
	}
	u := e.unit(r.Resource.Id)
	u.promotable = u.promotable || r.GetInstancing().GetPromotable()
	return u, nil
}

// actByHand does what is asked for. It is called in the resource's turn.
func (e *Executor) actByHand(ctx context.Context, u *unit, r *pb.ExecuteRequest, agent resources.Agent, answer *pb.RunByHandResponse) (pb.Outcome, error) {
	promoter, promotes := agent.(resources.Promoter)
	var err error
	switch r.Operation.Kind {
	case pb.OperationKind_OPERATION_KIND_MONITOR:
		s, err := agent.Monitor(ctx, r.Resource)
		answer.State = s.String()
		return outcome(s, err)
	case pb.OperationKind_OPERATION_KIND_START:
		err = e.startByHand(ctx, u, r.Resource, agent)
	case pb.OperationKind_OPERATION_KIND_STOP:
		if err = agent.Stop(ctx, r.Resource); err == nil {
			e.stoppedByHand(u)
		}
	case pb.OperationKind_OPERATION_KIND_PROMOTE:
		if !promotes {
			return pb.Outcome_OUTCOME_REFUSED, errors.New("this kind of resource cannot be promoted")
		}
		e.promotedByHand(u, true) // from before it may be
		err = promoter.Promote(ctx, r.Resource)
	case pb.OperationKind_OPERATION_KIND_DEMOTE:
		if !promotes {
			return pb.Outcome_OUTCOME_REFUSED, errors.New("this kind of resource cannot be demoted")
		}
		if err = promoter.Demote(ctx, r.Resource); err == nil {
			e.promotedByHand(u, false)
		}
	default:
		return pb.Outcome_OUTCOME_REFUSED, fmt.Errorf("%v is nothing that is done by hand", r.Operation.Kind)
	}
	if err != nil {
		return failure(err), err
	}
	return pb.Outcome_OUTCOME_DONE, nil
}

// startByHand starts a resource while the lease is held, so that it is halted when
// that ends. A start that the end of the lease overtakes is undone.
func (e *Executor) startByHand(ctx context.Context, u *unit, r *pb.Resource, agent resources.Agent) error {
	ctx, interrupt := context.WithCancel(ctx)
	defer interrupt()
	e.mu.Lock()
	_, _, held := e.lease.Held()
	halts, owned := u.halts, u.right != (right{})
	if held && !owned {
		u.resource, u.interrupt = r, interrupt
	}
	e.mu.Unlock()
	if !held {
		return resources.ErrNoLease
	}
	if err := e.warden.Hold(ctx, r, agent, 0); err != nil {
		return err
	}
	err := agent.Start(ctx, r)
	e.mu.Lock()
	if !owned {
		u.interrupt = nil
	}
	lapsed := u.halts != halts
	e.mu.Unlock()
	if lapsed {
		return errors.Join(resources.ErrNoLease, e.halt(u, r, agent))
	}
	return err
}

// stoppedByHand notes that nothing is left to halt of what no right is held to.
func (e *Executor) stoppedByHand(u *unit) {
	e.mu.Lock()
	owned := u.right != (right{})
	if !owned {
		u.resource, u.promoted, u.raised, u.lowered = nil, false, false, false
	}
	e.mu.Unlock()
	if !owned {
		e.warden.Release(u.id)
	}
}

func (e *Executor) promotedByHand(u *unit, promoted bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	u.promoted = promoted
}

// configuredTimeout is how long an operation may take by the resource's own word; nil:
// it says nothing.
func configuredTimeout(r *pb.Resource, kind pb.OperationKind) *durationpb.Duration {
	for _, o := range r.GetOperations() {
		if o.Name == operationNames[kind] && o.Timeout.AsDuration() > 0 {
			return o.Timeout
		}
	}
	return nil
}

// A transcript keeps the beginning and the end of what is written to it.
type transcript struct {
	head, tail bytes.Buffer
	left       int // bytes between them that are not kept
}

// keptOutput is how much of either is kept.
const keptOutput = 64 << 10

func (t *transcript) Write(p []byte) (int, error) {
	n := len(p)
	first := min(n, keptOutput-t.head.Len())
	t.head.Write(p[:first])
	t.tail.Write(p[first:])
	if over := t.tail.Len() - keptOutput; over > 0 {
		t.left += over
		t.tail.Next(over)
	}
	return n, nil
}

func (t *transcript) String() string {
	text := t.head.String()
	if t.left > 0 {
		text += fmt.Sprintf("\n[%d bytes are left out here]\n", t.left)
	}
	return strings.ToValidUTF8(text+t.tail.String(), "\uFFFD")
}
