package lab

import (
	"fmt"
	"strings"
	"testing"
)

// TestE2ETwoNodesAndAWitness has two nodes and a witness lose each of the three
// in turn: the other node takes over, and nothing moves for the witness. It leads
// only while nobody else can, and hosts nothing.
func TestE2ETwoNodesAndAWitness(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "tiny")
	s.formAs(Shape{Witness: "tiny"})
	s.play(`
		lvsm# pcs resource defaults failback=manual
		all on lvsm
		lvsm# quorate quorum status
		says tiny
		says witness`)
	for _, tt := range []struct{ fault, owner, leaders string }{
		{"power-off tiny", "lvsm", "lvsm lvss"},
		{"kill tiny", "lvsm", "lvsm lvss"},
		{"power-off lvsm", "lvss", "lvss"},
		{"power-off lvss", "lvsm", "lvsm"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			s := s.in(t)
			client := s.client("")
			s.play(tt.fault + "\nall on " + tt.owner)
			s.ledByOneOf(tt.owner, tt.leaders)
			seen := client.ends(tt.owner)
			if strings.HasSuffix(tt.fault, "tiny") {
				s.lostNothing(seen)
			}
			_, down, _ := strings.Cut(tt.fault, " ")
			s.play("heal " + down)
			s.ledByOneOf(tt.owner, "lvsm lvss")
		})
	}
	s.size("tiny")
}

// ledByOneOf waits until one of some nodes leads, in the sight of one.
func (s *scene) ledByOneOf(sight, leaders string) {
	s.Helper()
	err := await(s.Context(), "another leader", func() error {
		v, err := s.cluster.View(s.Context(), sight)
		if err != nil {
			return err
		}
		if v.Leader == "" || !strings.Contains(leaders, v.Leader) {
			return fmt.Errorf("%q leads", v.Leader)
		}
		return nil
	})
	if err != nil {
		s.Error(err)
	}
}

// size tells how much memory an agent uses, and that it is not too much for the
// small machine that a witness may be.
func (s *scene) size(node string) {
	s.Helper()
	hosts, err := s.Status(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, h := range hosts {
		if h.Name != node {
			continue
		}
		if used := h.Agent.Memory >> 20; used > 64 {
			s.Errorf("the agent of %s uses %d MiB", node, used)
		} else {
			s.Logf("the agent of %s uses %d MiB", node, used)
		}
	}
}
