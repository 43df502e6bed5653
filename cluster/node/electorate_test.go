package node

import (
	"fmt"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Rule 2 and H3: Raft takes a change of its configuration for true as soon as it
// is in the log of its leader. That one may be alone with it: nobody else counts
// by it, and so its own lease must not either. The leader soon puts Raft's
// configuration right, so that one try may see nothing.
func TestH3LeasesAreNotCountedByRaftsVoters(t *testing.T) {
	onTwoMachines(t, func(w *world, a, b *machine) {
		a.set("no-quorum-policy", "stop")
		for try := range 6 {
			leader, other := a, b
			if b.core.Leads() {
				leader, other = b, a
			}
			w.setCut(true)
			if err := leader.core.raft.DemoteVoter(other.id); err != nil {
				t.Fatal(err)
			}
			leader.set("restart-lease", fmt.Sprintf("%ds", 5+try)) // an entry that it commits by itself
			time.Sleep(2 * profileByName("lan").Lease)
			_, _, held := leader.core.Held()
			w.setCut(false)
			if held {
				t.Errorf("%s holds a lease by its own ack alone, and the voters are %s", leader.id, w.voters(leader))
				return
			}
			w.await("both vote again", w.together)
			time.Sleep(time.Second)
		}
	})
}

// set sets a property of the cluster.
func (m *machine) set(property, value string) {
	m.change(&pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{
		Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER, Set: map[string]string{property: value},
	}}})
}
