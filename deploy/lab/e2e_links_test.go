package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestE2EOneLinkOfTwoIsCut cuts each of two networks, on each node and on all:
// the leader stays, no lease lapses, the status says which link is down, and no
// client loses a probe unless its own network is the one that is cut.
func TestE2EOneLinkOfTwoIsCut(t *testing.T) {
	s := newWiredScene(t, 2, "n1", "n2", "n3")
	s.form()
	s.linksUp(len(Networks[:2]))
	owner := s.owner()
	nodes := s.Spec.Nodes()
	for _, network := range []string{"cable", "lan"} {
		for _, struck := range [][]string{nodes[:1], nodes[1:2], nodes[2:], nodes} {
			t.Run(network+" of "+strings.Join(struck, ", "), func(t *testing.T) {
				s := s.in(t)
				before := s.calmness()
				c := s.client("")
				for _, n := range struck {
					s.strike(Trouble{Fault: Cut, Host: n, Network: network})
				}
				s.linkDown(network, struck)
				if err := pause(t.Context(), calm); err != nil {
					t.Fatal(err)
				}
				s.unmoved(before)
				for _, n := range struck {
					s.strike(Trouble{Fault: Heal, Host: n, Network: network})
				}
				s.linksUp(2)
				s.unmoved(before)
				seen := c.ends(owner)
				for _, tally := range seen.tallies {
					if reached := network != Networks[0] || !slices.Contains(struck, owner); reached && tally.Lost > tally.Late {
						t.Errorf("%s: %d probes lost, gaps %v", tally.Kind, tally.Lost, tally.Gaps)
					}
				}
			})
		}
	}
}

// TestE2ELinksThatAreHalfGood cuts a link one way, and lets one lose much of what
// it carries, for long enough that the pings tell.
func TestE2ELinksThatAreHalfGood(t *testing.T) {
	s := newWiredScene(t, 2, "n1", "n2", "n3")
	s.form()
	s.linksUp(2)
	tests := []struct {
		trouble Trouble
		shown   string // by n1 of n2's address on the second network
	}{
		{Trouble{Fault: Cut, Host: "n2", Network: "cable", Way: In}, "down one way"},
		{Trouble{Fault: Cut, Host: "n2", Network: "cable", Way: Out}, "down, last heard"},
		{Trouble{Fault: Lose, Host: "n2", Network: "cable", Percent: 30}, "lost"},
	}
	for _, tt := range tests {
		t.Run(tt.trouble.String(), func(t *testing.T) {
			s := s.in(t)
			before := s.calmness()
			s.strike(tt.trouble)
			err := await(t.Context(), "n1 to say "+tt.shown, func() error {
				said, err := s.Output(t.Context(), "n1", "quorate", "cluster", "status")
				if err != nil {
					return err
				}
				for line := range strings.Lines(said) {
					if strings.Contains(line, "10.78.0.12:7480") && strings.Contains(line, tt.shown) {
						return nil
					}
				}
				return fmt.Errorf("it says:\n%s", said)
			})
			if err != nil {
				t.Error(err)
			}
			if err := pause(t.Context(), calm); err != nil {
				t.Fatal(err)
			}
			s.strike(Trouble{Fault: Heal, Host: "n2", Network: "cable"})
			s.linksUp(2)
			s.unmoved(before)
		})
	}
}

