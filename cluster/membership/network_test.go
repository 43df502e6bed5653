package membership

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// A wire is an in-memory Network for many nodes.
type wire struct {
	mu    sync.Mutex
	nodes map[string]*plug
	cut   map[string]bool // nodes that neither hear nor are heard
}

func newWire() *wire { return &wire{nodes: map[string]*plug{}, cut: map[string]bool{}} }

// plug is one node's end of the wire. A new one takes the place of the old.
func (w *wire) plug(id string) *plug {
	p := &plug{wire: w, id: id}
	w.mu.Lock()
	w.nodes[id] = p
	w.mu.Unlock()
	return p
}

func (w *wire) setCut(id string, cut bool) {
	w.mu.Lock()
	w.cut[id] = cut
	w.mu.Unlock()
}

type plug struct {
	wire    *wire
	id      string
	mu      sync.Mutex
	handler func(string, []byte)
	streams *streams
}

func (p *plug) reach(id string) (*plug, error) {
	p.wire.mu.Lock()
	defer p.wire.mu.Unlock()
	other := p.wire.nodes[id]
	if other == nil || p.wire.cut[id] || p.wire.cut[p.id] {
		return nil, fmt.Errorf("node %s is not reached", id)
	}
	return other, nil
}

func (p *plug) SendDatagram(id string, _ byte, payload []byte) error {
	other, err := p.reach(id)
	if err != nil {
		return err
	}
	other.mu.Lock()
	handler := other.handler
	other.mu.Unlock()
	if handler != nil {
		handler(p.id, payload)
	}
	return nil
}

func (p *plug) HandleDatagrams(_ byte, f func(string, []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handler = f
}

func (p *plug) Dial(ctx context.Context, id, _ string) (net.Conn, error) {
	other, err := p.reach(id)
	if err != nil {
		return nil, err
	}
	other.mu.Lock()
	s := other.streams
	other.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("node %s does not listen", id)
	}
	near, far := net.Pipe()
	select {
	case s.conns <- far:
		return near, nil
	case <-s.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *plug) Listener(string) net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams = &streams{conns: make(chan net.Conn), done: make(chan struct{})}
	return p.streams
}

type streams struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (s *streams) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *streams) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

func (s *streams) Addr() net.Addr { return address("") }
