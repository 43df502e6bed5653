package api

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// AddNode makes an authenticated host a member.
func (c clusterService) AddNode(r *pb.AddNodeRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	enrolment, member := c.identity.Cluster()
	if !member {
		return errNoCluster
	}
	if r.Host == nil {
		return invalid("host", "none is given", "")
	}
	if state.NodeByName(c.state.Get().State, r.Host.Name) != nil {
		return &state.Refusal{Code: state.Exists, Field: "host", Problem: r.Host.Name + " is a member already"}
	}
	machines, err := c.survey(stream.Context(), []*pb.HostSpec{r.Host})
	if err != nil {
		return err
	}
	defer closeAll(machines)
	m := machines[0]
	m.node.Role, m.node.Stopped = c.roleFor(r.Role), rests(c.state.Get().State)
	ctx, cancel := c.carryOn(stream.Context())
	defer cancel()
	p := progress{stream}
	if err := c.enrol(ctx, enrolment, m, p); err != nil {
		return err
	}
	if err := c.awaitMembers(ctx, []*pb.Node{m.node}, p); err != nil {
		return err
	}
	return p.end(c.state.Get().Index, "%s is a member", m.node.Name)
}

// rests reports whether all nodes are stopped, as between a setup and the start.
// One that joined them and were not stopped would be the only one at work, and the
// others would give it their votes.
func rests(st *pb.State) bool {
	return !slices.ContainsFunc(st.Nodes, func(n *pb.Node) bool { return !n.Stopped })
}

// roleFor is the role of a new member that was not given one: a voter, while
// there are not enough.
func (s *Server) roleFor(asked pb.Role) pb.Role {
	if asked != pb.Role_ROLE_UNSPECIFIED {
		return asked
	}
	voters := 0
	for _, n := range s.state.Get().State.Nodes {
		if state.HasVote(n) {
			voters++
		}
	}
	if voters >= maxVoters {
		return pb.Role_ROLE_REPLICA
	}
	return pb.Role_ROLE_VOTER
}

// RemoveNode takes a node out of the cluster: it hands its work over, gives its
// vote back, is removed, and then forgets the cluster.
func (c clusterService) RemoveNode(r *pb.RemoveNodeRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	st := c.state.Get().State
	n := state.NodeByName(st, r.Name)
	switch {
	case st.GetClusterId() == "":
		return errNoCluster
	case n == nil:
		return unknownNode(r.Name)
	case len(st.Nodes) == 1:
		return precondition("node", n.Name+" is the only one", "use `quorate cluster destroy`")
	}
	p := progress{stream}
	if n.Id == c.self.Info().ID {
		if err := c.leave(stream.Context(), n, r.Force, p); err != nil {
			return err
		}
		return p.end(0, "%s is removed", n.Name)
	}
	forget, err := c.farewellOf(stream.Context(), n)
	if err != nil && !r.Force {
		return unfinished("node", fmt.Sprintf("%s does not answer (%s)", n.Name, status.Convert(err).Message()),
			"use --force once the machine is known to be off")
	}
	ctx, cancel := c.carryOn(stream.Context())
	defer cancel()
	index, err := c.remove(ctx, n, r.Force, p)
	if err != nil {
		return err
	}
	c.sayFarewell(ctx, n, forget, p)
	return p.end(index, "%s is removed", n.Name)
}

// A forgetter makes one machine forget its cluster.
type forgetter func(context.Context) error

// farewellOf prepares to tell a node that it is removed. The connection must
// stand before: afterwards the node's address and right to answer are gone.
func (s *Server) farewellOf(ctx context.Context, n *pb.Node) (forgetter, error) {
	conn, err := s.dialer.ClientConn(n.Id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if _, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		_, err := pb.NewAgentClient(conn).Forget(ctx, &pb.ForgetRequest{})
		return err
	}, nil
}

// forgetHere makes this machine forget. That ends this server too, which must
// not end the forgetting.
func (s *Server) forgetHere(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return s.self.Forget(ctx)
}

