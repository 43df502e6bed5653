package transport

import (
	"crypto/tls"
	"net"
)

// A stream is a connection with a node. It ends with its link, see [Transport.fail].
type stream struct {
	net.Conn
	link *link // nil for one that nobody watches
}

// enlist lets a connection with a peer end with its link.
func (p *peer) enlist(c *tls.Conn) {
	s, ok := c.NetConn().(*stream)
	if !ok || p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, far := ends(s.Conn)
	s.link = p.link(far)
	s.link.streams[s] = true
}

// Close implements net.Conn.
func (s *stream) Close() error {
	if l := s.link; l != nil {
		l.peer.mu.Lock()
		delete(l.streams, s)
		l.peer.publish()
		l.peer.mu.Unlock()
	}
	return s.Conn.Close()
}

// closeStreams ends the streams over a link, and says how many.
func (l *link) closeStreams() int {
	l.peer.mu.Lock()
	var all []*stream
	for s := range l.streams {
		all = append(all, s)
	}
	l.peer.mu.Unlock()
	for _, s := range all {
		_ = s.Close() // without a word to the other end: nothing passes
	}
	return len(all)
}
