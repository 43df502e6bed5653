// Package resources says what a kind of resource is: how it is described,
// checked, started, stopped and watched on one node.
//
// Each kind lives in a package of its own below this one and implements
// [Agent]; optional abilities are small interfaces of their own ([Watcher],
// [Reloader], [Halter], [Asker], [Surveyor], [Stander], [Rehearser], [Contender],
// [Forerunner], [Comparer], [Balancer], [Judge], [Installable], [Tracer]). A [Registry] finds the agent
// for a name, also among those that are installed on the node, a [Family] each. Deciding
// where a resource runs, and whether it may, is not done here.
package resources

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
)

// An Agent starts, stops and monitors resources of one kind on the local node.
//
// Start and Stop are idempotent and return only once Monitor would report the
// new state. Start adopts what already runs as wanted, without a gap. An error
// from Stop means the resource may still be active: it must not start on
// another node before this one is fenced (S5).
type Agent interface {
	// Metadata describes the kind. It never changes and must not be modified.
	Metadata() *pb.AgentMetadata
	// Validate checks the parameters against this node without changing it and
	// returns what the agent would pick by itself, e.g. "interface eth0, from
	// the route 10.0.0.0/24". A wrong parameter is a *[ParameterError].
	Validate(ctx context.Context, r *pb.Resource) (notes []string, err error)
	Start(ctx context.Context, r *pb.Resource) error
	Stop(ctx context.Context, r *pb.Resource) error
	// Monitor returns Unknown only with an error; Unknown is never read as Stopped.
	// A *[Fault] beside another state says why it is that.
	Monitor(ctx context.Context, r *pb.Resource) (State, error)
}

// A Watcher notices a fault when it happens, not at the next monitor.
type Watcher interface {
	// Watch blocks until ctx is canceled while the resource runs here, and
	// calls changed whenever a Monitor might now answer differently, with a
	// sentence that says why ("10.0.0.1 was removed from eth0 by another hand").
	// It may be started before Start has returned. changed does not block.
	Watch(ctx context.Context, r *pb.Resource, changed func(why string)) error
}

// A Promoter runs as promoted or not: its Monitor tells [Promoted] and [FailedPromoted]
// from Running and Failed. Both of its methods are idempotent and return only once
// Monitor would report the new role. An error from Demote means that the resource
// may still be promoted.
type Promoter interface {
	Promote(ctx context.Context, r *pb.Resource) error
	Demote(ctx context.Context, r *pb.Resource) error
}

// A Notifier wants to be told what happens to the other instances of a clone. What
// that is, is in the context: see [Told].
type Notifier interface {
	Notify(ctx context.Context, r *pb.Resource) error
}

// A Reloader takes over changed parameters without a stop.
type Reloader interface {
	Reload(ctx context.Context, r *pb.Resource) error
}

// A Halter can stop at once, without grace, for a node whose lease has ended.
// Agents without it are stopped by Stop.
type Halter interface {
	Halt(ctx context.Context, r *pb.Resource) error
}

// A Detailer says in a few words what it made of a running resource ("eth0").
type Detailer interface {
	Detail(r *pb.Resource) string
}

// An Asker can ask the network whether another host holds, or is about to take,
// what a resource would hold: an address.
type Asker interface {
	// Ask returns the other host that was heard; nil: nobody was. After an error
	// it could not be asked, which must be read as that somebody might be there.
	// What this node holds itself is no answer. Again is for a question that was
	// put in full a moment ago: it is put briefly, to hear what has changed.
	Ask(ctx context.Context, r *pb.Resource, again bool) (*Claim, error)
}

// A Claim is another host's word that something is, or shall be, its own.
type Claim struct {
	By      string // its hardware address
	Asking  bool   // it asks as we do, and holds nothing yet
	Address string
	Link    string // interface on which it was heard
}

func (c *Claim) String() string {
	if c.Asking {
		return fmt.Sprintf("another host, %s on %s, is about to take %s", c.By, c.Link, c.Address)
	}
	return fmt.Sprintf("another host, %s on %s, answers for %s", c.By, c.Link, c.Address)
}

