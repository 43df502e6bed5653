// Package executor runs the operations of one node: starts, stops, probes,
// reloads and recurring monitors.
//
// It keeps the node's rights. A right to serve a resource is (epoch,
// assignment), given by a start order under a held lease of the same epoch; a
// newer assignment, a stop order, or the end of the epoch ends it (lease
// protocol, rules 6, 21 and 22). Rights live in memory only.
//
// Operations on one resource run one at a time; those of different resources
// never wait for each other. When the lease ends, everything that holds a
// right is halted at once, whatever its operation is doing (S3).
package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A Lease tells whether this node may serve now.
type Lease interface {
	// Held returns the epoch under which the lease is held at this moment.
	Held() (epoch uint64, deadline time.Duration, ok bool)
}

// A Log commits commands, through the leader.
type Log interface {
	Propose(ctx context.Context, c *pb.Command) error
}

// Agents finds the agent for a resource.
type Agents interface {
	Find(name string) (resources.Agent, error)
}

// A Warden stops what runs here when the lease is over and this process cannot.
type Warden interface {
	// Hold tells it of a resource that is about to start. After an error it must not
	// start; a *[resources.Fault] says what is in the way.
	Hold(ctx context.Context, r *pb.Resource, agent resources.Agent, watchdog time.Duration) error
	// Halting tells it that this process stops the resource, within a time from now.
	Halting(r *pb.Resource, within time.Duration)
	// Release tells it that the resource runs no more.
	Release(resource string)
	// Stuck tells it that the resource could not be stopped. Where it needs a watchdog,
	// that resets the machine.
	Stuck(resource string)
}

// Clear is asked before a resource starts. An error says what is in the way: nothing
// is started then, and that is no failure of the resource. Else the start has the
// context that is returned, which ends when it is not clear any more. After it, done
// is called.
type Clear func(ctx context.Context, r *pb.Resource) (start context.Context, done context.CancelFunc, err error)

// Config is what an Executor is made of.
type Config struct {
	Node   string // id of this node
	Nonce  uint64 // of this agent start; orders to an older one are refused
	Lease  Lease
	Log    Log
	Agents Agents
	Clear  Clear  // nil: nothing is ever in the way
	Warden Warden // nil: none
	Logger *slog.Logger
}

// Executor runs this node's operations.
type Executor struct {
	node   string
	nonce  uint64
	lease  Lease
	log    Log
	agents Agents
	clear  Clear
	warden Warden
	logger *slog.Logger

	mu      sync.Mutex
	ctx     context.Context // of Run; nil before and after
	running sync.WaitGroup  // all operations, watches and halts
	turned  chan struct{}   // closed at the next turn of the lease
	units   map[string]*unit
	orders  map[orderKey]*order // under way, or done lately
	done    []orderKey          // the finished ones, oldest first
}

// noWarden is where nothing stops what runs but this process.
type noWarden struct{}

func (noWarden) Hold(context.Context, *pb.Resource, resources.Agent, time.Duration) error { return nil }
func (noWarden) Halting(*pb.Resource, time.Duration)                                      {}
func (noWarden) Stuck(string)                                                             {}
func (noWarden) Release(string)                                                           {}

// keptOrders is how many results are remembered for a leader that asks again.
const keptOrders = 1024

// New makes an executor. It refuses orders until Run.
func New(c Config) *Executor {
	if c.Warden == nil {
		c.Warden = noWarden{}
	}
	return &Executor{
		node: c.Node, nonce: c.Nonce, lease: c.Lease, log: c.Log, agents: c.Agents, clear: c.Clear, warden: c.Warden, logger: c.Logger,
		turned: make(chan struct{}), units: make(map[string]*unit), orders: make(map[orderKey]*order),
	}
}

// Run accepts orders until ctx is canceled, and returns when the operations
// under way have ended. What is served stays as it is: the node's lease, not
// this agent's life, decides how long.
func (e *Executor) Run(ctx context.Context) error {
	e.mu.Lock()
	e.ctx = ctx
	e.mu.Unlock()
	<-ctx.Done()
	e.mu.Lock()
	e.ctx = nil
	e.mu.Unlock()
	e.running.Wait()
	return nil
}

// An orderKey tells one operation from another. Its number alone does not: of two
// logs that went apart the second gives the numbers of the first out again.
type orderKey struct {
	id, epoch, assignment uint64
	kind                  pb.OperationKind
	resource              string
	since                 int64 // Unix time in nanoseconds, by who proposed it
}

func keyOf(o *pb.Operation) orderKey {
	return orderKey{o.Id, o.Epoch, o.Assignment, o.Kind, o.Resource, o.Since.AsTime().UnixNano()}
}

// An order is one operation that the leader asked for.
type order struct {
	finished chan struct{}
	result   *pb.Result // set before finished is closed
}

// Execute runs the operation, or joins it when it is under way already, or
// repeats its result when it is done. If ctx ends first the operation goes on.
func (e *Executor) Execute(ctx context.Context, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	o, err := e.accept(r)
	if err != nil {
		return nil, err
	}
	select {
	case <-o.finished:
		return &pb.ExecuteResponse{Result: o.result}, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for operation %d: %w", r.Operation.Id, ctx.Err())
	}
}

// accept starts the operation unless it is known already.
//
// An order to another start of the agent gets no answer (rule 21). To refuse it
// would say that nothing was done, and the other start may have done it: what it
// served may go on, by a lease that outlives it (rule 25). This start's own
// epoch ends the order.
func (e *Executor) accept(r *pb.ExecuteRequest) (*order, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.ctx == nil:
		return nil, errors.New("this agent takes no orders: it is starting or stopping")
	case r.Nonce != e.nonce:
		return nil, errors.New("the order is for another start of this agent, which alone knows what became of it")
	}
	key := keyOf(r.Operation)
	if known := e.orders[key]; known != nil {
		return known, nil
	}
	o := &order{finished: make(chan struct{})}
	e.orders[key] = o
	u := e.unit(r.Resource.Id)
	job, refusal := u.take(e, r)
	ctx := e.ctx
	e.running.Go(func() {
		o.result = e.result(r, refusal)
		if refusal == "" {
			job(ctx, o.result)
		}
		e.finish(key, o)
	})
	return o, nil
}

// finish publishes the order's result.
func (e *Executor) finish(key orderKey, o *order) {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(o.finished)
	e.done = append(e.done, key)
	if len(e.done) > keptOrders {
		delete(e.orders, e.done[0])
		e.done = e.done[1:]
	}
}

func (e *Executor) result(r *pb.ExecuteRequest, refusal string) *pb.Result {
	res := &pb.Result{
		Operation: r.Operation.Id, Kind: r.Operation.Kind, Resource: r.Operation.Resource,
		Node: e.node, Epoch: r.Operation.Epoch, Assignment: r.Operation.Assignment,
		Revision: r.Resource.Revision, Restart: r.Resource.Restart,
	}
	if refusal != "" {
		res.Outcome, res.Error = pb.Outcome_OUTCOME_REFUSED, refusal
	}
	return res
}

// unit returns the resource's unit, made at first use. e.mu is held.
func (e *Executor) unit(id string) *unit {
	u := e.units[id]
	if u == nil {
		u = newUnit(id)
		e.units[id] = u
	}
	return u
}

// Owns reports whether this node has a right to serve anything.
func (e *Executor) Owns() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.units {
		if u.right != (right{}) {
			return true
		}
	}
	return false
}

// Alive returns when the executor's lock could be taken: a watchdog's question.
func (e *Executor) Alive() {
	e.mu.Lock()
	defer e.mu.Unlock()
}
