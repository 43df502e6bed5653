package node

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Alone says without whom a node of a pair goes on, and what it knows of that.
type Alone struct {
	Peer      string // node id
	PeerEpoch uint64 // to which this node has testified, durably
	Silence   time.Duration
	FencedBy  string // what switched the peer off since; empty: nothing did
}

// Fork makes this node the only voter and its peer gone, without the peer. It
// returns when that is durable and this node leads; the lease, the guard and the
// executor run on meanwhile. A refusal (a *state.Refusal, or
// consensus.ErrNoPair) has changed nothing. After any other error the state
// tells whether it was done.
func (k *Core) Fork(ctx context.Context, a Alone) error {
	began := time.Now()
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("draw the fork's id: %w", err)
	}
	now := foresee(k.store, k.raft, k.logger).stored
	command := stamp(&pb.Command{Body: &pb.Command_Fork{Fork: &pb.ForkAlone{
		Number: uint64(len(now.State.Forks)) + 1, Id: id.String(), Node: k.id,
		Peer: a.Peer, PeerEpoch: a.PeerEpoch, Silence: durationpb.New(a.Silence), FencedBy: a.FencedBy,
	}}})
	if _, _, err := state.Step(now.State, now.Index+1, command); err != nil {
		return err // before raft is disturbed
	}
	if err := k.raft.Recover(ctx, a.Peer, k.store.Branch(), command); err != nil {
		return fmt.Errorf("go on alone: %w", err)
	}
	k.logger.Warn("this node goes on alone", "peer", state.NodeName(now.State, a.Peer), "fork", id.String(),
		"silence", a.Silence, "took", time.Since(began))
	return nil
}
