package lab

import "testing"

// TestE2EKeepalivedTutorials does to the owner what the keepalived tutorials
// do to theirs, and what else befalls an agent, with a client probing.
func TestE2EKeepalivedTutorials(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	for _, tt := range []struct{ name, fault, moves, repair string }{
		{"owner powered off and on", "power-off lvsm", "all on lvss", "heal lvsm"},
		{"agent stopped and started", "lvsm# pcs cluster stop", "all on lvss", "lvsm# pcs cluster start"},
		{"network cut and restored", "cut lvsm", "all on lvss", "heal lvsm"},
		{"agent killed and started", "kill lvsm", "all on lvss", "heal lvsm"},
		{"agent frozen and thawed", "freeze lvsm", "all on lvss", "heal lvsm"},
		{"cable pulled and plugged", "unplug lvsm", "all on lvss", "heal lvsm"},
		{"agent terminated and started", "terminate lvsm", "all on lvss", "heal lvsm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			s.play("lvsm# pcs resource move VirtualIP lvsm\nall on lvsm")
			client := s.client("")
			s.play(tt.fault)
			s.play(tt.moves)
			repaired := now()
			s.play(tt.repair)
			s.play("all on lvss")
			seen := client.ends("lvss")
			for _, g := range unanswered(seen.tallies[0], repaired) {
				t.Errorf("the client had no answer after the repair: %v from %v after it", g, g.From-repaired)
			}
			for _, g := range unanswered(seen.tallies[0], 0) {
				if g.Length() > longestGap {
					t.Errorf("the client had no answer for %v", g.Length())
				}
			}
		})
	}
}