// A Surveyor knows what would keep its resources off this node, without starting
// them, and when that changes.
type Surveyor interface {
	// Survey returns the obstacle that a Start would meet now, or nil. What is
	// wrong with the parameters is no obstacle.
	Survey(r *pb.Resource) *Fault
	// Follow calls changed whenever a Survey might answer differently, until ctx
	// is canceled. changed does not block.
	Follow(ctx context.Context, changed func()) error
}

// A Stander keeps something ready on the nodes that do not run a resource, for the
// day when they do.
type Stander interface {
	// Stand makes this node ready for the resources, all that the cluster has of
	// the kind, and ready for no other. It is called when that may have changed, on
	// every node that may run them; a Start and a Stop see to their own resource.
	Stand(ctx context.Context, all []*pb.Resource) error
}

// A Rehearser is a Stander that hears bit by bit what it needs to take a resource
// over without loss.
type Rehearser interface {
	Stander
	// Rehearse says how far this node is for a resource; nil: it needs to hear nothing.
	Rehearse(r *pb.Resource) *Rehearsal
}

// A Rehearsal is how far a node is.
type Rehearsal struct {
	Since  time.Time     // it has stood without a gap; zero: it does not stand
	Length time.Duration // that it has to stand to be ready
	Text   string        // what it hears, or why it hears nothing
}

// A Contender knows what its resources take of a node that only one can have.
type Contender interface {
	// Contends returns a *[ParameterError] of r when a node that ran both resources
	// would have them take the same, which names it and the other one.
	Contends(r, other *pb.Resource) error
}

// A Forerunner knows what is of no use, or does harm, until its resource runs.
type Forerunner interface {
	// Foreruns says in a sentence why other should start after r; empty: it need not.
	Foreruns(r, other *pb.Resource) (why string)
}

// A Comparer reads things of a node that should be the same on every one: a file.
type Comparer interface {
	// Common returns what is compared, and what it says, line by line, as it
	// matters to the resource. An empty name: there is nothing to compare.
	Common(r *pb.Resource) (what string, lines []string, err error)
}

// A Fault is an error of a Start or a Monitor whose kind is known.
type Fault struct { //nolint:errname // a Survey returns it as well, and there it is no error
	Kind string // stable code of the event that tells of it: carrier-lost, address-removed, …
	Text string // a sentence
	// Obstacle: nothing was begun, or what runs cannot serve, for a cause outside
	// of the resource, and a [Surveyor] tells when it is over. It counts as no
	// failure of the resource.
	Obstacle bool
	// Ban: another try would end as this one did, here or everywhere, until the
	// parameters are others.
	Ban pb.Ban
}

func (f *Fault) Error() string { return f.Text }

// ErrNoLease is returned (wrapped) by a Start that could not serve because the
// node's lease was over by then. It is no failure of the resource.
var ErrNoLease = errors.New("this node holds no lease")

// State is what a monitor found.
type State int

// What a monitor may find.
const (
	Unknown State = iota // could not be found out
	Stopped
	Running
	Failed // active, but not as it should be
	Promoted
	FailedPromoted
)

// Runs reports whether a state is that of something that runs as it should.
func (s State) Runs() bool { return s == Running || s == Promoted }

// IsPromoted reports whether a state is that of something promoted.
func (s State) IsPromoted() bool { return s == Promoted || s == FailedPromoted }

func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case Running:
		return "running"
	case Failed:
		return "failed"
	case Promoted:
		return "promoted"
	case FailedPromoted:
		return "promoted and failed"
	default:
		return "unknown"
	}
}

// A ParameterError says which parameter is wrong, why, and what would be right.
type ParameterError struct {
	Parameter string
	Problem   string
	Fix       string // optional; a full sentence without the final period
	Lines     []int  // of a text: those that are wrong, from 1
}

func (e *ParameterError) Error() string {
	if e.Fix == "" {
		return fmt.Sprintf("parameter %s: %s", e.Parameter, e.Problem)
	}
	return fmt.Sprintf("parameter %s: %s; %s", e.Parameter, e.Problem, e.Fix)
}
