package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

const (
	admitTimeout = 30 * time.Second // for an agent that was told to take work
	stopTimeout  = time.Minute      // for handing work over, unless the caller says otherwise
)

// Start lets nodes take work.
func (c clusterService) Start(r *pb.StartRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	if err := c.informed(stream.Context()); err != nil {
		return err
	}
	nodes, err := c.nodesNamed(r.Nodes, r.All)
	if err != nil {
		return err
	}
	p := progress{stream}
	index, err := c.start(stream.Context(), nodes, p)
	if err != nil {
		return err
	}
	return p.end(index, "started %s", names(nodes))
}

// start commits the wish and waits until every node is admitted.
func (s *Server) start(ctx context.Context, nodes []*pb.Node, p progress) (index uint64, err error) {
	edits := make([]*pb.Edit, 0, len(nodes))
	for _, n := range nodes {
		edits = append(edits, updateNode(&pb.UpdateNode{Name: n.Name, Stopped: proto.Bool(false)}))
	}
	applied, err := s.edit(ctx, edits...)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, admitTimeout)
	defer cancel()
	var silent []string
	for _, n := range nodes {
		if s.until(ctx, func(st *pb.State) bool { return admitted(st, n.Id) }) != nil {
			p.fail(n.Name, "its agent does not answer")
			silent = append(silent, n.Name)
			continue
		}
		p.say(n.Name, "takes work")
	}
	if len(silent) > 0 {
		return 0, fail(codes.Unavailable, ReasonUnreachable, fmt.Sprintf(
			"%s: no answer from the agent in %s; the node will take work once its agent runs: `systemctl start quorate` there",
			strings.Join(silent, ", "), admitTimeout), keyField, "node")
	}
	return applied.Index, nil
}

func updateNode(u *pb.UpdateNode) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: u}}
}

func admitted(st *pb.State, id string) bool {
	return state.NodeByID(st, id).GetAdmission() == pb.Admission_ADMISSION_ADMITTED
}

// Stop lets nodes hand their work over and idle.
func (c clusterService) Stop(r *pb.StopRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	if err := c.enrolled(); err != nil {
		return err
	}
	nodes, err := c.nodesNamed(r.Nodes, r.All)
	if err != nil {
		return err
	}
	timeout := r.Timeout.AsDuration()
	switch {
	case timeout < 0:
		return invalid("timeout", "it is negative", "")
	case timeout == 0:
		timeout = stopTimeout
	}
	p := progress{stream}
	index, err := c.stop(stream.Context(), nodes, timeout, p)
	if err != nil {
		return err
	}
	return p.end(index, "stopped %s", names(nodes))
}

// stop commits the wish and waits until nothing runs on the nodes, and they have
// given back their votes.
func (s *Server) stop(ctx context.Context, nodes []*pb.Node, timeout time.Duration, p progress) (index uint64, err error) {
	edits := make([]*pb.Edit, 0, len(nodes))
	for _, n := range nodes {
		edits = append(edits, updateNode(&pb.UpdateNode{Name: n.Name, Stopped: proto.Bool(true)}))
	}
	applied, err := s.edit(ctx, edits...)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var failed []error
	for _, n := range nodes {
		if err := s.drained(ctx, n, timeout); err != nil {
			p.fail(n.Name, "%v", err)
			failed = append(failed, fmt.Errorf("%s: %w", n.Name, err))
			continue
		}
		p.say(n.Name, "idles")
		s.retire(ctx, n.Id, p)
	}
	return applied.Index, errors.Join(failed...)
}

// drained waits until nothing runs on a node. A stop that failed ends the
// waiting: only a person or fencing brings it further (S5).
func (s *Server) drained(ctx context.Context, n *pb.Node, timeout time.Duration) error {
	var left load
	err := s.until(ctx, func(st *pb.State) bool {
		left = loadOf(st, n.Id)
		return len(left.busy) == 0 || left.blocked != nil
	})
	switch {
	case left.blocked != nil:
		return unfinished("resource "+left.blocked.Resource, "it could not be stopped: "+left.blocked.LastError,
			"stop it by hand and use `quorate resource cleanup "+left.blocked.Resource+"`")
	case err != nil && errors.Is(err, context.DeadlineExceeded):
		return unfinished("timeout", fmt.Sprintf("%s not handed over after %s", strings.Join(left.busy, ", "), timeout),
			"see `quorate why "+left.busy[0]+"`")
	default:
		return err
	}
}

// A load is what runs on a node.
type load struct {
	busy    []string     // resources that it owns, or that may run there
	blocked *pb.Instance // the first whose stop failed
}

func loadOf(st *pb.State, node string) load {
	var l load
	alive := admitted(st, node)
	for _, r := range st.Resources {
		i := state.InstanceOf(st, r.Id, node)
		owned := state.AssignmentAt(st, r.Id, node) != nil
		active := alive && i != nil && i.State >= pb.InstanceState_INSTANCE_STATE_RUNNING
		if active && i.State == pb.InstanceState_INSTANCE_STATE_BLOCKED && l.blocked == nil {
			l.blocked = i
		}
		if owned || active || state.OperationOn(st, r.Id, node) != nil {
			l.busy = append(l.busy, r.Id)
		}
	}
	return l
}

func names(nodes []*pb.Node) string {
	list := make([]string, 0, len(nodes))
	for _, n := range nodes {
		list = append(list, n.Name)
	}
	return strings.Join(list, ", ")
}
