package lab

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"quorate/cluster/state"
)

// TestE2EPromotable has Debian's Stateful run on every node, promoted on one, with
// the address beside the promoted one. What is promoted moves with a node's power,
// never to two nodes at once (S1), and comes back with its agent's scores.
func TestE2EPromotable(t *testing.T) {
	if _, err := os.Stat("/usr/lib/ocf/resource.d/heartbeat/Stateful"); err != nil {
		t.Skip("SKIPPED: needs resource-agents")
	}
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	s.play(`
		lvsm# pcs resource create Db ocf:heartbeat:Stateful state=/run/db.state op monitor interval=1s role=Promoted op monitor interval=2s role=Unpromoted op stop timeout=2s promotable --wait 2>&1
		lvsm# pcs constraint colocation add VirtualIP with Promoted Db-clone
		lvsm# pcs constraint order promote Db-clone then start VirtualIP
		lvsm# pcs constraint location add first Db-clone lvsm 20 role=Promoted
	`)
	s.runs("Db", "lvsm", "lvss", "web1")
	s.promoted("lvsm")
	s.play(`
		lvsm# quorate why Db-clone
		says Db is promoted on lvsm: as promoted it scores lvsm
		lvsm# quorate node attribute
		says lvsm: master-Db=10 (until it goes)
		says lvss: master-Db=5 (until it goes)
		lvsm# pcs constraint location Db-clone rule role=Promoted score=40 '#uname' eq lvss --wait
	`)
	s.promoted("lvss")
	s.runs("VirtualIP", "lvss")
	t.Run("demoted by another hand it is promoted again", func(t *testing.T) { s.in(t).losesARole() })
	t.Run("killed it is promoted again", func(t *testing.T) { s.in(t).losesTheInstance() })
	t.Run("it fails over with its node", func(t *testing.T) { s.in(t).losesThePromotedNode() })
}

// promoted waits until Db is promoted on a node, and on no other, for all that this
// one knows.
func (s *scene) promoted(node string) {
	s.Helper()
	err := await(s.Context(), "Db promoted on "+node, func() error {
		v, err := s.cluster.View(s.Context(), node)
		if err != nil {
			return err
		}
		var on []string
		for _, i := range v.GetState().GetInstances() {
			if i.Promoted {
				on = append(on, state.NodeName(v.GetState(), i.Node))
			}
		}
		if !slices.Equal(on, []string{node}) {
			return fmt.Errorf("it is promoted on %q", on)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) losesARole() {
	s.Helper()
	s.play("lvss# echo slave > /run/db.state")
	s.until("lvss", "an event of the role", "quorate events --resource Db", "it runs, and is not promoted any more")
	s.promoted("lvss")
}

func (s *scene) losesTheInstance() {
	s.Helper()
	s.play("lvss# rm /run/db.state")
	s.until("lvss", "an event of the failure", "quorate events --resource Db", "monitor of Db on lvss failed: monitor: it is not running")
	s.promoted("lvss")
	s.runs("VirtualIP", "lvss")
}

// losesThePromotedNode takes the power from the node with the promoted instance. No
// other is promoted before that may have ended (S1).
func (s *scene) losesThePromotedNode() {
	s.Helper()
	off := s.powerOff("lvss")
	s.promoted("lvsm")
	if took := now() - off; took < stopOfDb {
		s.Errorf("promoted elsewhere after %v, within the time that its stop may take", took)
	} else {
		s.Logf("promoted elsewhere after %v", took)
	}
	s.runs("VirtualIP", "lvsm")
	s.play("heal lvss")
	s.runs("Db", "lvsm", "lvss", "web1")
	s.promoted("lvss")
	s.runs("VirtualIP", "lvss")
}

// stopOfDb is the timeout of its stop.
const stopOfDb = 2 * time.Second
