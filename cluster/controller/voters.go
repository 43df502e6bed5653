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

// keepVoters makes the electorate follow the nodes' roles, one voter at a
// time, and Raft's configuration follow the electorate.
func (c *Controller) keepVoters(ctx context.Context) error {
	for {
		changed := c.state.Changed()
		next := time.Now().Add(time.Hour)
		err := c.stepVoters(ctx, c.state.Get().State)
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

func (c *Controller) stepVoters(ctx context.Context, st *pb.State) error {
	servers, err := c.servers.Servers()
	if err != nil {
		return err
	}
	if err := c.followMembers(st, servers); err != nil {
		return err
	}
	wanted, change := nextElectorate(st)
	if !change {
		return nil
	}
	_, err = c.log.Propose(ctx, &pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
		FromVersion: st.Electorate.GetVersion(), Voters: wanted,
	}}})
	if err != nil {
		return fmt.Errorf("change electorate: %w", err)
	}
	return nil
}

// nextElectorate returns the electorate one step nearer to the nodes' roles:
// first an admitted voter is added, then one that shall not vote is removed,
// unless the others could then decide nothing.
func nextElectorate(st *pb.State) (voters []string, change bool) {
	now := st.Electorate.GetVoters()
	for _, n := range st.Nodes {
		if votes(n) && n.Admission == pb.Admission_ADMISSION_ADMITTED && !slices.Contains(now, n.Id) {
			return slices.Sorted(slices.Values(append(slices.Clone(now), n.Id))), true
		}
	}
	for i, id := range now {
		if n := state.NodeByID(st, id); n == nil || !votes(n) {
			if rest := slices.Delete(slices.Clone(now), i, i+1); able(st, rest) {
				return rest, true
			}
		}
	}
	return nil, false
}

// able reports whether most of these voters are there. Where they are not, a
// cluster that still works would stand still, and raft might not even recover
// when they return: one that has missed the changes refuses its vote to those
// who became voters by them.
func able(st *pb.State, voters []string) bool {
	there := 0
	for _, id := range voters {
		if state.NodeByID(st, id).GetAdmission() == pb.Admission_ADMISSION_ADMITTED {
			there++
		}
	}
	return 2*there > len(voters)
}

func votes(n *pb.Node) bool {
	return n.Role == pb.Role_ROLE_VOTER || n.Role == pb.Role_ROLE_WITNESS
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
		case !elected && servers[i].Voter && able(st, st.Electorate.GetVoters()):
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
