package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"quorate/cluster/identity"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// The agent is its server's Self, State, Sight and Executor.

func (a *agent) id() string {
	if a.still {
		return "id of " + a.name
	}
	return a.identity.ID()
}

func (a *agent) Info() Info {
	if a.still {
		return Info{ID: a.id(), Name: a.name, Version: "test"}
	}
	at := a.net.Addr().(*net.TCPAddr)
	info := Info{ID: a.identity.ID(), Name: a.name, Version: "test", Port: uint16(at.Port)}
	if n := state.NodeByID(a.Get().State, info.ID); n != nil {
		info.Name = n.Name
	}
	return info
}

func (a *agent) Bootstrap(ctx context.Context, r *pb.EnrolRequest, first *pb.Bootstrap) error {
	if err := a.enrol(r); err != nil {
		return err
	}
	_, err := a.Propose(ctx, &pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: first}})
	return err
}

func (a *agent) Enrol(_ context.Context, r *pb.EnrolRequest) error {
	if err := a.enrol(r); err != nil {
		return err
	}
	a.with(a.answer)
	return nil
}

func (a *agent) enrol(r *pb.EnrolRequest) error {
	err := a.identity.Enrol(identity.Enrolment{
		ClusterID: r.ClusterId, ClusterName: r.ClusterName, CA: r.CaCertificate, CAKey: r.CaKey, Certificate: r.Certificate,
	})
	if err == nil {
		a.with(func() { a.member = true })
	}
	return err
}

func (a *agent) Unblock() error {
	if a.pair == nil {
		return errors.New("this node does not wait for its peer")
	}
	a.pair.Phase = pb.PairPhase_PAIR_PHASE_SUSPECT
	return nil
}

func (a *agent) Pair() *pb.PairStatus { return a.pair }

func (a *agent) Known() *pb.State { return a.known }

func (a *agent) Forget(context.Context) error {
	a.with(func() { a.member = false })
	return a.identity.Forget()
}

func (a *agent) Get() state.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.member {
		return state.Snapshot{State: &pb.State{}}
	}
	return a.store.Get()
}

func (a *agent) Changed() <-chan struct{} { return a.store.Changed() }

func (a *agent) Leader() (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.headless {
		return "", false
	}
	return a.agents[0].id(), true
}

func (a *agent) Voters() ([]string, error) { return a.Get().State.GetElectorate().GetVoters(), nil }

func (a *agent) LastContact() time.Duration { return 7 * time.Millisecond }

func (a *agent) Links() []*pb.Link {
	return []*pb.Link{{Node: "peer", Address: "127.0.0.1:1", Up: true}}
}

func (a *agent) Lease() *pb.LeaseStatus   { return &pb.LeaseStatus{Epoch: 1, Held: true} }
func (a *agent) Timing() *pb.TimingStatus { return nil }
func (a *agent) Trouble() string          { return a.trouble }
func (a *agent) Guard() string            { return "kernel" }

func (a *agent) Meet(r *pb.MeetRequest) (*pb.MeetResponse, error) {
	return &pb.MeetResponse{Winner: r.Side.Node, Reason: "it asked"}, nil
}

func (a *agent) Confirm(string, string) bool { return false }

func (a *agent) Operate(context.Context, *pb.OperateRequest) (*pb.OperateResponse, error) {
	return &pb.OperateResponse{}, nil
}

// RunByHand is done at once; what it is asked for is its output.
func (a *agent) RunByHand(_ context.Context, r *pb.ExecuteRequest, trace bool) (*pb.RunByHandResponse, error) {
	said := fmt.Sprintf("%s told %d trace %v", r.Operation.Kind, len(r.GetInstancing().GetTold()), trace)
	return &pb.RunByHandResponse{Resource: r.Resource.Id, Action: r.Operation.Kind, Outcome: pb.Outcome_OUTCOME_DONE, Output: said}, nil
}

func (a *agent) Execute(_ context.Context, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	return &pb.ExecuteResponse{Result: &pb.Result{Operation: r.Operation.Id, Node: a.identity.ID(), Outcome: pb.Outcome_OUTCOME_DONE}}, nil
}
