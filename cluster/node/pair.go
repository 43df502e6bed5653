package node

import (
	"context"
	"time"

	"quorate/cluster/pair"
	pb "quorate/proto/quorate/v1"
)

// newPair makes what lets this node go on alone if it is one of two.
func (k *Core) newPair(c CoreConfig) *pair.Driver {
	return pair.New(pair.Config{
		Self: c.ID, Length: c.Lease, Clock: c.Clock, State: k.foresight, Lease: k.lease, Agents: c.Agents,
		Reach: c.Reach, Fencer: k.fencer, Log: resultLog{k.log}, Logger: c.Log,
		Fork: func(ctx context.Context, peer string, epoch uint64, silence time.Duration) error {
			return k.Fork(ctx, Alone{Peer: peer, PeerEpoch: epoch, Silence: silence, FencedBy: k.fencer.by(peer, epoch)})
		},
	})
}

// Pair says how this node stands with its peer; nil: it is not one of two of
// which either may go on alone.
func (k *Core) Pair() *pb.PairStatus { return k.pair.Status() }

// Known is what this node last knew of the cluster, if that is not known to be
// so any more; else nil.
func (k *Core) Known() *pb.State {
	if k.foresight.Current() {
		return nil
	}
	return k.foresight.stored.State
}

// Confirm takes a person's word that the peer of a pair, which is silent, is off. It
// reports whether this node waited for that.
func (k *Core) Confirm(peer, actor string) bool { return k.fencer.confirm(peer, actor) }

// Unblock lets this node go on although it has not heard its peer since it started.
func (k *Core) Unblock() error { return k.pair.Unblock() }
