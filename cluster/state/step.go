package state

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// Applied is the answer to an accepted command.
type Applied struct {
	Index      uint64          // of its log entry
	Operations []*pb.Operation // of a Dispatch: with ids and assignment numbers; must not be modified
}

// Step returns the state that a command leads to, or a *[Refusal]. It changes
// neither the state nor the command, so it also answers what a command would do.
// A command that was accepted before, by its request, changes nothing and is
// answered as it was then.
func Step(s *pb.State, index uint64, c *pb.Command) (*pb.State, *Applied, error) {
	return step(s, index, proto.CloneOf(c))
}

// step is Step for a command that nobody else holds.
func step(s *pb.State, index uint64, c *pb.Command) (*pb.State, *Applied, error) {
	if c.Level > Level {
		panic(fmt.Sprintf("apply entry %d: feature level %d is newer than this build's %d", index, c.Level, Level))
	}
	if first, err := acceptedBefore(s, c.Request); first != nil || err != nil {
		return s, first, err
	}
	d := newDraft(s, index, c)
	if err := d.apply(c); err != nil {
		return nil, nil, err
	}
	d.finishDeletions()
	d.accept(c.Request)
	return d.State, &Applied{Index: index, Operations: d.dispatched}, nil
}

// apply changes the draft by a command. After an error the draft is worthless.
func (d *draft) apply(c *pb.Command) error {
	if b := c.GetBootstrap(); b != nil {
		return d.bootstrap(b)
	}
	if d.ClusterId == "" {
		return refuse(Precondition, "cluster", "make one with `cluster setup`", "this node is in no cluster")
	}
	switch body := c.Body.(type) {
	case *pb.Command_Change:
		return d.change(body.Change)
	case *pb.Command_PutNode:
		return d.putNode(body.PutNode)
	case *pb.Command_RemoveNode:
		return d.removeNode(body.RemoveNode)
	case *pb.Command_PutToken:
		return d.putToken(body.PutToken)
	case *pb.Command_RedeemToken:
		return d.redeemToken(body.RedeemToken)
	case *pb.Command_Admit:
		return d.admit(body.Admit)
	case *pb.Command_NodeGone:
		return d.nodeGone(body.NodeGone)
	case *pb.Command_SetElectorate:
		return d.setElectorate(body.SetElectorate)
	case *pb.Command_ConfirmElectorate:
		return d.confirmElectorate(body.ConfirmElectorate)
	case *pb.Command_Fork:
		return d.forkAlone(body.Fork)
	case *pb.Command_SetLength:
		return d.setLength(body.SetLength)
	case *pb.Command_LocalTrouble:
		return d.localTrouble(body.LocalTrouble)
	case *pb.Command_Dispatch:
		return d.dispatch(body.Dispatch)
	case *pb.Command_RecordResult:
		return d.recordResult(body.RecordResult.GetResult())
	case *pb.Command_Free:
		return d.free(body.Free)
	case *pb.Command_Record:
		return d.recordAll(body.Record)
	case *pb.Command_SetTransient:
		return d.setTransient(body.SetTransient)
	case *pb.Command_ReportDisk:
		return d.reportDisk(body.ReportDisk)
	case *pb.Command_RecordFencing:
		return d.recordFencing(body.RecordFencing)
	case *pb.Command_RunByHand:
		return d.runByHand(body.RunByHand)
	case *pb.Command_RecordDevice:
		return d.recordDevice(body.RecordDevice.GetCondition())
	case *pb.Command_RecordAlerts:
		return d.recordAlerts(body.RecordAlerts)
	default:
		panic(fmt.Sprintf("apply entry %d: command %T is not one of this build", d.index, c.Body))
	}
}
