package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// leaveBehind takes this node out of a cluster that goes on without it. Where
// that cannot be, the others keep a member that is gone.
func (s *Server) leaveBehind(ctx context.Context, p progress) {
	st := s.state.Get().State
	self := state.NodeByID(st, s.self.Info().ID)
	if self == nil || len(st.Nodes) == 1 {
		return
	}
	if err := s.leave(ctx, self, false, p); err != nil {
		p.fail(self.Name, "not removed in order (%s): use `quorate cluster node remove --force %s` on another node",
			status.Convert(toStatus(err)).Message(), self.Name)
	}
}

// leave lets another member remove this node: who is removed loses its part in
// the log, and could not see the work through. It returns when this node has
// forgotten the cluster.
func (s *Server) leave(ctx context.Context, self *pb.Node, force bool, p progress) error {
	var failed []error
	for _, n := range s.state.Get().State.Nodes {
		if n.Id == self.Id || n.Admission != pb.Admission_ADMISSION_ADMITTED {
			continue
		}
		err := s.removedBy(ctx, n, &pb.RemoveNodeRequest{Name: self.Name, Force: force}, p)
		if status.Code(err) != codes.Unavailable {
			return err
		}
		failed = append(failed, fmt.Errorf("%s: %s", n.Name, status.Convert(err).Message()))
	}
	return unfinished("node", fmt.Sprintf("no other member answers to remove it: %v", errors.Join(failed...)),
		"`quorate cluster destroy` makes this node forget the cluster nonetheless")
}

// removedBy asks one member to remove this node, and relays what it says. Once
// this node has forgotten the cluster it cannot hear the rest.
func (s *Server) removedBy(ctx context.Context, n *pb.Node, r *pb.RemoveNodeRequest, p progress) error {
	conn, err := s.dialer.ClientConn(n.Id)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setupTimeout)
	defer cancel()
	stream, err := pb.NewClusterClient(conn).RemoveNode(ctx, r)
	if err == nil {
		err = relay(stream, p)
	}
	if _, member := s.identity.Cluster(); !member {
		return nil
	}
	return err
}

// relay passes on all lines but the last, which is the asking node's to say.
func relay(from grpc.ServerStreamingClient[pb.Progress], p progress) error {
	for {
		line, err := from.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line.Index == 0 {
			_ = p.stream.Send(line)
		}
	}
}
