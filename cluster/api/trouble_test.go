package api

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "quorate/proto/quorate/v1"
)

func TestStatusNamesTheDiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := desk(t)
		w.with(func() {
			for _, c := range []*pb.Command{
				{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "second", Name: "lvss", Addresses: []string{"lvss:1"}}}}},
				{Body: &pb.Command_ReportDisk{ReportDisk: &pb.ReportDisk{
					Node: "second", HangsSince: timestamppb.Now(), Text: "a write of the log is under way",
				}}},
			} {
				if _, err := w.apply(c); err != nil {
					t.Fatal(err)
				}
			}
		})
		w.agents[0].trouble = "its disk hangs: no space left on device"
		r, err := s.Get(t.Context(), &pb.GetRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"lvsm takes no part in the consensus: its disk hangs: no space left on device",
			"disk of lvss hangs since 2000-01-01 ",
		} {
			if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.HasPrefix(p, want) }) {
				t.Errorf("problems %q, want one that begins with %q", r.Problems, want)
			}
		}
	})
}
