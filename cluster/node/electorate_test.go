package node

import (
	"fmt"
	"testing"
	"time"
)

// Rule 2 and H3: Raft takes a change of its configuration for true as soon as it
// is in the log of its leader. That one may be alone with it: nobody else counts
// by it, and so its own lease must not either. The leader soon puts Raft's
// configuration right, so that one try may see nothing: the entry that it would commit
// by itself is then lost with its leadership.
func TestH3LeasesAreNotCountedByRaftsVoters(t *testing.T) {
	onTwoMachines(t, func(w *world, a, b *machine) {
		a.change(property("no-quorum-policy", "stop"))
		for try := range 6 {
			leader, other := a, b
			if b.core.Leads() {
				leader, other = b, a
			}
			w.setCut(true)
			if err := leader.core.raft.DemoteVoter(other.id); err != nil {
				t.Fatal(err)
			}
			alone := leader.offer(change(property("restart-lease", fmt.Sprintf("%ds", 5+try))))
			t.Logf("an entry that %s offered alone: %v", leader.id, alone)
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
