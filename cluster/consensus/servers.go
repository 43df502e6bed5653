package consensus

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// changeTimeout bounds how long a change of the configuration may wait to be taken into the log.
const changeTimeout = 2 * time.Second

// A Server is one entry of Raft's configuration.
type Server struct {
	ID    string
	Voter bool
}

// Servers returns the newest configuration. It may not be committed yet, so
// nothing about leases may be derived from it: they have an electorate of
// their own (lease protocol, H3).
func (n *Node) Servers() ([]Server, error) {
	f := n.raft().GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, fmt.Errorf("read raft configuration: %w", err)
	}
	var list []Server
	for _, s := range f.Configuration().Servers {
		list = append(list, Server{ID: string(s.ID), Voter: s.Suffrage == raft.Voter})
	}
	return list, nil
}

// AddReplica makes the node receive the log without a vote. Only on the leader.
func (n *Node) AddReplica(id string) error {
	return n.change("add replica", id, func(r *raft.Raft) raft.Future {
		return r.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, changeTimeout)
	})
}

// AddVoter gives the node a vote. Only on the leader, and only for a node that
// has caught up: from now on commits may have to wait for it.
func (n *Node) AddVoter(id string) error {
	return n.change("add voter", id, func(r *raft.Raft) raft.Future {
		return r.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, changeTimeout)
	})
}

// DemoteVoter takes the node's vote. Only on the leader.
func (n *Node) DemoteVoter(id string) error {
	if err := n.cede(id); err != nil {
		return err
	}
	return n.change("demote voter", id, func(r *raft.Raft) raft.Future { return r.DemoteVoter(raft.ServerID(id), 0, changeTimeout) })
}

// RemoveServer ends the node's part in the consensus. Only on the leader.
func (n *Node) RemoveServer(id string) error {
	if err := n.cede(id); err != nil {
		return err
	}
	return n.change("remove server", id, func(r *raft.Raft) raft.Future { return r.RemoveServer(raft.ServerID(id), 0, changeTimeout) })
}

// cede leaves it to a successor to take this node's own vote. A leader that
// took its own and died before the others knew would have the newest log and
// never stand for election again: of two voters, the other could not win.
func (n *Node) cede(id string) error {
	if id != n.id {
		return nil
	}
	if err := n.TransferLeadership(); err != nil {
		return fmt.Errorf("take this node's vote: %w", err)
	}
	return &NotLeaderError{}
}

func (n *Node) change(what, id string, order func(*raft.Raft) raft.Future) error {
	if err := n.translate(n.ask(order)); err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}
