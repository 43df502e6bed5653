package state

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// Whoever runs a resource halts it by what it was when it was started.
func TestAShorterLapseHoldsFromTheNextStartOnS4(t *testing.T) {
	c := newCluster(t)
	lapse := func(d time.Duration) {
		t.Helper()
		err := c.propose(change(&pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{
			Id: "db", Traits: &pb.Traits{Lapse: durationpb.New(d)},
		}}}))
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, want time.Duration) {
		t.Helper()
		if got := Lapse(c.state(), "db"); got != want {
			t.Errorf("%s: it may outlive the lease by %v, want %v", when, got, want)
		}
	}
	c.run("start db a\ndone db a")
	lapse(0)
	want("shortened while it runs", 20*time.Second)
	lapse(time.Minute)
	want("made longer, as a reload may", time.Minute)
	lapse(time.Second)
	c.run("stop db a\ndone db a\nstart db b\ndone db b")
	want("after another start", time.Second)
}
