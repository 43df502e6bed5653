package transport

import (
	"slices"
	"strings"
	"time"
)

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

// Links lists the links to all peers that datagrams were sent to, by node id.
func (t *Transport) Links() []Link {
	var links []Link
	for _, p := range *t.peers.Load() {
		links = append(links, t.link(p))
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.Node, b.Node) })
	return links
}

func (t *Transport) link(p *peer) Link {
	l := Link{Node: p.id, RTT: time.Duration(p.rtt.Load()), LastHeard: -1}
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
