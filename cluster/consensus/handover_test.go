package consensus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// Two transfers that hang at the end of a term may leave raft refusing all
// changes, and two goroutines for good, which the bubble finds.
func TestATransferOfLeadershipWaitsForOneThatHangs(t *testing.T) {
	for range 100 {
		onTrio(t, idle, transferToNobody)
	}
}

func transferToNobody(c *trio) {
	leader := c.waitLeader()
	for _, n := range c.nodes {
		if n != leader {
			if err := n.raft().Shutdown().Error(); err != nil { // its peers get no answer
				c.t.Fatal(err)
			}
		}
	}
	leader.raft().Apply([]byte("for nobody"), time.Second)
	synctest.Wait()
	began := time.Now()
	for leader.raft().State() == raft.Leader {
		if err := leader.TransferLeadership(); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(began); took > 2*LAN.Heartbeat+LAN.Election {
		c.t.Errorf("led for %v more", took)
	}
}

func TestLeadershipIsHandedToWhomItIsSaid(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		for range 3 {
			for _, to := range []string{"a", "b", "c"} {
				leader := c.waitLeader()
				if err := leader.TransferLeadershipTo(to); leader.id != to && err != nil {
					t.Errorf("%s to %s: %v", leader.id, to, err)
				}
				time.Sleep(time.Second)
				if got := c.waitLeader().id; got != to {
					t.Errorf("%s leads after %s, want %s", got, leader.id, to)
				}
			}
		}
	})
}
