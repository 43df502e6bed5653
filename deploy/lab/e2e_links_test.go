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
