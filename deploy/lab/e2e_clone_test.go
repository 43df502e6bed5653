package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// TestE2ECloneOfHAProxy runs HAProxy on every node and an address before one of
// them. When the owner loses its power, the address goes where HAProxy runs
// already: a client waits for the address alone, and for no HAProxy to start.
func TestE2ECloneOfHAProxy(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.writeHAProxyConfiguration()
	everywhere := strings.ReplaceAll(haproxyConfiguration, "bind 10.77.0.100:", "bind *:")
	if err := os.WriteFile(filepath.Join(s.Shared(), "clone.cfg"), []byte(everywhere), 0o644); err != nil {
		t.Fatal(err)
	}
	s.form()
	s.play(`
		lvsm# pcs resource create Web ocf:heartbeat:haproxy conffile=$SHARED/clone.cfg op monitor interval=20 timeout=10 clone
		lvsm# pcs constraint colocation add VirtualIP with Web-clone INFINITY
		lvsm# pcs constraint order Web-clone then VirtualIP
	`)
	s.runs("Web", "lvsm", "lvss", "web1")
	s.runs("VirtualIP", "lvsm")
	s.serves()
	s.play(`
		lvsm# pcs status
		says clone Web-clone
		lvsm# quorate why Web-clone
		says Web runs on web1: clone Web-clone runs on every node that may run it
		lvsm# quorate why VirtualIP
		says VirtualIP runs on lvsm: it is colocated with Web (INFINITY, colocation-VirtualIP-Web-clone-INFINITY)
		lvsm# quorate simulate --node-down lvsm
		says move  VirtualIP  lvsm → lvss
		says stop  Web        on lvsm
		lvsm# pcs resource meta Web-clone clone-max=2 --dry-run
		says stop  Web  on web1
	`)
	client := s.client("http://$VIP/")
	s.play("power-off lvsm")
	s.runs("VirtualIP", "lvss")
	s.play("heal lvsm")
	s.runs("Web", "lvsm", "lvss", "web1")
	for _, g := range client.ends("lvss").tallies[0].Gaps { // the address; pages may wait for a busy machine
		if g.Silence() > longestGap {
			t.Errorf("the address: %v", g)
		}
	}
	s.play(`
		lvsm# quorate events -n 0
		says VirtualIP failed over from lvsm to lvss
		says Web was started on lvsm again
		lvsm# quorate events --resource Web --node lvss
		never says again
	`)
	t.Run("a failure elsewhere disturbs no address", func(t *testing.T) { s.in(t).losesAnInstance() })
	t.Run("and back to one node", func(t *testing.T) { s.in(t).unclones() })
}

// losesAnInstance ends HAProxy on a node that has no address.
func (s *scene) losesAnInstance() {
	s.Helper()
	s.play(`lvsm# quorate events --resource VirtualIP`)
	before := s.said
	s.play(`web1# pkill -KILL -x haproxy`)
	err := await(s.Context(), "an event of the failure", func() error {
		if err := s.types("lvsm", "quorate events --resource Web --node web1"); err != nil {
			return err
		}
		if !strings.Contains(s.said, "Web was restarted on web1") {
			return errors.New("it said:\n" + s.said)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	s.runs("Web", "lvsm", "lvss", "web1")
	s.play(`lvsm# quorate events --resource VirtualIP`)
	if s.said != before {
		s.Errorf("the address was disturbed: before\n%s\nand then\n%s", before, s.said)
	}
	s.serves()
}

// unclones keeps HAProxy where the address is.
func (s *scene) unclones() {
	s.Helper()
	says := s.fails(2, "lvsm", "pcs resource unclone Web-clone")
	if want := "Web runs on 3 nodes"; !strings.Contains(says, want) {
		s.Errorf("want it to say %q", want)
	}
	s.play(`
		lvsm# pcs resource meta Web-clone clone-max=1 --wait=30s
		lvsm# pcs resource unclone Web-clone --wait=30s
		lvsm# pcs constraint
		says VirtualIP with Web INFINITY
		all on lvss
	`)
}

// runs waits until a resource runs on the nodes and nowhere else, by the word of
// each of them.
func (s *scene) runs(resource string, nodes ...string) {
	s.Helper()
	err := await(s.Context(), resource+" on "+strings.Join(nodes, ", "), func() error {
		for _, node := range nodes {
			v, err := s.cluster.View(s.Context(), node)
			if err != nil {
				return err
			}
			var on []string
			for _, a := range state.AssignmentsOf(v.GetState(), resource) {
				i := state.InstanceOf(v.GetState(), resource, a.Node)
				if !a.Revoking && !a.Orphaned && i.GetState() == pb.InstanceState_INSTANCE_STATE_RUNNING {
					on = append(on, state.NodeName(v.GetState(), a.Node))
				}
			}
			if slices.Sort(on); !slices.Equal(on, nodes) {
				return fmt.Errorf("it runs on %q, as %s sees it", on, node)
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}
