package node

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// reportTime bounds how long the outcome of a use of a device waits for a leader.
const reportTime = time.Minute

// reportUse commits what became of a use of a device whose orderer is gone: the
// leader may have been what was switched off, or another one leads.
func (k *Core) reportUse(ctx context.Context, r *pb.OperateRequest, answer *pb.OperateResponse) {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	st := k.store.Get().State
	f := state.FencingByID(st, r.Fencing)
	if f == nil {
		return
	}
	a := &pb.FencingAttempt{
		Device: r.Device.GetId(), Node: k.id, Action: r.Action, Error: answer.Error, Took: answer.Took,
		At: timestamppb.New(time.Now().Add(-answer.Took.AsDuration())),
	}
	record := &pb.RecordFencing{Id: f.Id, Phase: pb.FencingPhase_FENCING_PHASE_OFF, Attempts: []*pb.FencingAttempt{a}}
	if r.Action == fencing.On {
		record.Phase = pb.FencingPhase_FENCING_PHASE_ON
	}
	if answer.Error == "" && alone(st, f, a) {
		record.Done, record.By = true, fmt.Sprintf("%s, by %s", a.Device, state.NodeName(st, k.id))
	}
	if _, err := k.log.Propose(ctx, &pb.Command{Body: &pb.Command_RecordFencing{RecordFencing: record}}); err != nil {
		k.logger.Info("outcome of a fencing not recorded", "device", a.Device, "err", err)
	}
}

// callOff ends what this node has devices do for fencings that have ended otherwise,
// until ctx is canceled.
func (k *Core) callOff(ctx context.Context) error {
	for {
		changed, st := k.store.Changed(), k.store.Get().State
		k.operator.CallOff(func(fencing uint64, action string) bool { return stillWanted(st, fencing, action) })
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// stillWanted reports whether a fencing still needs an action, as far as a state that
// may be behind knows. What one of a pair does by itself is in no log.
func stillWanted(st *pb.State, id uint64, action string) bool {
	f := state.FencingByID(st, id)
	if f == nil {
		return id > st.LastFencing
	}
	return f.Phase == pb.FencingPhase_FENCING_PHASE_OFF && action == fencing.Off || f.Phase == pb.FencingPhase_FENCING_PHASE_ON && action == fencing.On
}

// alone reports whether one device by itself does what a fencing wants.
func alone(st *pb.State, f *pb.Fencing, a *pb.FencingAttempt) bool {
	for _, w := range state.WaysToFence(st, f.Node) {
		if len(w.Devices) == 1 && w.Devices[0].Id == a.Device {
			a.Level = w.Level
			return true
		}
	}
	return false
}
