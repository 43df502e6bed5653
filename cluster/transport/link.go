package transport

import "time"

// linkUp is how lately a peer was heard on a link that is up: two pings may be lost.
const linkUp = 1600 * time.Millisecond

// A Link is the way to a peer, as this node sees it.
type Link struct {
	Node      string
	Address   string // where datagrams go; empty: nowhere yet
	Up        bool
	RTT       time.Duration // zero: not measured
	LastHeard time.Duration // ago; negative: never
}

// Link is the way to a node, as far as datagrams have gone it.
func (t *Transport) Link(id string) Link {
	l := Link{Node: id, LastHeard: -1}
	p := (*t.peers.Load())[id]
	if p == nil {
		return l
	}
	l.RTT = time.Duration(p.rtt.Load())
	if heard := time.Duration(p.heard.Load()); heard != 0 {
		l.LastHeard = t.elapsed() - heard
		l.Up = l.LastHeard < linkUp
	}
	if s := p.best.Load(); s != nil {
		if to := s.to.Load(); to != nil {
			l.Address = to.addr.String()
		}
	}
	return l
}
