package resources

import (
	"context"

	pb "quorate/proto/quorate/v1"
)

// A Judge has traits that depend on the resource: how long its own stop takes.
type Judge interface {
	Traits(r *pb.Resource) *pb.Traits
}

// Traits returns what the scheduler must know of a resource: what its agent says
// of it, else what the agent says of its kind.
func Traits(a Agent, r *pb.Resource) *pb.Traits {
	if j, ok := a.(Judge); ok {
		return j.Traits(r)
	}
	return a.Metadata().GetTraits()
}

// An Installable runs something that has to be installed on the node.
type Installable interface {
	// Missing returns why it cannot be run here; nil: it can.
	Missing() error
}

// Missing returns why an agent's resources cannot run on this node, whatever
// their parameters. What is built in is never missing.
func Missing(a Agent) error {
	if i, ok := a.(Installable); ok {
		return i.Missing()
	}
	return nil
}

type toldKey struct{}

// WithTold returns a context in which an agent is told more of its resource than
// the resource says: of the clone that it is in. For a script, each name stands
// behind OCF_RESKEY_CRM_meta_.
func WithTold(ctx context.Context, told map[string]string) context.Context {
	if len(told) == 0 {
		return ctx
	}
	return context.WithValue(ctx, toldKey{}, told)
}

// Told returns what an agent is told beside its resource.
func Told(ctx context.Context) map[string]string {
	told, _ := ctx.Value(toldKey{}).(map[string]string)
	return told
}

type recurringKey struct{}

// Recurring returns a context in which Monitor is the recurring monitor that an
// operation configures. In any other it is a probe.
func Recurring(ctx context.Context, o *pb.OperationSpec) context.Context {
	return context.WithValue(ctx, recurringKey{}, o)
}

// RecurringIn returns the operation that configured the monitor of this context;
// nil: it is a probe.
func RecurringIn(ctx context.Context) *pb.OperationSpec {
	o, _ := ctx.Value(recurringKey{}).(*pb.OperationSpec)
	return o
}
