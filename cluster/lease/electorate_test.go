package lease

import (
	"strings"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// change proposes an electorate.
func (r *room) change(voters ...string) error {
	return r.Propose(r.ctx, &pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
		FromVersion: r.store.Get().State.Electorate.Version, Voters: voters,
	}}})
}

// Rule 19 and H1: who does not confirm a change is waited for, unless it is gone.
// That the leader does not hear it says nothing of its lease.
func TestRule19WhoTheLeaderDoesNotHearIsWaitedFor(t *testing.T) {
	inRoom(t, []string{"a", "b", "c", "d"}, func(r *room) {
		defer r.lead("a")()
		r.lag("d", true)
		r.delay(func(from, to string, _ *pb.LeaseDatagram) time.Duration {
			if from+to == "ad" || from+to == "da" {
				return time.Hour // lost
			}
			return 0
		})
		if err := r.change("a", "b", "d"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if !r.held("d") || r.epoch("d") != 1 || len(r.ends()) > 0 {
			t.Fatalf("d: held %v under epoch %d, gone %d times; want the lease that b and c ack", r.held("d"), r.epoch("d"), len(r.ends()))
		}
		if err := r.change("a", "d"); err == nil || !strings.Contains(err.Error(), "d has not yet confirmed") {
			t.Errorf("the next change was answered by %v, and d still counts the acks of c", err)
		}
		r.lag("d", false)
		r.engines["d"].Apply(r.store.Get().State)
		time.Sleep(time.Second)
		if err := r.change("a", "d"); err != nil {
			t.Errorf("after d has learned of the first change: %v", err)
		}
	})
}

// Rule 20 and H2: with the change of voters a lease is over that the new ones have
// not acked.
func TestRule20ALeaseIsCountedByTheNewVotersAtOnce(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.isolate("c", true)
		time.Sleep(length)
		if !r.held("a") {
			t.Fatal("a holds no lease, although b acks")
		}
		if err := r.change("a", "c"); err != nil {
			t.Fatal(err)
		}
		if r.held("a") {
			t.Error("a holds a lease of acks of b, which votes no more")
		}
	})
}
