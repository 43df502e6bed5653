package controller

import (
	"context"
	"errors"
	"slices"
	"time"

	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// testTick is how often it is looked whether a device is due for a test.
const testTick = time.Second

// testDevices tests every device again and again, so that one that does not work is
// known before it is needed.
func (t *term) testDevices(ctx context.Context) error {
	due := make(map[string]time.Time)
	busy := make(chan string)
	testing := make(map[string]bool)
	tick := time.NewTicker(testTick)
	defer tick.Stop()
	for {
		st, now := t.state.Get().State, time.Now()
		for _, d := range st.Devices {
			if testing[d.Id] || !isDue(st, d, due, now) {
				continue
			}
			testing[d.Id], due[d.Id] = true, now.Add(fencing.Interval(d))
			t.group.Go(func() error {
				err := t.testDevice(ctx, st, d)
				select {
				case busy <- d.Id:
				case <-ctx.Done():
				}
				return err
			})
		}
		select {
		case id := <-busy:
			delete(testing, id)
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// isDue reports whether a device is to be tested now. One that was never tested is;
// of the others a new leader waits for an interval.
func isDue(st *pb.State, d *pb.FencingDevice, due map[string]time.Time, now time.Time) bool {
	interval := fencing.Interval(d)
	if d.Disabled || interval <= 0 {
		return false
	}
	at, known := due[d.Id]
	if !known {
		at = now
		if state.ConditionOf(st, d.Id) != nil {
			at = now.Add(interval)
		}
		due[d.Id] = at
	}
	return !now.Before(at)
}

// testDevice has the first node that can test a device, and commits what it found if
// that is news. One failed test is tried again elsewhere.
func (t *term) testDevice(ctx context.Context, st *pb.State, d *pb.FencingDevice) error {
	c := &pb.DeviceCondition{Device: d.Id, Error: "no node is there to test it"}
	for _, node := range testers(st, d) {
		c.Node = node
		c.Error = t.operate(ctx, st, node, &pb.OperateRequest{Device: d, Action: fencing.Monitor})
		if ctx.Err() != nil || fencing.Yielded(c.Error) {
			return nil
		}
		if c.Error == "" {
			break
		}
	}
	now := t.state.Get().State
	known := state.ConditionOf(now, d.Id)
	if known != nil && known.Node == c.Node && (known.Error == "") == (c.Error == "") || state.DeviceByID(now, d.Id) == nil {
		return nil
	}
	_, err := t.log.Propose(ctx, &pb.Command{Body: &pb.Command_RecordDevice{RecordDevice: &pb.RecordDevice{Condition: c}}})
	var refused *state.Refusal
	if err != nil && ctx.Err() == nil && !errors.As(err, &refused) {
		return err
	}
	return nil
}

// testers are the nodes that may have to use a device: those that it does not
// switch, if there are any. The one that tested it last comes first.
func testers(st *pb.State, d *pb.FencingDevice) []string {
	all := usersOf(st, d, "")
	others := slices.DeleteFunc(slices.Clone(all), func(id string) bool {
		return slices.Contains(fencing.Targets(d), state.NodeName(st, id))
	})
	if len(others) > 0 {
		return others[:min(len(others), mostUsers)]
	}
	return all[:min(len(all), mostUsers)]
}