func (s *Server) sayFarewell(ctx context.Context, n *pb.Node, forget forgetter, p progress) {
	if forget == nil {
		p.fail(n.Name, "still holds the cluster's data: use `quorate cluster destroy` there")
		return
	}
	if err := forget(ctx); err != nil {
		p.fail(n.Name, "did not forget the cluster (%s): use `quorate cluster destroy` there", status.Convert(err).Message())
		return
	}
	p.say(n.Name, "forgot the cluster")
}

// remove takes a node out of the state, in steps that each leave a sound
// cluster behind. With force it goes on although the node does not hand over;
// what a live lease holds is never given away (S1).
func (s *Server) remove(ctx context.Context, n *pb.Node, force bool, p progress) (index uint64, err error) {
	if _, err := s.stop(ctx, []*pb.Node{n}, stopTimeout, p); err != nil && !force {
		return 0, err
	}
	if err := s.unvote(ctx, n); err != nil {
		return 0, err
	}
	p.say(n.Name, "votes no more")
	return s.dismiss(ctx, n.Id, force)
}

// unvote makes a node a replica and waits until the electorate follows.
func (s *Server) unvote(ctx context.Context, n *pb.Node) error {
	if state.HasVote(n) {
		if _, err := s.propose(ctx, putNode(&pb.Node{Id: n.Id, Name: n.Name, Role: pb.Role_ROLE_REPLICA})); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, voteTimeout)
	defer cancel()
	err := s.until(ctx, func(st *pb.State) bool { return !state.Votes(st, n.Id) })
	if errors.Is(err, context.DeadlineExceeded) {
		return unfinished("node", n.Name+" still votes: the change of the voters was not confirmed by every node",
			"see `quorate quorum status`; nodes that are off must be gone first")
	}
	return err
}

// dismiss removes a node from the state. One that another hand has removed is as
// good.
func (s *Server) dismiss(ctx context.Context, id string, force bool) (index uint64, err error) {
	applied, err := s.propose(ctx, &pb.Command{Body: &pb.Command_RemoveNode{RemoveNode: &pb.RemoveNode{Node: id, Force: force}}})
	if refused, ok := errors.AsType[*state.Refusal](err); ok && refused.Code == state.NotFound {
		return s.state.Get().Index, nil
	}
	if err != nil {
		return 0, err
	}
	return applied.Index, nil
}

// Destroy makes this node, or every member, forget the cluster.
func (c clusterService) Destroy(r *pb.DestroyRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	e, member := c.identity.Cluster()
	if !member {
		return errNoCluster
	}
	c.logger.Info("destroying the cluster here", "cluster", e.ClusterName, "all", r.All, "actor", callerOf(stream.Context()).actor)
	ctx, cancel := c.carryOn(stream.Context())
	defer cancel()
	p := progress{stream}
	if r.All {
		c.destroyOthers(ctx, p)
	} else {
		c.leaveBehind(ctx, p)
	}
	name := c.self.Info().Name
	if _, member := c.identity.Cluster(); member {
		if err := c.forgetHere(ctx); err != nil {
			return fmt.Errorf("forget the cluster: %w", err)
		}
		p.say(name, "forgot the cluster")
	}
	return p.end(0, "cluster %s is no more%s", e.ClusterName, map[bool]string{false: " on " + name}[r.All])
}

// destroyOthers stops everything where it can and makes the others forget.
func (s *Server) destroyOthers(ctx context.Context, p progress) {
	nodes := s.state.Get().State.Nodes
	if _, err := s.stop(ctx, nodes, stopTimeout, p); err != nil {
		p.fail("", "not everything was stopped in order: %s", status.Convert(toStatus(err)).Message())
	}
	for _, n := range nodes {
		if n.Id == s.self.Info().ID {
			continue
		}
		forget, err := s.farewellOf(ctx, n)
		if err != nil {
			p.fail(n.Name, "does not answer: %s", status.Convert(err).Message())
		}
		s.sayFarewell(ctx, n, forget, p)
	}
}