// TestE2EASecondLinkIsGivenToARunningCluster gives nodes their second address
// later, and takes the first of one away.
func TestE2EASecondLinkIsGivenToARunningCluster(t *testing.T) {
	s := newWiredScene(t, 2, "n1", "n2", "n3")
	nodes := "n1 addr=10.77.0.11 n2 addr=10.77.0.12 n3 addr=10.77.0.13"
	s.play(`
		n1# pcs cluster auth n1 n2 n3 -u hacluster -p ` + password + `
		n1# pcs cluster setup lab ` + nodes + ` --start
	`)
	s.linksUp(1)
	before := s.calmness()
	s.play(`
		n1# pcs node addr n1 add 10.78.0.11
		n1# pcs node addr n2 add 10.78.0.12
		n1# pcs node addr n3 add 10.78.0.13
	`)
	s.linksUp(2)
	s.fails(1, "n1", "pcs node addr n2 add 10.78.0.99")
	for _, n := range s.Spec.Nodes() {
		s.strike(Trouble{Fault: Cut, Host: n, Network: "lan"})
	}
	s.linkDown("lan", s.Spec.Nodes())
	s.play(`
		n1# pcs node addr n2 remove 10.77.0.12
		n1# pcs node addr
		says n2: 10.78.0.12:7480
	`)
	for _, n := range s.Spec.Nodes() {
		s.strike(Trouble{Fault: Heal, Host: n, Network: "lan"})
	}
	s.unmoved(before)
}

func (s *scene) strike(t Trouble) {
	s.Helper()
	if _, err := s.Strike(s.Context(), t); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) owner() string {
	s.Helper()
	v, err := s.cluster.View(s.Context(), s.Spec.Nodes()[0])
	if err != nil {
		s.Fatal(err)
	}
	return v.Owners[vipResource]
}

// linksUp waits until every node sees so many links to each other node, all up.
func (s *scene) linksUp(each int) {
	s.Helper()
	err := await(s.Context(), "all links to be up", func() error {
		for _, n := range s.Spec.Nodes() {
			r, err := s.cluster.Get(s.Context(), n)
			if err != nil {
				return err
			}
			if got, want := len(r.GetLinks()), each*(len(s.Spec.Nodes())-1); got != want {
				return fmt.Errorf("%s sees %d links, want %d", n, got, want)
			}
			for _, l := range r.GetLinks() {
				if !l.GetUp() {
					return fmt.Errorf("%s sees %s down", n, l.GetAddress())
				}
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// linkDown waits until every node says that its links to the struck nodes over a
// network are down, and no other is.
func (s *scene) linkDown(network string, struck []string) {
	s.Helper()
	var addresses []string
	for _, n := range s.Spec.Nodes() {
		h, _ := s.Spec.Host(n)
		addresses = append(addresses, h.Addresses()[slices.Index(Networks, network)].String()+":7480")
	}
	began := time.Now()
	err := await(s.Context(), "the status to say which links are down", func() error {
		for i, n := range s.Spec.Nodes() {
			r, err := s.cluster.Get(s.Context(), n)
			if err != nil {
				return err
			}
			for _, l := range r.GetLinks() {
				at := slices.Index(addresses, l.GetAddress())
				down := at >= 0 && (slices.Contains(struck, n) || slices.Contains(struck, s.Spec.Nodes()[at]))
				if at != i && l.GetUp() == down {
					return fmt.Errorf("%s says of %s: up is %t", n, l.GetAddress(), l.GetUp())
				}
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Logf("the status says so after %v", time.Since(began))
}

// A calmness is what must not change when nothing happens.
type calmness struct {
	leader    string
	elections int // as the agents tell of them
	lapses    map[string]uint64
}

func (s *scene) calmness() calmness {
	s.Helper()
	c := calmness{lapses: map[string]uint64{}}
	for _, n := range s.Spec.Nodes() {
		v, err := s.cluster.View(s.Context(), n)
		log, logErr := os.ReadFile(s.Log(n))
		if err := errors.Join(err, logErr); err != nil {
			s.Fatal(err)
		}
		c.leader = v.Leader
		c.lapses[n] = v.GetLease().GetLapses()
		for _, line := range []string{"starting election", "stepping down"} {
			c.elections += strings.Count(string(log), line)
		}
	}
	return c
}

func (s *scene) unmoved(before calmness) {
	s.Helper()
	now := s.calmness()
	if now.leader != before.leader || now.elections != before.elections {
		s.Errorf("the leader was %s and is %s, after %d elections or attempts", before.leader, now.leader, now.elections-before.elections)
	}
	for n, lapses := range now.lapses {
		if lapses != before.lapses[n] {
			s.Errorf("%s: its lease lapsed %d times", n, lapses-before.lapses[n])
		}
	}
}
