package node

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// lapses are the times in which this node's lease was over and then won back
// before anybody found the node gone. Nobody else notices them, but clients of
// what it serves do.
type lapses struct {
	under bool           // one is under way, over something served; rights are told one call after the other
	over  chan time.Time // when one ended that the cluster is to be told of
}

func newLapses() *lapses { return &lapses{over: make(chan time.Time, 1)} }

func (l *lapses) begin(owns bool) { l.under = l.under || owns }

// end tells of the lapse under way, if there is one.
func (l *lapses) end() {
	if l.under {
		select {
		case l.over <- time.Now():
		default: // one will be told of, which came at about the same time
		}
	}
	l.under = false
}

// drop forgets the lapse under way: what became of the node is told otherwise.
func (l *lapses) drop() { l.under = false }

// tellTime bounds how long the cluster is tried to be told.
const tellTime = 10 * time.Second

// tellLapses commits an event for every lapse that has ended, until ctx is
// canceled.
func (k *Core) tellLapses(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case at := <-k.lapses.over:
			k.tellLapse(ctx, at)
		}
	}
}

// tellLapse tells of a lapse when it can: a node that had one may not reach a
// leader yet. The event bears the time at which the lapse ended.
func (k *Core) tellLapse(ctx context.Context, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	name := cmp.Or(state.NodeName(k.store.Get().State, k.id), k.id)
	e := &pb.Event{
		Kind: "lease-regained", Node: name, At: timestamppb.New(at), Severity: pb.Severity_SEVERITY_WARNING,
		Text: "the lease of " + name + " had lapsed and was won back: what it serves was silent for a moment",
	}
	if _, err := k.log.Propose(ctx, &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: []*pb.Event{e}}}}); err != nil {
		k.logger.Info("lapse not told to the cluster", "err", err)
	}
}
