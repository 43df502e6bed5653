package lab

import "testing"

// TestE2ELeaderKilledMovesNothing kills the leader's agent while another node
// has the address: no probe of the client may be lost.
func TestE2ELeaderKilledMovesNothing(t *testing.T) {
	const runs = 20
	s := newScene(t, "n1", "n2", "n3")
	s.form()
	q, err := newQuorate(t.Context(), s.cluster, Shape{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := bench(t.Context(), s.Lab, q, task{Event: EventLeaderKill}, runs, func(i int, run Run) {
		if run.OwnerWasLeader {
			t.Errorf("run %d: the owner was the leader", i+1)
		}
		if run.lost > 0 || run.Double > 0 || run.Shared > 0 {
			t.Errorf("run %d: %d probes lost, gaps %v from %v; two nodes answered for %v ms", i+1, run.lost, run.gaps, run.cause, run.Double)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("in %d runs the longest time without an answer in time was %v ms", runs, result.Max)
}
