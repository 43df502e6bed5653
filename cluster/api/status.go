package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// statusService reads things, all of them from this node's own copy.
type statusService struct {
	*Server
	pb.UnimplementedStatusServer
}

// balancePatience is how long a status waits for nodes that tell of their servers.
const balancePatience = 700 * time.Millisecond

// Get returns the state and this node's sight of the cluster.
func (s statusService) Get(ctx context.Context, r *pb.GetRequest) (*pb.GetResponse, error) {
	answer := s.status(time.Now())
	if r.Secrets {
		s.logger.Warn("secrets were asked for", "actor", callerOf(ctx).actor)
		answer.State = state.ShownWithSecrets(s.state.Get().State)
	}
	if r.Servers == pb.ServerDetail_SERVER_DETAIL_NONE || s.enrolled() != nil {
		return answer, nil
	}
	ids, err := s.balancers("")
	if err != nil {
		return nil, err
	}
	answer.Balances = s.balances(ctx, &pb.BalanceRequest{Resources: ids, Detail: r.Servers}, balancePatience)
	return answer, nil
}

// lookout is how often a watcher is told of what changes without the state:
// the leader, the links, the lease.
const lookout = time.Second

// Watch sends the status at once and after every change. To a caller that
// reads slowly only the newest is sent.
func (s statusService) Watch(_ *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.GetResponse]) error {
	ticker := time.NewTicker(lookout)
	defer ticker.Stop()
	var last sight
	for {
		changed := s.state.Changed()
		now := s.status(time.Now())
		if err := stream.Send(now); err != nil {
			return err
		}
		last = sightOf(now)
		for waiting := true; waiting; {
			select {
			case <-changed:
				waiting = false
			case <-ticker.C:
				waiting = sightOf(s.observe(&pb.GetResponse{})) == last
			case <-stream.Context().Done():
				return nil
			case <-s.ending.Done():
				return nil
			}
		}
	}
}

// A sight is what a watcher is told of when it changes.
type sight struct {
	leader  string
	quorate bool
	leased  bool
	pair    pb.PairPhase
	links   string // the peers and addresses that are up
}

func sightOf(r *pb.GetResponse) sight {
	v := sight{leader: r.Leader, quorate: r.Quorate, leased: r.Lease.GetHeld(), pair: r.Pair.GetPhase()}
	for _, l := range r.Links {
		if l.Up {
			v.links += l.Node + " " + l.Address + "\n"
		}
	}
	return v
}

// status is everything that a person wants to know.
func (s *Server) status(now time.Time) *pb.GetResponse {
	snapshot, info := s.state.Get(), s.self.Info()
	r := &pb.GetResponse{
		State: state.Shown(snapshot.State), Index: snapshot.Index,
		Node: info.ID, NodeName: info.Name, Version: info.Version,
	}
	if known := s.sight.Known(); known.GetClusterId() != "" {
		return s.remembered(r, known)
	}
	if snapshot.State.GetClusterId() == "" {
		return r
	}
	s.observe(r)
	r.Timing = s.sight.Timing()
	plan := scheduler.Schedule(snapshot.State, now)
	for _, p := range plan.Placements {
		r.Placements = append(r.Placements, &pb.PlacementStatus{
			Resource: p.Resource, Instance: p.Instance, Node: p.Node, Promoted: p.Promoted, Reason: p.Reason(), Blocked: p.Blocked,
		})
	}
	r.Problems = append(s.nodeProblems(snapshot.State, r), plan.Problems...)
	return r
}

// remembered is the status of a node that has heard nobody since it started: what
// it knew before, and no plan, which is for a leader to make.
func (s *Server) remembered(r *pb.GetResponse, known *pb.State) *pb.GetResponse {
	r.State = state.Shown(known)
	s.observe(r)
	r.Timing = s.sight.Timing()
	r.Problems = append([]string{fmt.Sprintf("%s has heard no leader since it started: this is what it knew before", r.NodeName)},
		s.nodeProblems(known, r)...)
	return r
}

