package api

import (
	"context"
	"slices"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

const (
	// retireTimeout bounds how long a stop waits for the vote to be given back:
	// every node confirms each change of the voters, or must be gone first.
	retireTimeout = 10 * time.Second
	// lookAgain is how often consensus, which tells nobody, is asked who votes.
	lookAgain = 20 * time.Millisecond
)

// retire waits until a stopped node has given its vote back where it may, and
// says whether its machine may be switched off without a loss.
func (s *Server) retire(ctx context.Context, id string, p progress) {
	st := s.state.Get().State
	if n := state.NodeByID(st, id); n == nil || !state.HasVote(n) || state.ShallVote(st, n) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, retireTimeout)
	defer cancel()
	err := s.until(ctx, func(st *pb.State) bool { return !state.Votes(st, id) || !mayRetire(st, id) })
	st = s.state.Get().State
	name := state.NodeName(st, id)
	if err == nil && !state.Votes(st, id) && s.unvoted(ctx, id, name) {
		p.say(name, "gave its vote back and may be switched off")
		return
	}
	p.say(name, "still votes, because others that do are gone: leave it on, or service stops (see `quorate quorum status`)")
}

// mayRetire reports whether a voter is on its way out of the electorate.
func mayRetire(st *pb.State, id string) bool {
	n := state.NodeByID(st, id)
	rest := slices.DeleteFunc(slices.Clone(st.GetElectorate().GetVoters()), func(v string) bool { return v == id })
	return n != nil && !state.ShallVote(st, n) && state.Able(st, rest)
}

// unvoted waits until consensus counts without a node, too. What this node knows
// of that may not be committed yet; an entry that was committed after it tells.
func (s *Server) unvoted(ctx context.Context, id, name string) bool {
	idle := &pb.Event{
		Kind: "node-idle", Node: name, Severity: pb.Severity_SEVERITY_INFO,
		Text: name + " was stopped and may be switched off: nothing runs there, and its vote is not needed",
	}
	for ctx.Err() == nil {
		if !s.counts(id) {
			_, err := s.propose(ctx, &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: []*pb.Event{idle}}}})
			if err == nil && !s.counts(id) {
				return true
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
	return false
}

// counts reports whether consensus may count a node.
func (s *Server) counts(id string) bool {
	voters, err := s.sight.Voters()
	return err != nil || slices.Contains(voters, id)
}
