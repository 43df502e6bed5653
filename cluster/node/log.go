package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/consensus"
	"quorate/cluster/lease"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// level is the feature level of the commands this build proposes.
const level = 1

// stamp marks a command with what only its proposer knows.
func stamp(c *pb.Command) *pb.Command {
	c.Level = level
	c.ProposedAt = timestamppb.Now()
	return c
}

// A log commits commands from any member: on the leader by itself, elsewhere
// by asking the leader.
type log struct {
	self  string
	raft  *consensus.Node
	peers Peers
}

// Propose commits a command. While no leader is known it waits for one until
// ctx ends. It asks again only when the command was certainly not taken; when
// that is unknown it returns consensus.ErrUnknown.
func (l *log) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	for {
		changed := l.raft.LeaderChanged()
		applied, err := l.propose(ctx, c)
		var other *consensus.NotLeaderError
		if !errors.As(err, &other) {
			return applied, err
		}
		if err := await(ctx, changed, err); err != nil {
			return nil, err
		}
	}
}

// await waits for another leader. A short time also will do: the change may
// have come between the question and its answer.
func await(ctx context.Context, changed <-chan struct{}, cause error) error {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-changed:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
}

func (l *log) propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	leader, ok := l.raft.Leader()
	if ok && leader != l.self {
		return l.forward(ctx, leader, c)
	}
	return localLog{l.raft}.Propose(ctx, c)
}

// forwardTimeout bounds how long a leader may take to answer. One that was cut
// off does not answer at all, and another is elected long before.
const forwardTimeout = 2 * time.Second

// forward asks the leader. Of a command that can be asked again without harm its
// answer is not waited for once another leads.
func (l *log) forward(ctx context.Context, leader string, c *pb.Command) (*state.Applied, error) {
	forwarding, cancel := context.WithTimeout(ctx, forwardTimeout)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	if c.Request != nil {
		watching.Go(func() {
			l.succeeded(forwarding, leader)
			cancel()
		})
	}
	answer, err := l.peers.Propose(forwarding, leader, &pb.ProposeRequest{Command: stamp(c)})
	if err != nil && forwarding.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("%w: the leader did not answer", consensus.ErrUnknown)
	}
	if err != nil {
		return nil, err
	}
	return &state.Applied{Index: answer.Index, Operations: answer.Operations}, nil
}

// succeeded waits until another one leads, or ctx ends.
func (l *log) succeeded(ctx context.Context, leader string) {
	for {
		changed := l.raft.LeaderChanged()
		if now, ok := l.raft.Leader(); ok && now != leader {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// A localLog commits commands only while this node leads.
type localLog struct{ raft *consensus.Node }

func (l localLog) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	answer, err := l.raft.Propose(ctx, stamp(c))
	if err != nil {
		return nil, err
	}
	applied, ok := answer.(*state.Applied)
	if !ok {
		return nil, fmt.Errorf("command was answered by a %T", answer)
	}
	return applied, nil
}

// A voterLog changes the electorate only once this node's lease outlasts that.
// Else the return of the second of two voters would cost the first all that it
// served in between.
type voterLog struct {
	localLog
	lease *lease.Engine
}

// heedTimeout is how long a new voter may take to ack beats. One that never does
// could be no voter either.
const heedTimeout = time.Second

func (l voterLog) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	if e := c.GetSetElectorate(); e != nil {
		if err := l.heeded(ctx, e.Voters); err != nil {
			return nil, err
		}
	}
	return l.localLog.Propose(ctx, c)
}

// heeded waits until the voters ack this node's beats. Those that never will, as
// they have testified to its epoch, ack the next one.
func (l voterLog) heeded(ctx context.Context, voters []string) error {
	ctx, cancel := context.WithTimeout(ctx, heedTimeout)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !l.lease.Outlasts(voters) {
		select {
		case <-look.C:
		case <-ctx.Done():
			l.lease.Renew(voters)
			return fmt.Errorf("the new voters do not ack beats yet: %w", ctx.Err())
		}
	}
	return nil
}

// A resultLog is a log whose answers are of no interest.
type resultLog struct{ *log }

func (l resultLog) Propose(ctx context.Context, c *pb.Command) error {
	_, err := l.log.Propose(ctx, c)
	return err
}

// leaseLog lets the lease, which is made before the log, commit commands.
type leaseLog struct{ core *Core }

func (l leaseLog) Propose(ctx context.Context, c *pb.Command) error {
	_, err := l.core.log.Propose(ctx, c)
	return err
}

// orders brings the leader's orders to a member, itself included.
type orders struct {
	core  *Core
	peers Peers
}

func (o orders) Execute(ctx context.Context, node string, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	if node == o.core.id {
		return o.core.Execute(ctx, r)
	}
	return o.peers.Execute(ctx, node, r)
}

func (o orders) Operate(ctx context.Context, node string, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	if node == o.core.id {
		return o.core.Operate(ctx, r)
	}
	return o.peers.Operate(ctx, node, r)
}
