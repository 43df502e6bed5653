package state

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "quorate/proto/quorate/v1"
)

func TestANodesDiskIsKnownToHangUntilItSaysThatItIsBack(t *testing.T) {
	c := newCluster(t)
	report := func(node string, since *timestamppb.Timestamp) error {
		return c.propose(&pb.Command{Body: &pb.Command_ReportDisk{ReportDisk: &pb.ReportDisk{
			Node: node, HangsSince: since, Text: "a write of the log is under way since 12:00:00",
		}}})
	}
	if err := report("b", nil); err == nil {
		t.Error("a disk that did not hang is back")
	}
	if err := report("nobody", timestamppb.New(noon)); err == nil {
		t.Error("the disk of no member hangs")
	}
	since := timestamppb.New(noon.Add(time.Duration(c.index) * time.Second))
	if err := report("b", since); err != nil {
		t.Fatal(err)
	}
	if got := NodeByID(c.state(), "b").DiskHangsSince; got.AsTime() != since.AsTime() {
		t.Errorf("hangs since %v, want %v", got.AsTime(), since.AsTime())
	}
	if err := report("b", nil); err != nil {
		t.Fatal(err)
	}
	if n := NodeByID(c.state(), "b"); n.DiskHangsSince != nil {
		t.Errorf("hangs since %v although it is back", n.DiskHangsSince.AsTime())
	}
	events := c.state().Events
	for i, want := range []string{
		"the disk of nb hangs: a write of the log is under way since 12:00:00",
		"the disk of nb is back after 2s",
	} {
		if got := events[len(events)-2+i].Text; got != want {
			t.Errorf("event %d: got %q, want %q", i, got, want)
		}
	}
}
