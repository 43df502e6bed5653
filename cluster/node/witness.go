package node

import (
	"context"
	"slices"
	"time"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A witness votes and hosts nothing. It may be a small machine far from the
// others, so it had better not lead: it gives leadership away as soon as another
// can take it. It stands for election like all: one that held back would keep its
// vote from the others for as long, for raft has a node refuse its vote while it
// believes in a leader, be that dead.

func isWitness(st *pb.State, id string) bool {
	return state.NodeByID(st, id).GetRole() == pb.Role_ROLE_WITNESS
}

// lookout is how often a witness that leads looks for a successor that has come back.
const lookout = 100 * time.Millisecond

// relinquish has a witness that leads hand leadership to a voter that is heard.
// While none is it leads, and does what a leader does. A transfer to a node that is
// not there would take a second in which nothing can be decided.
func (k *Core) relinquish(ctx context.Context) error {
	tick := time.NewTicker(lookout)
	defer tick.Stop()
	for {
		changed := k.store.Changed()
		if to := k.successor(); to != "" {
			if err := k.raft.TransferLeadershipTo(to); err != nil {
				k.logger.Info("witness goes on leading", "to", state.NodeName(k.store.Get().State, to), "err", err)
			}
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// successor is who should lead in place of this node, if it is a witness: a voter
// that is heard, better one that was not stopped. Raft must know it as a voter too:
// one that does not vote yet would stand for election all the same, and end this
// node's leadership each time before it could get its vote. Empty: nobody.
func (k *Core) successor() string {
	st := k.store.Get().State
	if !isWitness(st, k.id) {
		return ""
	}
	servers, err := k.raft.Servers()
	if err != nil {
		return ""
	}
	best, fresh := "", 2*k.lease.Interval+20*time.Millisecond // the age of the newest beat of one that is there
	for _, n := range st.Nodes {
		elected := state.Votes(st, n.Id) && slices.Contains(servers, consensus.Server{ID: n.Id, Voter: true})
		if n.Role != pb.Role_ROLE_VOTER || !elected || k.lease.Peer(n.Id).Silence > fresh {
			continue
		}
		if best == "" || !n.Stopped && state.NodeByID(st, best).Stopped {
			best = n.Id
		}
	}
	return best
}
