package node

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

const (
	diskRound  = time.Second     // between looks at the disk
	diskNotice = 2 * time.Second // how long it must hang for the cluster to be told
	diskTell   = 2 * time.Second // bounds one attempt to tell it
)

// reportDisk tells the cluster when this node's disk hangs and when it is back,
// until ctx is canceled. The leader commits that: a node whose disk hangs is not
// it, or not for long. That the cluster thinks so of a node whose disk is well, it
// may have from an earlier start.
func (k *Core) reportDisk(ctx context.Context) error {
	round := time.NewTicker(diskRound)
	defer round.Stop()
	told := false // that it hangs; this node's own state learns of that only when it is back
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-round.C:
		}
		hang := k.raft.Hang()
		known := told || state.NodeByID(k.store.Get().State, k.id).GetDiskHangsSince() != nil
		report := diskReport(k.id, hang, known, time.Now())
		if report != nil && k.tell(ctx, report) {
			told = report.HangsSince != nil
		}
	}
}

// diskReport is what the cluster has yet to be told; nil: nothing.
func diskReport(id string, hang *consensus.HangError, known bool, now time.Time) *pb.ReportDisk {
	switch {
	case hang != nil && !known && now.Sub(hang.Since) >= diskNotice:
		return &pb.ReportDisk{Node: id, HangsSince: timestamppb.New(hang.Since), Text: hang.Error()}
	case hang == nil && known:
		return &pb.ReportDisk{Node: id}
	}
	return nil
}

// tell reports whether the cluster knows now.
func (k *Core) tell(ctx context.Context, r *pb.ReportDisk) bool {
	ctx, cancel := context.WithTimeout(ctx, diskTell)
	defer cancel()
	_, err := k.log.Propose(ctx, &pb.Command{Body: &pb.Command_ReportDisk{ReportDisk: r}})
	var refused *state.Refusal
	return err == nil || errors.As(err, &refused)
}
