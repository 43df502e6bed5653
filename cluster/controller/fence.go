package controller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// How long to wait after all ways to fence a node have failed, at first and at most.
const (
	fenceAgain   = 2 * time.Second
	fencePatient = 30 * time.Second
)

const (
	phaseOff = pb.FencingPhase_FENCING_PHASE_OFF
	phaseOn  = pb.FencingPhase_FENCING_PHASE_ON
)

// fence brings every fencing on its way that has not ended, each on its own: several
// nodes are fenced at the same time.
func (t *term) fence(ctx context.Context, st *pb.State) {
	for _, f := range st.Fencings {
		if state.Ended(f) {
			delete(t.fencing, f.Id) // one that was called off may be taken up again
			continue
		}
		if t.fencing[f.Id] {
			continue
		}
		t.fencing[f.Id] = true
		t.group.Go(func() error { return t.carryOut(ctx, f.Id) })
	}
}

// carryOut tries to fence a node, way by way, until it is done or no longer wanted.
// What an earlier leader has tried is tried anew: only what was committed counts.
func (t *term) carryOut(ctx context.Context, id uint64) error {
	pause, delayed := fenceAgain, false
	for ctx.Err() == nil {
		changed, st := t.state.Changed(), t.state.Get().State
		f := state.FencingByID(st, id)
		if f == nil || state.Ended(f) {
			return nil
		}
		r, failed := t.attempt(ctx, st, f, !delayed)
		delayed = true
		if !r.Done && failed == "" { // there is no way: until somebody makes one
			if err := sleep(ctx, changed, time.Now().Add(time.Hour)); err != nil {
				return nil //nolint:nilerr // the term has ended
			}
			continue
		}
		if r.Done || len(r.Attempts) > 0 {
			if err := t.recordFencing(ctx, r); err != nil {
				return err
			}
		}
		if r.Done || !t.wanted(f) {
			pause = fenceAgain
			continue
		}
		t.logger.Warn("not fenced, trying again", "node", state.NodeName(st, f.Node), "after", pause, "err", failed)
		if !t.awaitRetry(ctx, st, pause) {
			return nil
		}
		pause = min(2*pause, fencePatient)
	}
	return nil
}

// awaitRetry waits a while, or until other devices are configured.
func (t *term) awaitRetry(ctx context.Context, before *pb.State, pause time.Duration) bool {
	until := time.Now().Add(pause)
	for {
		changed, st := t.state.Changed(), t.state.Get().State
		other := !slices.Equal(st.Devices, before.Devices) || !slices.Equal(st.Levels, before.Levels)
		if other || !time.Now().Before(until) {
			return true
		}
		if sleep(ctx, changed, until) != nil {
			return false
		}
	}
}

func (t *term) recordFencing(ctx context.Context, r *pb.RecordFencing) error {
	_, err := t.log.Propose(ctx, &pb.Command{Body: &pb.Command_RecordFencing{RecordFencing: r}})
	var refused *state.Refusal
	switch {
	case err == nil, ctx.Err() != nil:
		return nil
	case errors.As(err, &refused):
		t.logger.Info("outcome of a fencing no longer waited for", "err", err)
		return nil
	default:
		return fmt.Errorf("record a fencing: %w", err)
	}
}

// attempt tries the ways to do what the phase wants until one has succeeded. It returns
// what is still to be recorded, and why the last one failed; empty: none was tried.
func (t *term) attempt(ctx context.Context, st *pb.State, f *pb.Fencing, delay bool) (r *pb.RecordFencing, failed string) {
	r = &pb.RecordFencing{Id: f.Id, Phase: f.Phase}
	ways := state.WaysToFence(st, f.Node)
	if f.Phase == phaseOn {
		ways = usedWay(st, f, ways)
		r.Done = len(ways) == 0 // what switched it off is no more
	}
	for _, w := range ways {
		did, problem := t.use(ctx, st, f, w, delay, r)
		switch {
		case ctx.Err() != nil:
			return r, failed
		case problem == "":
			r.Done, r.By = true, strings.Join(did, " and ")
			r.StaysOff = f.Phase == phaseOff && !slices.ContainsFunc(w.Devices, func(d *pb.FencingDevice) bool { return !fencing.StaysOff(d) })
			return r, ""
		}
		failed = problem
		if !t.wanted(f) {
			break
		}
	}
	return r, failed
}

// wanted reports whether a fencing is still to be done, in the phase that it was in.
func (t *term) wanted(f *pb.Fencing) bool {
	now := state.FencingByID(t.state.Get().State, f.Id)
	return now != nil && now.Phase == f.Phase
}

