package fencing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// An Operator uses devices of one node, as it is ordered.
//
// Of one device one use is under way at a time: many take no more callers than one. A
// test gives way to what must be done.
// An order for what is under way already, for the same fencing, joins it; it goes on
// when its orderer is gone, so that a node is not left between off and on, and what
// became of it is reported then. It ends when it is called off.
type Operator struct {
	catalog Catalog
	report  func(ctx context.Context, r *pb.OperateRequest, answer *pb.OperateResponse)

	mu      sync.Mutex
	ctx     context.Context // of Run; nil before and after
	running sync.WaitGroup
	uses    map[use]*outcome         // under way
	turns   map[string]chan struct{} // by device; holds a token while it is free
}

// A use is what makes two orders the same.
type use struct {
	fencing                uint64
	device, action, target string
}

// An outcome is how a use ended.
type outcome struct {
	done    chan struct{}
	answer  *pb.OperateResponse // set before done is closed
	waiting int                 // orderers
	yield   context.CancelFunc  // ends it
}

// NewOperator makes one that takes no orders until Run. Without a catalog there are
// no devices. What nobody waits for any more is reported, if report is not nil.
func NewOperator(c Catalog, report func(ctx context.Context, r *pb.OperateRequest, answer *pb.OperateResponse)) *Operator {
	return &Operator{catalog: c, report: report, uses: make(map[use]*outcome), turns: make(map[string]chan struct{})}
}

// Run takes orders until ctx is canceled. What is under way then is ended.
func (o *Operator) Run(ctx context.Context) error {
	o.mu.Lock()
	o.ctx = ctx
	o.mu.Unlock()
	<-ctx.Done()
	o.mu.Lock()
	o.ctx = nil
	o.mu.Unlock()
	o.running.Wait()
	return nil
}

// Operate uses a device and returns what became of it. An error says that this is
// not known.
func (o *Operator) Operate(ctx context.Context, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	u, err := o.begin(r)
	if err != nil {
		return nil, err
	}
	select {
	case <-u.done:
		return u.answer, nil
	case <-ctx.Done():
		o.mu.Lock()
		u.waiting--
		o.mu.Unlock()
		return nil, fmt.Errorf("wait for %s by %s: %w", r.Action, r.GetDevice().GetId(), ctx.Err())
	}
}

func (o *Operator) begin(r *pb.OperateRequest) (*outcome, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx == nil || o.catalog == nil {
		return nil, errors.New("this node uses no fencing devices: its agent is starting or stopping")
	}
	key := use{r.Fencing, r.GetDevice().GetId(), r.Action, r.Target}
	if u := o.uses[key]; u != nil && r.Fencing != 0 {
		u.waiting++
		return u, nil
	}
	ctx, cancel := context.WithCancel(o.ctx)
	u := &outcome{done: make(chan struct{}), waiting: 1, yield: cancel}
	if r.Action != Monitor {
		o.endTests(key.device)
	}
	o.uses[key] = u
	turn := o.turn(key.device)
	o.running.Go(func() {
		defer cancel()
		u.answer = o.perform(ctx, turn, r)
		if !o.finish(key, u) && r.Fencing != 0 && o.report != nil && !Yielded(u.answer.Error) {
			o.report(ctx, r, u.answer)
		}
	})
	return u, nil
}

// CallOff ends the uses for fencings of which that is not wanted any more: a machine
// that has been confirmed off, and is switched on by hand, is not to be switched off by
// a device that answers at last.
func (o *Operator) CallOff(wanted func(fencing uint64, action string) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, u := range o.uses {
		if key.fencing != 0 && !wanted(key.fencing, key.action) {
			u.yield()
		}
	}
}

// errYielded is the outcome of a use that was ended: of a test for the sake of a
// fencing, of a fencing that was called off, or of any because the agent ends. It says
// nothing of the device.
var errYielded = errors.New("the device was needed for something else, the fencing was called off, or this agent ends")

// Yielded reports whether an answer says nothing of the device.
func Yielded(answer string) bool { return answer == errYielded.Error() }

// finish answers the orderers, and reports whether there are any.
func (o *Operator) finish(key use, u *outcome) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.uses[key] == u {
		delete(o.uses, key)
	}
	close(u.done)
	return u.waiting > 0
}

// endTests makes way for what must be done. o.mu is held.
func (o *Operator) endTests(device string) {
	for key, u := range o.uses {
		if key.device == device && key.action == Monitor {
			u.yield()
		}
	}
}

func (o *Operator) turn(device string) chan struct{} {
	t := o.turns[device]
	if t == nil {
		t = make(chan struct{}, 1)
		t <- struct{}{}
		o.turns[device] = t
	}
	return t
}

// perform uses the device when it is its turn.
func (o *Operator) perform(ctx context.Context, turn chan struct{}, r *pb.OperateRequest) *pb.OperateResponse {
	began := time.Now()
	select {
	case <-turn:
		defer func() { turn <- struct{}{} }()
	case <-ctx.Done():
		return &pb.OperateResponse{Error: errYielded.Error()}
	}
	t, err := o.catalog.Find(r.GetDevice().GetType())
	if err == nil && t.Missing() != nil {
		return &pb.OperateResponse{Error: t.Missing().Error(), Missing: true}
	}
	if err == nil {
		err = Operate(ctx, t, r.Device, r.Action, r.Target)
	}
	if err != nil && ctx.Err() != nil {
		err = errYielded
	}
	answer := &pb.OperateResponse{Took: durationpb.New(time.Since(began))}
	if err != nil {
		answer.Error = strings.Join(strings.Fields(err.Error()), " ")
	}
	return answer
}
