package consensus

import (
	"sync"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// What is committed and waits to be applied is forgotten by raft when it is shut
// down, so that nobody may be waiting for that then.
func TestAShutdownAnswersWhatIsYetToBeApplied(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		leader := c.waitLeader()
		time.Sleep(time.Second)
		stuck := make(chan struct{})
		c.fsms[leader.id].stuck.Store(&stuck)
		var asked sync.WaitGroup
		for range 20 {
			asked.Go(func() {
				if _, err := leader.Propose(c.t.Context(), &pb.Command{}); err != nil {
					c.t.Errorf("a command that was committed: %v", err)
				}
			})
			time.Sleep(time.Millisecond) // in a batch of its own
		}
		asked.Go(func() {
			if err := leader.Shutdown(); err != nil {
				c.t.Error(err)
			}
		})
		time.Sleep(50 * time.Millisecond)
		close(stuck)
		asked.Wait()
		if _, err := leader.Propose(c.t.Context(), &pb.Command{}); err == nil {
			c.t.Error("a command was committed after the shutdown")
		}
	})
}
