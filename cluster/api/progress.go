package api

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A progress tells the caller of a long work how it goes. A caller that went
// away misses the rest; the work does not.
type progress struct {
	stream grpc.ServerStreamingServer[pb.Progress]
}

// say sends one line; node is a name, or empty for the whole cluster.
func (p progress) say(node, format string, args ...any) {
	_ = p.stream.Send(&pb.Progress{Node: node, Text: fmt.Sprintf(format, args...)})
}

// fail sends one line of what went wrong.
func (p progress) fail(node, format string, args ...any) {
	_ = p.stream.Send(&pb.Progress{Node: node, Text: fmt.Sprintf(format, args...), Failed: true})
}

// end sends the last line, with the index to wait for.
func (p progress) end(index uint64, format string, args ...any) error {
	return p.stream.Send(&pb.Progress{Text: fmt.Sprintf(format, args...), Index: index})
}

// carryOn returns a context for work that, once begun, is better finished
// although its caller has gone: it ends after a time, or with the server.
func (s *Server) carryOn(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), setupTimeout)
	stop := context.AfterFunc(s.ending, cancel)
	return ctx, func() { stop(); cancel() }
}

// until waits for the state to be as done wants it.
func (s *Server) until(ctx context.Context, done func(*pb.State) bool) error {
	for {
		changed := s.state.Changed()
		if done(s.state.Get().State) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// edit commits edits.
func (s *Server) edit(ctx context.Context, edits ...*pb.Edit) (*state.Applied, error) {
	return s.propose(ctx, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
}

// nodesNamed finds the nodes that a request is about: all, the named ones, or
// this one. An unknown name refuses the whole request (S8).
func (s *Server) nodesNamed(names []string, all bool) ([]*pb.Node, error) {
	st := s.state.Get().State
	if all {
		return st.Nodes, nil
	}
	if len(names) == 0 {
		self := state.NodeByID(st, s.self.Info().ID)
		if self == nil {
			return nil, errNoCluster
		}
		return []*pb.Node{self}, nil
	}
	nodes := make([]*pb.Node, 0, len(names))
	for _, name := range names {
		n := state.NodeByName(st, name)
		if n == nil {
			return nil, unknownNode(name)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func unknownNode(name string) error {
	return &state.Refusal{
		Code: state.NotFound, Field: "node", Problem: fmt.Sprintf("%q is not a node of this cluster", name),
		Fix: "see `quorate status`",
	}
}

func (s *Server) nodeName(id string) string { return state.NodeName(s.state.Get().State, id) }
