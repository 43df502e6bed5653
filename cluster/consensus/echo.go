package consensus

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// echoPause is how long no command must have been committed before an empty
// entry follows the last one.
const echoPause = 5 * time.Millisecond

// echo makes the followers learn soon that the last command is committed. Raft
// tells them so with the next entry, and otherwise only every Timing.Commit;
// to tell them often enough by that alone costs an idle node a percent of a
// core. So the last command of a burst is followed by an empty entry.
func (n *Node) echo(ctx context.Context) {
	pause := time.NewTimer(time.Hour)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.committed:
			pause.Reset(echoPause)
		case <-pause.C:
			n.raft().Barrier(echoPause) // refused unless this node still leads
		}
	}
}

// Moved is called when streams with peers were closed because their link is down.
// What was under way on them Raft sends again with the next entry, and otherwise
// only after Timing.Commit; so an empty one follows.
func (n *Node) Moved() { n.followed() }

// followed notes that the followers have something to learn.
func (n *Node) followed() {
	select {
	case n.committed <- struct{}{}:
	default:
	}
}

// observed reports whether saw wants an observation of Raft's.
func observed(o *raft.Observation) bool {
	switch o.Data.(type) {
	case raft.LeaderObservation, raft.ResumedHeartbeatObservation:
		return true
	}
	return false
}

// saw acts on a new leader, and on a follower that is back and must learn what
// it missed.
func (n *Node) saw(o raft.Observation) {
	if _, back := o.Data.(raft.ResumedHeartbeatObservation); back {
		n.followed()
		return
	}
	n.announceLeader()
}
