package scheduler

import "testing"

// The sequence of the tutorials: an address and a HAProxy on two directors.
func TestTutorial(t *testing.T) {
	for _, failback := range []string{"score", "manual"} {
		t.Run("failback "+failback, func(t *testing.T) {
			m := newModel(t, parse(t, `lvsm online, lvss online, web1 online
				VirtualIP unknown lvsm unknown lvss unknown web1
				WebService unknown lvsm unknown lvss unknown web1
				WebService with VirtualIP INFINITY
				default resource-stickiness=1`))
			m.s.ResourceDefaults["failback"] = failback
			back := "VirtualIP lvsm, WebService lvsm"
			if failback == "manual" {
				back = "VirtualIP lvss, WebService lvss"
			}
			steps := []struct {
				what string
				do   func()
				want string
			}{
				{"created", func() {}, "VirtualIP lvsm, WebService lvsm"},
				{"lvsm stopped", func() { m.stop("lvsm") }, "VirtualIP lvss, WebService lvss"},
				{"lvsm started: nothing comes back", func() { m.start("lvsm") }, "VirtualIP lvss, WebService lvss"},
				{"WebService prefers lvsm", func() { m.add("WebService prefers lvsm=50") }, back},
				{"lvsm stopped again", func() { m.stop("lvsm") }, "VirtualIP lvss, WebService lvss"},
				{"lvsm started again", func() { m.start("lvsm") }, back},
				{"lvsm loses its power", func() { m.lose("lvsm") }, "VirtualIP lvss, WebService lvss"},
				{"lvsm is back", func() { m.rejoin("lvsm") }, back},
			}
			for _, s := range steps {
				s.do()
				p := m.settle(first)
				if got := m.places(); got != s.want {
					t.Fatalf("%s:\n got %s\nwant %s\n%s\n%s", s.what, got, s.want, p.Placements[0].Reason(), p.Placements[1].Reason())
				}
			}
		})
	}
}
