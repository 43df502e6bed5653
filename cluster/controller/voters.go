package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Servers is Raft's own configuration. It follows the electorate, which leases
// are counted by.
type Servers interface {
	Servers() ([]consensus.Server, error)
	AddReplica(id string) error
	AddVoter(id string) error
	DemoteVoter(id string) error
	RemoveServer(id string) error
}

// keepVoters makes the electorate follow the nodes' roles and what becomes of
// them, one voter at a time, and Raft's configuration follow the electorate.
func (c *Controller) keepVoters(ctx context.Context) error {
	for {
		changed := c.state.Changed()
		next, err := c.stepVoters(ctx, c.state.Get().State)
		next = earliest(next, time.Now().Add(time.Hour))
		var refused *state.Refusal
		switch {
		case err == nil:
		case Deposed(err):
			return err
		case errors.As(err, &refused): // a node has yet to confirm the last change
			c.logger.Debug("electorate not changed yet", "err", err)
		default:
			c.logger.Info("voters not changed yet", "err", err)
			next = time.Now().Add(retry)
		}
		if err := sleep(ctx, changed, next); err != nil {
			return err
		}
	}
}

// stepVoters goes one step, and returns when time alone may bring the next.
func (c *Controller) stepVoters(ctx context.Context, st *pb.State) (due time.Time, err error) {
	servers, err := c.servers.Servers()
	if err != nil {
		return due, err
	}
	if err := c.followMembers(st, servers); err != nil {
		return due, err
	}
	wanted, change, due := nextElectorate(st, time.Now())
	if !change {
		return due, nil
	}
	_, err = c.log.Propose(ctx, &pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
		FromVersion: st.Electorate.GetVersion(), Voters: wanted,
	}}})
	if err != nil {
		return due, fmt.Errorf("change electorate: %w", err)
	}
	return due, nil
}

// nextElectorate returns the electorate one step nearer to what it is to be:
// first an admitted voter is added, then one is removed that shall not vote, or
// was dead for too long, unless the others could then decide nothing. It also
// returns when time alone may change that; zero: never.
func nextElectorate(st *pb.State, now time.Time) (voters []string, change bool, due time.Time) {
	voters = st.Electorate.GetVoters()
	for _, n := range st.Nodes {
		if state.ShallVote(st, n) && n.Admission == pb.Admission_ADMISSION_ADMITTED && !slices.Contains(voters, n.Id) {
			return slices.Sorted(slices.Values(append(slices.Clone(voters), n.Id))), true, due
		}
	}
	for i, id := range voters {
		n := state.NodeByID(st, id)
		if n != nil && state.ShallVote(st, n) {
			at := state.Forfeit(st, n)
			if at.IsZero() || now.Before(at) {
				due = earliest(due, at)
				continue
			}
		}
		if rest := slices.Delete(slices.Clone(voters), i, i+1); state.Able(st, rest) {
			return rest, true, due
		}
	}
	return nil, false, due
}

// followMembers makes Raft's servers the members, and its voters the electorate.
func (c *Controller) followMembers(st *pb.State, servers []consensus.Server) error {
	for _, n := range st.Nodes {
		i := slices.IndexFunc(servers, func(s consensus.Server) bool { return s.ID == n.Id })
		elected := slices.Contains(st.Electorate.GetVoters(), n.Id)
		var err error
		switch {
		case i < 0:
			err = c.servers.AddReplica(n.Id)
		case elected && !servers[i].Voter:
			err = c.servers.AddVoter(n.Id)
		case !elected && servers[i].Voter && state.Able(st, st.Electorate.GetVoters()):
			err = c.servers.DemoteVoter(n.Id)
		}
		if err != nil {
			return err
		}
	}
	for _, s := range servers {
		if state.NodeByID(st, s.ID) == nil {
			if err := c.servers.RemoveServer(s.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