// usedWay is the way by which a node was switched off, without the devices that do
// not switch on again.
func usedWay(st *pb.State, f *pb.Fencing, ways []fencing.Way) []fencing.Way {
	var used fencing.Way
	for _, a := range f.Attempts {
		d := state.DeviceByID(st, a.Device)
		if a.Action == fencing.Off && a.Error == "" && d != nil && !d.Disabled && !fencing.StaysOff(d) && !slices.Contains(used.Devices, d) {
			used.Level, used.Devices = a.Level, append(used.Devices, d)
		}
	}
	switch {
	case len(used.Devices) > 0:
		return []fencing.Way{used}
	case len(f.Attempts) == 0: // switched off before there was a leader to tell
		return ways
	}
	return nil
}

// use has all devices of a way do what the phase wants, and says which did, or why one
// did not.
func (t *term) use(ctx context.Context, st *pb.State, f *pb.Fencing, w fencing.Way, delay bool, r *pb.RecordFencing) (did []string, problem string) {
	action := fencing.Off
	if f.Phase == phaseOn {
		action = fencing.On
	}
	for _, d := range w.Devices {
		if wait := fencing.Delay(d, state.NodeName(st, f.Node), rand.Float64()); wait > 0 && delay && action == fencing.Off { //nolint:gosec // no secret
			if err := sleep(ctx, nil, time.Now().Add(wait)); err != nil {
				return nil, err.Error()
			}
		}
		by, problem := t.useDevice(ctx, st, f, d, &pb.FencingAttempt{Device: d.Id, Action: action, Level: w.Level}, r)
		if problem != "" {
			return nil, problem
		}
		did = append(did, fmt.Sprintf("%s, by %s", d.Id, state.NodeName(st, by)))
	}
	return did, ""
}

// mostUsers is how many nodes one after the other try to use a device.
const mostUsers = 3

// useDevice has a device do something, by one node after the other until one has
// succeeded: the device may be out of reach for some. Each failure is recorded at once,
// for the next one may take minutes.
func (t *term) useDevice(ctx context.Context, st *pb.State, f *pb.Fencing, d *pb.FencingDevice, what *pb.FencingAttempt, r *pb.RecordFencing) (by, problem string) {
	users := usersOf(st, d, f.Node)
	if len(users) == 0 {
		problem = "no other node is there to use it"
		r.Attempts = append(r.Attempts, &pb.FencingAttempt{Device: d.Id, Action: what.Action, Level: what.Level, Error: problem})
	}
	for _, node := range users[:min(len(users), mostUsers)] {
		a := &pb.FencingAttempt{Device: what.Device, Action: what.Action, Level: what.Level, Node: node, At: timestamppb.Now()}
		began := time.Now()
		a.Error = t.operate(ctx, st, node, &pb.OperateRequest{Fencing: f.Id, Device: d, Action: what.Action, Target: state.NodeName(st, f.Node)})
		a.Took = durationpb.New(time.Since(began))
		if ctx.Err() != nil {
			return "", ctx.Err().Error()
		}
		r.Attempts = append(r.Attempts, a)
		if a.Error == "" {
			return node, ""
		}
		problem = a.Error
		t.recordFailures(ctx, r)
		if !t.wanted(f) {
			break
		}
	}
	return "", problem
}

// recordFailures records what was tried up to now. What cannot be recorded now is with
// the outcome.
func (t *term) recordFailures(ctx context.Context, r *pb.RecordFencing) {
	if t.recordFencing(ctx, &pb.RecordFencing{Id: r.Id, Phase: r.Phase, Attempts: r.Attempts}) == nil {
		r.Attempts = nil
	}
}

// operate orders a node to use a device and returns why it did not; empty: it did.
func (t *term) operate(ctx context.Context, st *pb.State, node string, r *pb.OperateRequest) string {
	if name := state.MissingSecret(st, r.Device); name != "" {
		return fmt.Sprintf("its %s is not known any more; use `stonith update %s %s=@FILE`", name, r.Device.Id, name)
	}
	ctx, cancel := context.WithTimeout(ctx, fencing.Patience(r.Device, r.Action)+5*time.Second)
	defer cancel()
	r.Device = state.Revealed(st, r.Device)
	answer, err := t.peers.Operate(ctx, node, r)
	if err != nil {
		return fmt.Sprintf("%s could not be asked to use it: %v", state.NodeName(st, node), err)
	}
	return answer.Error
}

// usersOf are the nodes that may use a device about another one, the one that tested
// it last first.
func usersOf(st *pb.State, d *pb.FencingDevice, target string) []string {
	var list []string
	for _, n := range st.Nodes {
		if n.Id != target && n.Admission == pb.Admission_ADMISSION_ADMITTED {
			list = append(list, n.Id)
		}
	}
	if c := state.ConditionOf(st, d.Id); c != nil && c.Error == "" {
		slices.SortStableFunc(list, func(a, b string) int { return preferred(b, c.Node) - preferred(a, c.Node) })
	}
	return list
}

func preferred(node, best string) int {
	if node == best {
		return 1
	}
	return 0
}
