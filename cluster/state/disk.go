package state

import (
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
)

// reportDisk notes that a node's disk hangs, or is back. It changes nothing for
// what runs there.
func (d *draft) reportDisk(r *pb.ReportDisk) error {
	n := NodeByID(d.State, r.Node)
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", r.Node)
	case r.HangsSince != nil && !r.HangsSince.IsValid():
		return refuse(Invalid, "hangs_since", "", "it is not a time")
	case r.HangsSince == nil && n.DiskHangsSince == nil:
		return refuse(Stale, "hangs_since", "", "the disk of %s is not known to hang", n.Name)
	}
	e := &pb.Event{Node: n.Name}
	if r.HangsSince != nil {
		e.Kind, e.Severity = "disk-hangs", pb.Severity_SEVERITY_ERROR
		e.Text = fmt.Sprintf("the disk of %s hangs: %s", n.Name, r.Text)
	} else {
		e.Kind, e.Severity = "disk-back", pb.Severity_SEVERITY_INFO
		took := d.at.AsTime().Sub(n.DiskHangsSince.AsTime()).Round(100 * time.Millisecond)
		e.Text = fmt.Sprintf("the disk of %s is back after %v", n.Name, took)
	}
	d.putNodeRecord(with(n, func(n *pb.Node) { n.DiskHangsSince = r.HangsSince }))
	d.record(e)
	return nil
}