// never is longer than any leader was silent: none was heard at all.
const never = time.Duration(1<<63 - 1)

// observe fills in what this node sees beside the state.
func (s *Server) observe(r *pb.GetResponse) *pb.GetResponse {
	r.Leader, r.Quorate = s.sight.Leader()
	if d := s.sight.LastContact(); d < never {
		r.AsOf = durationpb.New(d)
	}
	r.Links = s.sight.Links()
	r.Lease = s.sight.Lease()
	r.Guard = s.sight.Guard()
	r.Pair = s.sight.Pair()
	return r
}

// nodeProblems are sentences about the nodes, worst first.
func (s *Server) nodeProblems(st *pb.State, r *pb.GetResponse) []string {
	var list []string
	if !r.Quorate {
		list = append(list, fmt.Sprintf("%s hears of no leader: there is no quorum, or an election is under way", r.NodeName))
	}
	if text := pairProblem(st, r); text != "" {
		list = append(list, text)
	}
	if me := state.NodeByID(st, r.Node); me == nil {
		list = append(list, fmt.Sprintf("%s is not a member any more, or not yet", r.NodeName))
	} else if r.Lease != nil && !r.Lease.Held && !me.Stopped {
		list = append(list, fmt.Sprintf("%s holds no lease and runs nothing", r.NodeName))
	}
	if trouble := s.sight.Trouble(); trouble != "" {
		list = append(list, fmt.Sprintf("%s takes no part in the consensus: %s", r.NodeName, trouble))
	}
	if others := r.Timing.GetOthers(); len(others) > 0 {
		list = append(list, fmt.Sprintf("timing profile %s is set, but %s: restart the agent there", r.Timing.Configured, strings.Join(others, ", ")))
	}
	list = append(list, fencingProblems(st)...)
	list = append(list, alertProblems(st)...)
	for _, n := range st.Nodes {
		if text := nodeProblem(st, n); text != "" {
			list = append(list, text)
		}
		if n.DiskHangsSince != nil && n.Id != r.Node {
			list = append(list, fmt.Sprintf("disk of %s hangs since %s", n.Name, n.DiskHangsSince.AsTime().Local().Format(time.DateTime)))
		}
	}
	return append(list, s.orderProblems(st)...)
}

// pairProblem says why this node does not go on without its peer.
func pairProblem(st *pb.State, r *pb.GetResponse) string {
	switch r.Pair.GetPhase() {
	case pb.PairPhase_PAIR_PHASE_WAITING, pb.PairPhase_PAIR_PHASE_HELD_BACK, pb.PairPhase_PAIR_PHASE_CUT_OFF:
		return fmt.Sprintf("%s does not go on without %s: %s", r.NodeName, state.NodeName(st, r.Pair.Peer), r.Pair.Reason)
	default:
		return ""
	}
}

func nodeProblem(st *pb.State, n *pb.Node) string {
	switch {
	case n.Admission == pb.Admission_ADMISSION_GONE && !n.Stopped:
		return fmt.Sprintf("node %s is gone since %s", n.Name, n.GoneAt.AsTime().Local().Format(time.DateTime))
	case n.Admission == pb.Admission_ADMISSION_NONE:
		return fmt.Sprintf("node %s has not joined yet: its agent does not run or does not reach the others", n.Name)
	case state.ShallVote(st, n) && !state.Votes(st, n.Id):
		return fmt.Sprintf("node %s does not vote yet", n.Name)
	default:
		return ""
	}
}

// Why explains where a resource runs and where not.
func (s statusService) Why(_ context.Context, r *pb.WhyRequest) (*pb.WhyResponse, error) {
	if err := s.enrolled(); err != nil {
		return nil, err
	}
	st := s.state.Get().State
	if len(state.Members(st, r.Resource)) == 0 {
		return nil, &state.Refusal{
			Code: state.NotFound, Field: "resource", Problem: fmt.Sprintf("there is no resource or group %q", r.Resource),
			Fix: "see `quorate resource status`",
		}
	}
	if r.Node != "" && state.NodeByName(st, r.Node) == nil {
		return nil, unknownNode(r.Node)
	}
	sentences, scores := scheduler.Explain(st, time.Now(), r.Resource, r.Node)
	return &pb.WhyResponse{Sentences: sentences, Scores: scores}, nil
}

