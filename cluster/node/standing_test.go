package node

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// hears makes the site's agent one that has to hear something for ten seconds.
type hears struct {
	surveyed
	since time.Time
}

var _ resources.Rehearser = (*hears)(nil)

func (*hears) Stand(context.Context, []*pb.Resource) error { return nil }

func (h *hears) Rehearse(*pb.Resource) *resources.Rehearsal {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &resources.Rehearsal{Since: h.since, Length: 10 * time.Second, Text: "all that is said"}
}

func (h *hears) Find(string) (resources.Agent, error) { return h, nil }

func TestANodeIsReadyWhenItHasHeardForLongEnough(t *testing.T) {
	onSite(t, "", func(s *site) {
		h := &hears{surveyed: surveyed{s}}
		s.reporter.agents = h
		s.set(func() {}) // it asks the new agent
		expect := func(when string, stands, ready bool) {
			t.Helper()
			got := state.StandingOf(s.node(), "vip")
			if (got != nil) != stands || got.GetReady() != ready {
				t.Errorf("%s: standing %v; want one %v, ready %v", when, got, stands, ready)
			}
		}
		time.Sleep(time.Minute)
		expect("while it hears nothing", true, false)
		s.set(func() { h.since = time.Now() })
		time.Sleep(9 * time.Second)
		expect("after nine seconds", true, false)
		time.Sleep(3 * time.Second)
		expect("after twelve", true, true)
		again := &pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{Node: "a", FromEpoch: 1, Nonce: 2, Lease: durationpb.New(time.Second)}}}
		if err := s.propose(context.Background(), again); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		expect("after nine seconds of a new epoch: it may have been cut off before", true, false)
		time.Sleep(3 * time.Second)
		expect("after twelve seconds of a new epoch", true, true)
	})
}
