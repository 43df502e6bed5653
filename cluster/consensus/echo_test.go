package consensus

import (
	"testing"
	"testing/synctest"
	"time"

	pb "quorate/proto/quorate/v1"
)

// propose commits commands on the leader and returns it.
func (c *trio) propose(n int) *Node {
	c.t.Helper()
	leader := c.waitLeader()
	for range n {
		if _, err := leader.Propose(c.t.Context(), &pb.Command{}); err != nil {
			c.t.Fatal(err)
		}
	}
	return leader
}

func (c *trio) wantApplied(id string, want int) {
	c.t.Helper()
	synctest.Wait()
	if got := c.fsms[id].count(); got != want {
		c.t.Errorf("%s has applied %d commands, want %d", id, got, want)
	}
}

func TestFollowersLearnOfTheLastCommandAtOnce(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		c.waitLeader()
		time.Sleep(5 * time.Second)
		for round := range 10 {
			c.propose(3)
			time.Sleep(2 * echoPause) // virtual
			for id := range c.nodes {
				c.wantApplied(id, 3*(round+1))
			}
			time.Sleep(time.Second)
		}
	})
}

func TestAReturningNodeLearnsAtOnceWhatItMissed(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		leader := c.waitLeader()
		time.Sleep(5 * time.Second)
		back := "b"
		if leader.id == back {
			back = "c"
		}
		for round := range 10 {
			c.cut(back)
			if now := c.propose(3); now != leader {
				t.Fatalf("%s leads, want still %s", now.id, leader.id)
			}
			time.Sleep(time.Second)
			c.connect(back)
			time.Sleep(300 * time.Millisecond) // a heartbeat, its longest pause after failures, an echo
			c.wantApplied(back, 3*(round+1))
			time.Sleep(5 * time.Second)
		}
	})
}
