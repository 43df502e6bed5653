package node

import (
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Rule 2 and H3: Raft takes a change of its configuration for true as soon as it
// is in the log of its leader. That one may be alone with it: nobody else counts
// by it, and so its own lease must not either.
func TestH3LeasesAreNotCountedByRaftsVoters(t *testing.T) {
	onTwoMachines(t, func(w *world, a, b *machine) {
		set := func(m *machine, property, value string) {
			m.change(&pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{
				Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER, Set: map[string]string{property: value},
			}}})
		}
		set(a, "no-quorum-policy", "stop")
		leader, other := a, b
		if b.core.Leads() {
			leader, other = b, a
		}
		w.setCut(true)
		if err := leader.core.raft.DemoteVoter(other.id); err != nil {
			t.Fatal(err)
		}
		set(leader, "restart-lease", "5s") // an entry that it commits by itself
		time.Sleep(2 * profileByName("lan").Lease)
		if _, _, held := leader.core.Held(); held {
			t.Errorf("%s holds a lease by its own ack alone, and the voters are %s", leader.id, w.voters(leader))
		}
		w.setCut(false)
	})
}
