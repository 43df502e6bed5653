package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"quorate/cluster/identity"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

const (
	setupTimeout = 3 * time.Minute
	voteTimeout  = time.Minute // for a new member to catch up and vote
	maxVoters    = 7           // further members are replicas
)

// Setup makes a cluster of the named hosts, this one among them. All of them
// are looked at before any is changed.
func (c clusterService) Setup(r *pb.SetupRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	machines, err := c.checkSetup(stream.Context(), r)
	if err != nil {
		return err
	}
	defer closeAll(machines)
	ctx, cancel := c.carryOn(stream.Context())
	defer cancel()
	p := progress{stream}
	if err := c.found(ctx, r, machines[0], p); err != nil {
		return err
	}
	enrolment, _ := c.identity.Cluster()
	for _, m := range machines[1:] {
		if err := c.enrol(ctx, enrolment, m, p); err != nil {
			return fmt.Errorf("cluster %s exists, but %s is not in it; use `quorate cluster node add %s` later: %w",
				r.Name, m.node.Name, m.node.Name, err)
		}
	}
	if err := c.awaitMembers(ctx, nodesOf(machines), p); err != nil {
		return err
	}
	if !r.Start {
		return p.end(c.state.Get().Index, "cluster %s is set up; `quorate cluster start --all` lets it take work", r.Name)
	}
	index, err := c.start(ctx, c.state.Get().State.Nodes, p)
	if err != nil {
		return err
	}
	return p.end(index, "cluster %s is set up and started", r.Name)
}

// checkSetup finds everything that stands against the setup, while nothing is
// changed (S8).
func (s *Server) checkSetup(ctx context.Context, r *pb.SetupRequest) ([]*machine, error) {
	info := s.self.Info()
	if e, member := s.identity.Cluster(); member {
		return nil, inCluster(info.Name, e.ClusterName)
	}
	if len(r.Hosts) == 0 {
		return nil, invalid("host", "none is given", "name the hosts of the cluster, this one among them")
	}
	for _, name := range r.Witnesses {
		if !slices.ContainsFunc(r.Hosts, func(h *pb.HostSpec) bool { return h.Name == name }) {
			return nil, invalid("witness", name+" is not among the hosts", "name it there too")
		}
	}
	machines, err := s.survey(ctx, r.Hosts)
	if err != nil {
		return nil, err
	}
	if err := ownFirst(info, machines); err != nil {
		closeAll(machines)
		return nil, err
	}
	for i, m := range machines {
		m.node.Stopped = !r.Start
		m.node.Role = pb.Role_ROLE_VOTER
		switch {
		case slices.Contains(r.Witnesses, m.node.Name):
			m.node.Role = pb.Role_ROLE_WITNESS
		case i >= maxVoters:
			m.node.Role = pb.Role_ROLE_REPLICA
		}
	}
	if err := rehearseSetup(r, machines); err != nil {
		closeAll(machines)
		return nil, err
	}
	return machines, nil
}

// ownFirst puts this machine first: it founds the cluster.
func ownFirst(info Info, machines []*machine) error {
	own := slices.IndexFunc(machines, func(m *machine) bool { return m.line == nil })
	if own < 0 {
		return invalid("host", fmt.Sprintf("this node, %s, is not among the hosts", info.Name), "name it too, or run setup on one of them")
	}
	machines[0], machines[own] = machines[own], machines[0]
	return nil
}

// rehearseSetup lets the state judge the commands to come.
func rehearseSetup(r *pb.SetupRequest, machines []*machine) error {
	first := &pb.Bootstrap{ClusterId: "rehearsal", ClusterName: r.Name, Node: machines[0].node, Properties: r.Properties}
	st, _, err := state.Step(&pb.State{}, 1, &pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: first}})
	for i := 1; err == nil && i < len(machines); i++ {
		st, _, err = state.Step(st, uint64(i)+1, putNode(machines[i].node))
	}
	return err
}

