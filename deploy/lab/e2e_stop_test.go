package lab

import "testing"

// TestE2EStopDownToTheLast stops three nodes one after the other, and switches
// each off when it has stopped. The address is served down to the last, and a
// node that is switched off costs nothing: it gave its vote back before. Then all
// are started again, the one first that was stopped first.
func TestE2EStopDownToTheLast(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	s.play("all on lvsm")
	client := s.client("")
	for _, step := range []struct{ node, next string }{{"lvsm", "lvss"}, {"lvss", "web1"}} {
		began := now()
		s.play(step.node + `# quorate cluster stop
			says gave its vote back and may be switched off`)
		moved := now()
		s.play("power-off " + step.node + "\nall on " + step.next)
		t.Logf("stopped in %v", moved-began)
		s.play(step.next + "# quorate status\nnever says no quorum")
	}
	seen := client.ends("web1")
	gaps := unanswered(seen.tallies[0], 0)
	if len(gaps) > 2 {
		t.Errorf("%d gaps, want one a stop at most: %v", len(gaps), gaps)
	}
	for _, g := range gaps {
		if g.Length() > longestGap {
			t.Errorf("a gap of %v", g.Length())
		}
	}
	s.play("web1# quorate cluster stop\npower-off web1")
	s.bootAndStart("lvsm")
	s.play("lvss# quorate cluster stop --all\npower-off lvsm\npower-off lvss\npower-off web1")
	s.bootAndStart("web1")
}

// bootAndStart powers all nodes on, and has one start them at once: it waits for
// a leader by itself.
func (s *scene) bootAndStart(on string) {
	s.Helper()
	for _, node := range s.Spec.Nodes() {
		if _, err := s.Fault(s.Context(), Heal, node); err != nil {
			s.Fatal(err)
		}
	}
	if err := await(s.Context(), "the agent of "+on, func() error { _, err := s.cluster.Get(s.Context(), on); return err }); err != nil {
		s.Fatal(err)
	}
	s.play(on + "# quorate cluster start --all")
	if _, err := s.cluster.Settled(s.Context()); err != nil {
		s.Fatal(err)
	}
}