// Wait returns when the cluster has nothing left to do about the state at the
// index, or when the time is up.
func (s statusService) Wait(ctx context.Context, r *pb.WaitRequest) (*pb.WaitResponse, error) {
	if err := s.enrolled(); err != nil {
		return nil, err
	}
	timeout := r.Timeout.AsDuration()
	if timeout < 0 {
		return nil, invalid("timeout", "it is negative", "")
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	pending := s.settle(ctx, r.Index)
	return &pb.WaitResponse{Settled: len(pending) == 0, Pending: pending}, nil
}

// settle waits until nothing is pending or ctx ends, and returns what is.
func (s *Server) settle(ctx context.Context, index uint64) []string {
	for {
		changed, now := s.state.Changed(), time.Now()
		pending, next := pendingAt(s.state.Get(), index, now)
		if len(pending) == 0 {
			return nil
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return pending
		}
		timer.Stop()
	}
}

// pendingAt says what is still to be done about a state, and until when that
// holds although nothing changes.
func pendingAt(snapshot state.Snapshot, index uint64, now time.Time) (pending []string, until time.Time) {
	st := snapshot.State
	until = now.Add(time.Hour)
	if snapshot.Index < index {
		pending = append(pending, "this node has yet to learn of the change")
		until = now.Add(20 * time.Millisecond) // a refused entry raises the index alone
	}
	for _, f := range st.Fencings {
		if !state.Ended(f) {
			pending = append(pending, fmt.Sprintf("fencing of %s is under way", state.NodeName(st, f.Node)))
		}
	}
	for _, o := range st.Operations {
		pending = append(pending, fmt.Sprintf("%s of %s on %s is under way", verb(o.Kind), o.Resource, state.NodeName(st, o.Node)))
	}
	pending = append(pending, pendingVotes(st)...)
	plan := scheduler.Schedule(st, now)
	for _, step := range plan.Steps {
		text := fmt.Sprintf("%s %s on %s", verb(step.Kind), step.Resource, state.NodeName(st, step.Node))
		if step.Reason != "" {
			text += ": " + step.Reason
		}
		pending = append(pending, text)
	}
	if !plan.Next.IsZero() && plan.Next.Before(until) {
		until = plan.Next
	}
	return pending, until
}

// pendingVotes says which voters the electorate has yet to follow.
func pendingVotes(st *pb.State) []string {
	var list []string
	for _, n := range st.Nodes {
		votes := state.Votes(st, n.Id)
		switch {
		case votes && !state.ShallVote(st, n):
			list = append(list, n.Name+" still votes")
		case !votes && state.ShallVote(st, n) && n.Admission == pb.Admission_ADMISSION_ADMITTED:
			list = append(list, n.Name+" does not vote yet")
		}
	}
	for _, id := range st.GetElectorate().GetVoters() {
		if !slices.ContainsFunc(st.Nodes, func(n *pb.Node) bool { return n.Id == id }) {
			list = append(list, id+" was removed and still votes")
		}
	}
	return list
}

func verb(k pb.OperationKind) string {
	switch k {
	case pb.OperationKind_OPERATION_KIND_START:
		return "start"
	case pb.OperationKind_OPERATION_KIND_STOP:
		return "stop"
	case pb.OperationKind_OPERATION_KIND_MONITOR:
		return "monitor"
	case pb.OperationKind_OPERATION_KIND_PROBE:
		return "probe"
	case pb.OperationKind_OPERATION_KIND_RELOAD:
		return "reload"
	default:
		return "operation"
	}
}
