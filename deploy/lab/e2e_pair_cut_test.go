package lab

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestE2EPairWhoseCableIsCutServesOnce has the two meet on a cable of their own
// only, and cuts it. The clients' network works, so the owner answers there for
// what the other would take. When the owner dies, the other finds out.
func TestE2EPairWhoseCableIsCutServesOnce(t *testing.T) {
	s := newWiredScene(t, 2, "lvsm", "lvss")
	s.play(`
		lvsm# pcs cluster auth lvsm addr=10.78.0.11 lvss addr=10.78.0.12 -u hacluster -p secret
		lvsm# pcs cluster setup --name auth_cluster lvsm addr=10.78.0.11 lvss addr=10.78.0.12
		lvsm# pcs cluster start --all
		lvsm# pcs property set stonith-enabled=false no-quorum-policy=ignore
		lvsm# pcs resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP cidr_netmask=32 op monitor interval=30s
		all on lvsm
	`)
	c := s.client("")
	s.play(`cut lvsm --network cable`)
	s.eventually("lvss", "pcs quorum status", "held back: another host")
	s.eventually("lvsm", "pcs quorum status", "lvsm has gone on alone")
	s.play(`
		all on lvsm
		lvsm# pcs resource defaults resource-stickiness=7
		heal lvsm --network cable
	`)
	s.together("lvsm", "lvss")
	s.play(`all on lvsm`)
	s.eventually("lvss", "pcs resource defaults", "resource-stickiness=7")
	seen := c.ends("lvsm")
	if gaps := unanswered(seen.tallies[0], 0); len(gaps) > 0 {
		t.Errorf("the client noticed: %v", gaps)
	}
}

// TestE2EPairWhereEachServesKeepsWhatItHas cuts the cable between two of which
// each has an address. Neither takes the other's, neither forks, and after the
// repair nothing has happened.
func TestE2EPairWhereEachServesKeepsWhatItHas(t *testing.T) {
	s := newWiredScene(t, 2, "lvsm", "lvss")
	s.play(`
		lvsm# pcs cluster auth lvsm addr=10.78.0.11 lvss addr=10.78.0.12 -u hacluster -p secret
		lvsm# pcs cluster setup --name auth_cluster lvsm addr=10.78.0.11 lvss addr=10.78.0.12
		lvsm# pcs cluster start --all
		lvsm# pcs property set stonith-enabled=false no-quorum-policy=ignore
		lvsm# pcs resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP cidr_netmask=32
		lvsm# pcs resource create Second ocf:heartbeat:IPaddr2 ip=10.77.0.101 cidr_netmask=32
		lvsm# pcs constraint location VirtualIP prefers lvsm=INFINITY
		lvsm# pcs constraint location Second prefers lvss=INFINITY --wait
	`)
	c := s.client("")
	s.play(`cut lvsm --network cable`)
	s.eventually("lvsm", "pcs quorum status", "held back: another host")
	s.eventually("lvss", "pcs quorum status", "held back: another host")
	s.play(`heal lvsm --network cable`)
	s.together("lvsm", "lvss")
	s.eventually("lvsm", "quorate events", "lvss hears lvsm again; meanwhile it was held back")
	s.play(`
		lvsm# quorate events
		never says goes on alone
		never says is gone
	`)
	seen := c.ends("lvsm")
	if gaps := unanswered(seen.tallies[0], 0); len(gaps) > 0 {
		t.Errorf("the client noticed: %v", gaps)
	}
}

// TestE2EPairWhoseOwnerIsCutOffMovesWithAPingTarget cuts the owner off from all. It
// stops by itself, as no ping target answers it, and the other serves.
func TestE2EPairWhoseOwnerIsCutOffMovesWithAPingTarget(t *testing.T) {
	s := newScene(t, "lvsm", "lvss")
	s.formAs(Pair)
	s.play(`
		lvsm# pcs property set quorum.ping=10.77.0.10
		all on lvsm
	`)
	c := s.client("")
	s.play(`
		cut lvsm
		all on lvss
	`)
	s.eventually("lvsm", "pcs quorum status", "lvsm is cut off: no ping target answers")
	s.play(`heal lvsm --network lan`)
	s.together("lvsm", "lvss")
	s.play(`
		all on lvss
	`)
	c.ends("lvss")
}

// TestE2EPairThatBootsApartServesNothingTwice has both lose power, and one boot
// without the other. It waits, until a person says that the other is off.
func TestE2EPairThatBootsApartServesNothingTwice(t *testing.T) {
	s := newScene(t, "lvsm", "lvss")
	s.formAs(Pair)
	var off errgroup.Group // at once: who is alone for long goes on alone
	for _, n := range s.Spec.Nodes() {
		off.Go(func() error { _, err := s.Fault(t.Context(), PowerOff, n); return err })
	}
	if err := off.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Strike(t.Context(), Trouble{Fault: Heal, Host: "lvss"}); err != nil {
		t.Fatal(err)
	}
	s.eventually("lvss", "pcs quorum status", "has not heard lvsm since its agent started")
	s.play(`
		lvss# echo no | pcs quorum unblock 2>&1 || echo refused
		says refused
		lvss# echo lvsm | pcs quorum unblock
		all on lvss
		heal lvsm
		all on lvss
	`)
}

// together waits until two nodes hear each other, by the word of both.
func (s *scene) together(a, b string) {
	s.Helper()
	s.eventually(a, "pcs quorum status", a+" and "+b+" hear each other")
	s.eventually(b, "pcs quorum status", b+" and "+a+" hear each other")
}

// eventually types a command until it says a text.
func (s *scene) eventually(host, command, text string) {
	s.Helper()
	err := await(s.Context(), host+" says "+text, func() error {
		said, err := s.Output(s.Context(), host, "sh", "-c", command)
		if err == nil && !strings.Contains(said, text) {
			err = fmt.Errorf("it said:\n%s", said)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}
