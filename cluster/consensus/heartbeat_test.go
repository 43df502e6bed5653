package consensus

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// tapped is a transport whose heartbeats come from the test.
type tapped struct {
	*raft.InmemTransport
	receive func(raft.RPC)
}

func (t *tapped) SetHeartbeatHandler(f func(raft.RPC)) { t.receive = f }

// bypasses reports whether a heartbeat that reaches a node passes its main loop by.
func bypasses(n *Node, beat *raft.AppendEntriesRequest) bool {
	_, inner := raft.NewInmemTransport("")
	tap := &tapped{InmemTransport: inner}
	t := newTransport(tap, LAN.Heartbeat, newDisk(0))
	t.raft.Store(n.raft())
	direct := make(chan bool, 2)
	t.SetHeartbeatHandler(func(raft.RPC) { direct <- true })
	t.passing.Go(func() {
		tap.receive(raft.RPC{Command: beat, RespChan: make(chan raft.RPCResponse, 1)})
		direct <- false
	})
	select {
	case <-t.Consumer():
		<-direct
		t.Close()
		return false
	case was := <-direct:
		t.Close()
		return was
	}
}

func TestOnlyAHeartbeatThatTellsNothingNewPassesTheMainLoopBy(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		leader := c.waitLeader()
		time.Sleep(time.Second)
		follower := c.nodes["b"]
		if follower == leader {
			follower = c.nodes["c"]
		}
		beat := func(from string, term uint64) *raft.AppendEntriesRequest {
			return &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ID: []byte(from), Addr: []byte(from)}, Term: term}
		}
		tests := []struct {
			name string
			beat *raft.AppendEntriesRequest
			want bool
		}{
			{"from the leader", beat(leader.id, leader.Term()), true},
			{"from another", beat("x", leader.Term()), false},
			{"of a new term", beat(leader.id, leader.Term()+1), false},
			{"of an old term", beat(leader.id, leader.Term()-1), false},
		}
		for _, tt := range tests {
			if got := bypasses(follower, tt.beat); got != tt.want {
				t.Errorf("a heartbeat %s: bypasses %v, want %v", tt.name, got, tt.want)
			}
		}
		term := leader.Term()
		c.cut(follower.id)
		time.Sleep(LAN.Heartbeat - 10*time.Millisecond) // an election is near
		if follower.raft().State() == raft.Follower && bypasses(follower, beat(leader.id, term)) {
			t.Error("a heartbeat bypasses the main loop when an election is about to begin")
		}
		time.Sleep(time.Second)
		if bypasses(follower, beat(leader.id, term)) {
			t.Error("a heartbeat bypasses the main loop of a candidate")
		}
	})
}

func TestALeaderLeavesItToItsSuccessorToTakeItsVote(t *testing.T) {
	for name, leave := range map[string]func(*Node, string) error{"demote": (*Node).DemoteVoter, "remove": (*Node).RemoveServer} {
		onTrio(t, idle, func(c *trio) {
			leader := c.waitLeader()
			var other *NotLeaderError
			if err := leave(leader, leader.id); !errors.As(err, &other) {
				t.Errorf("%s: got %v, want that it does not lead any more", name, err)
			}
			time.Sleep(time.Second)
			next := c.waitLeader()
			if next == leader {
				t.Fatalf("%s: %s still leads", name, leader.id)
			}
			if err := leave(next, leader.id); err != nil {
				t.Errorf("%s by the successor: %v", name, err)
			}
		})
	}
}
