package api

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// answer does what the cluster does about the state, until nothing is left.
func (w *world) answer() {
	for step := 0; !w.idle && (w.admit() || w.vote() || w.operate()); step++ {
		if step > 1000 {
			w.t.Error("the cluster does not come to rest")
			return
		}
	}
}

func (w *world) admit() bool {
	for _, n := range w.store.Get().State.Nodes {
		up := slices.ContainsFunc(w.agents, func(a *agent) bool { return a.member && a.id() == n.Id })
		if up && n.Admission != pb.Admission_ADMISSION_ADMITTED {
			w.mustApply(&pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{
				Node: n.Id, FromEpoch: n.Epoch, Nonce: 1, BootId: "boot", Lease: durationpb.New(time.Second),
			}}})
			return true
		}
	}
	return false
}

func (w *world) vote() bool {
	st := w.store.Get().State
	for _, n := range st.Nodes {
		if n.Admission == pb.Admission_ADMISSION_ADMITTED && n.ElectorateConfirmed != st.Electorate.Version {
			w.mustApply(&pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{
				Node: n.Id, Epoch: n.Epoch, Version: st.Electorate.Version,
			}}})
			return true
		}
	}
	for _, n := range st.Nodes {
		has, shall := state.Votes(st, n.Id), state.ShallVote(st, n)
		if has == shall || (shall && n.Admission != pb.Admission_ADMISSION_ADMITTED) {
			continue
		}
		voters := slices.DeleteFunc(slices.Clone(st.Electorate.Voters), func(id string) bool { return id == n.Id })
		if shall {
			voters = append(voters, n.Id)
		} else if !state.Able(st, voters) {
			continue
		}
		w.mustApply(&pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
			FromVersion: st.Electorate.Version, Voters: voters,
		}}})
		return true
	}
	return false
}

// operate dispatches what the real scheduler wants, and does it.
func (w *world) operate() bool {
	st := w.store.Get().State
	ready := scheduler.Schedule(st, time.Now()).Ready()
	if len(ready) == 0 {
		return false
	}
	step := ready[0]
	applied := w.mustApply(&pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{Operations: []*pb.Operation{{
		Kind: step.Kind, Resource: step.Resource, Node: step.Node, Epoch: state.NodeByID(st, step.Node).Epoch,
		Timeout: durationpb.New(time.Minute), Reason: step.Reason,
	}}}}})
	if applied == nil {
		return false
	}
	op, r := applied.Operations[0], state.ResourceByID(st, step.Resource)
	result := &pb.Result{
		Operation: op.Id, Kind: op.Kind, Resource: op.Resource, Node: op.Node, Epoch: op.Epoch, Assignment: op.Assignment,
		Outcome: pb.Outcome_OUTCOME_DONE, Revision: r.Revision, Restart: r.Restart,
	}
	switch why := w.stuck[op.Resource]; {
	case op.Kind == pb.OperationKind_OPERATION_KIND_PROBE:
		result.Outcome = pb.Outcome_OUTCOME_NOT_RUNNING
	case op.Kind == pb.OperationKind_OPERATION_KIND_STOP && why != "":
		result.Outcome, result.Error = pb.Outcome_OUTCOME_FAILED, why
	}
	w.mustApply(&pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: result}}})
	return true
}

// gone lets the others testify that a node is gone.
func (w *world) gone(a *agent) {
	st := w.store.Get().State
	n := state.NodeByID(st, a.identity.ID())
	g := &pb.NodeGone{Node: n.Id, Epoch: n.Epoch}
	for _, id := range st.Electorate.Voters {
		if id != n.Id {
			g.Testimonies = append(g.Testimonies, &pb.Testimony{Voter: id, Silence: durationpb.New(time.Minute)})
		}
	}
	w.mustApply(&pb.Command{Body: &pb.Command_NodeGone{NodeGone: g}})
}

func (w *world) mustApply(c *pb.Command) *state.Applied {
	applied, err := w.apply(c)
	if err != nil {
		w.t.Errorf("the cluster's own %T was refused: %v", c.Body, err)
		w.idle = true
	}
	return applied
}