func putNode(n *pb.Node) *pb.Command {
	return &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: n}}}
}

// found makes the cluster of this machine alone.
func (s *Server) found(ctx context.Context, r *pb.SetupRequest, own *machine, p progress) error {
	e, err := s.identity.NewCluster(r.Name)
	if err != nil {
		return err
	}
	membership := enrolRequest(*e, own.node, e.Certificate, &pb.State{Nodes: []*pb.Node{own.node}, Properties: r.Properties})
	first := &pb.Bootstrap{ClusterId: e.ClusterID, ClusterName: r.Name, Node: own.node, Properties: r.Properties}
	if err := s.self.Bootstrap(ctx, membership, first); err != nil {
		return fmt.Errorf("found the cluster: %w", err)
	}
	s.logger.Info("cluster founded", "cluster", r.Name, "actor", callerOf(ctx).actor)
	p.say(own.node.Name, "founded cluster %s", r.Name)
	return nil
}

// enrolRequest tells a machine of the cluster what it needs before it has the state.
func enrolRequest(e identity.Enrolment, n *pb.Node, certificate []byte, st *pb.State) *pb.EnrolRequest {
	return &pb.EnrolRequest{
		ClusterId: e.ClusterID, ClusterName: e.ClusterName, Node: n,
		CaCertificate: e.CA, CaKey: e.CAKey, Certificate: certificate,
		Peers: st.Nodes, Profile: state.Property(st, "profile"),
	}
}

// enrol makes a machine a member: first the cluster knows it, so that a refusal
// leaves the machine as it was, then the machine knows the cluster.
func (s *Server) enrol(ctx context.Context, e identity.Enrolment, m *machine, p progress) error {
	certificate, err := e.Sign(m.request, m.node.Id)
	if err != nil {
		return invalid("host "+m.node.Name, err.Error(), "")
	}
	if _, err := s.propose(ctx, putNode(m.node)); err != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, 2*answerTimeout)
	defer cancel()
	_, err = m.line.Enrol(ask, enrolRequest(e, m.node, certificate, s.state.Get().State))
	if err == nil {
		p.say(m.node.Name, "enrolled")
		return nil
	}
	p.fail(m.node.Name, "did not enrol: %s", status.Convert(err).Message())
	return s.unput(ctx, m, describeError(m.node.Name, err))
}

// unput takes back a node that did not learn of its membership, and returns why.
func (s *Server) unput(ctx context.Context, m *machine, why error) error {
	if _, err := s.dismiss(ctx, m.node.Id, true); err != nil {
		s.logger.Warn("node not taken back", "node", m.node.Name, "err", err)
		return fmt.Errorf("use `quorate cluster node remove --force %s` too: %w", m.node.Name, why)
	}
	return why
}

// awaitMembers waits until the nodes are what their roles say.
func (s *Server) awaitMembers(ctx context.Context, nodes []*pb.Node, p progress) error {
	ctx, cancel := context.WithTimeout(ctx, voteTimeout)
	defer cancel()
	for _, n := range nodes {
		err := s.until(ctx, func(st *pb.State) bool {
			return admitted(st, n.Id) && (!state.HasVote(n) || state.Votes(st, n.Id))
		})
		if err != nil {
			p.fail(n.Name, "has not joined yet")
			return unfinished("node "+n.Name, "it has enrolled but does not answer the others",
				"is the agent running there, and does a firewall let TCP and UDP through on one port both ways?")
		}
		p.say(n.Name, "%s", joinedAs(n.Role))
	}
	return nil
}

func joinedAs(r pb.Role) string {
	switch r {
	case pb.Role_ROLE_WITNESS:
		return "joined as a witness"
	case pb.Role_ROLE_REPLICA:
		return "joined as a replica"
	default:
		return "joined and votes"
	}
}

func nodesOf(machines []*machine) []*pb.Node {
	list := make([]*pb.Node, 0, len(machines))
	for _, m := range machines {
		list = append(list, m.node)
	}
	return list
}
