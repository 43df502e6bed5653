package lab

import (
	"fmt"
	"testing"
)

// TestE2ERollingRestart restarts all agents in turn, three times over, under
// clients that ask for the address and a page all the time: not one probe may be
// lost (lease protocol, rule 25).
func TestE2ERollingRestart(t *testing.T) {
	const rounds = 3
	s := newScene(t, "lvsm", "lvss", "web1")
	s.writeHAProxyConfiguration()
	s.form()
	s.play(`
		lvsm# pcs resource create WebService ocf:heartbeat:haproxy conffile=$SHARED/haproxy.cfg op monitor interval=20 timeout=10
		lvsm# pcs constraint colocation add WebService with VirtualIP INFINITY
		lvsm# pcs constraint location WebService prefers lvsm=50
		all on lvsm
		lvsm# pidof haproxy
	`)
	proxies := s.said
	client := s.client("http://$VIP/")
	for range rounds {
		s.restartAll()
	}
	s.play("all on lvsm")
	s.lostNothing(client.ends("lvsm"))
	s.play(`
		lvsm# pidof haproxy
		says ` + proxies + `
		lvsm# quorate events
		never says failover
		never says node-gone
	`)
}

// TestE2ERollingRestartOfTwo does the same with two voters, of which each needs
// the other's vote: what one serves must outlast the restart of the other.
func TestE2ERollingRestartOfTwo(t *testing.T) {
	for name, shape := range map[string]Shape{"who stop without quorum": {}, "who are a pair": Pair} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "lvsm", "lvss")
			s.formAs(shape)
			s.play("all on lvsm")
			client := s.client("")
			for range 3 {
				s.restartAll()
			}
			s.play("all on lvsm")
			s.lostNothing(client.ends("lvsm"))
		})
	}
}

// restartAll restarts the agents of all nodes, one after the other.
func (s *scene) restartAll() {
	s.Helper()
	for _, node := range s.Spec.Nodes() {
		s.play("restart " + node)
		if _, err := s.cluster.Settled(s.Context()); err != nil {
			s.Fatal(err)
		}
		for _, n := range s.Spec.Nodes() {
			s.awaitLength(n, "0.4s")
		}
	}
}

// awaitLength waits until a node's leases are of a length.
func (s *scene) awaitLength(node, want string) {
	s.Helper()
	err := await(s.Context(), "leases of "+want, func() error {
		v, err := s.cluster.View(s.Context(), node)
		if err != nil {
			return err
		}
		for _, n := range v.GetState().GetNodes() {
			if got := fmt.Sprintf("%gs", n.GetLease().AsDuration().Seconds()); n.GetName() == node && got != want {
				return fmt.Errorf("they are of %s", got)
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// lostNothing expects that every probe was answered, if late on a busy machine: of
// pages also those count that came when their probes were judged.
func (s *scene) lostNothing(seen observed) {
	s.Helper()
	for _, tally := range seen.tallies {
		lost := tally.Lost - tally.Late
		if tally.Kind == "http" {
			lost = tally.Sent - tally.Answers["200"]
		}
		if lost > 0 {
			s.Errorf("%s: %d of %d probes were lost, answers by status %v: %v", tally.Kind, lost, tally.Sent, tally.Answers, tally.Gaps)
		}
	}
}
