package lease

import (
	"testing"
	"testing/synctest"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Rule 13: a testimony is on the disk before it is given, so that whoever counts
// it can rely on it over the voter's restart.
func TestRule13ATestimonyIsStoredBeforeItIsGiven(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		c := r.engines["c"]
		c.mu.Lock()
		c.saving = 50 * time.Millisecond
		c.mu.Unlock()
		given, early := 0, 0
		r.delay(func(from, to string, d *pb.LeaseDatagram) time.Duration {
			if a := d.GetAnswer(); a.GetTestified() && from == "c" {
				c.mu.Lock()
				defer c.mu.Unlock()
				given++
				if c.marks["a"] < a.Epoch {
					early++
				}
			}
			return 0
		})
		defer r.lead("b")()
		r.isolate("a", true)
		time.Sleep(time.Second)
		synctest.Wait()
		if given == 0 || early > 0 || len(r.ends()) != 1 {
			t.Errorf("%d testimonies given, %d of them before they were stored; gone %d times", given, early, len(r.ends()))
		}
	})
}
