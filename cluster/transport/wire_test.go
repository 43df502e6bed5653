package transport

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

// A wire is a link between two nodes that can be cut: all that crosses it, TCP
// and UDP, goes through two relays, one at the address that each node has on the
// link. What is cut vanishes, as in a network: no end is told.
type wire struct {
	ends [2]*wireEnd // where the first node is reached by the second, and the other way round
	done chan struct{}
	work sync.WaitGroup
}

type wireEnd struct {
	at   netip.AddrPort // where the node is reached on this wire
	node netip.AddrPort // where it really is
	tcp  net.Listener
	udp  *net.UDPConn

	mu   sync.Mutex
	open chan struct{} // closed while things pass to the node
	loss atomic.Int32  // of datagrams to the node, percent
	roll *rand.Rand    // the relay of datagrams alone
}

// newWire lays the nth wire between nodes that listen at two places.
func newWire(t testing.TB, n int, nodes [2]netip.AddrPort) *wire {
	t.Helper()
	w := &wire{done: make(chan struct{})}
	for i, node := range nodes {
		w.ends[i] = newWireEnd(t, fmt.Sprintf("127.9.%d.%d", n, i+1), node)
	}
	for i, end := range w.ends {
		from := w.ends[1-i]
		w.work.Go(func() { w.carryDatagrams(end, from) })
		w.work.Go(func() { w.carryStreams(end, from) })
	}
	t.Cleanup(func() {
		close(w.done)
		for _, end := range w.ends {
			end.tcp.Close()
			end.udp.Close()
		}
		w.work.Wait()
	})
	return w
}

func newWireEnd(t testing.TB, host string, node netip.AddrPort) *wireEnd {
	t.Helper()
	tcp, udp, err := listen(t.Context(), host+":0")
	if err != nil {
		t.Fatal(err)
	}
	end := &wireEnd{
		at: netip.MustParseAddrPort(tcp.Addr().String()), node: node, tcp: tcp, udp: udp.UDPConn,
		open: make(chan struct{}), roll: rand.New(rand.NewPCG(1, 2)),
	}
	close(end.open)
	return end
}

// pass says whether anything reaches the node over the wire.
func (e *wireEnd) pass(yes bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if yes != e.passes() {
		if yes {
			close(e.open)
		} else {
			e.open = make(chan struct{})
		}
	}
}

func (e *wireEnd) gate() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open
}

func (e *wireEnd) passes() bool {
	select {
	case <-e.open:
		return true
	default:
		return false
	}
}

func (w *wire) cut()  { w.ends[0].pass(false); w.ends[1].pass(false) }
func (w *wire) mend() { w.ends[0].pass(true); w.ends[1].pass(true) }

// carryDatagrams takes in what is sent to a node over the wire. The node gets it
// from where the other one is reached.
func (w *wire) carryDatagrams(to, from *wireEnd) {
	buffer := make([]byte, 2048)
	for {
		n, err := to.udp.Read(buffer)
		if err != nil {
			select {
			case <-w.done:
				return
			default:
				continue
			}
		}
		lost := to.roll.Int32N(100) < to.loss.Load()
		select {
		case <-to.gate():
			if !lost {
				_, _ = from.udp.WriteToUDPAddrPort(buffer[:n], to.node)
			}
		default:
		}
	}
}

func (w *wire) carryStreams(to, from *wireEnd) {
	for {
		near, err := to.tcp.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.at.Addr().AsSlice()}}).Dial("tcp", to.node.String())
		if err != nil {
			near.Close()
			continue
		}
		w.work.Go(func() {
			<-w.done
			near.Close()
			far.Close()
		})
		w.work.Go(func() { w.pump(far, near, to) })
		w.work.Go(func() { w.pump(near, far, from) })
	}
}

// pump carries one direction of a stream, and its end.
func (w *wire) pump(into, out net.Conn, to *wireEnd) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := out.Read(buffer)
		select {
		case <-to.gate():
		case <-w.done:
			return
		}
		if n > 0 {
			if _, err := into.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err == io.EOF {
			_ = into.(*net.TCPConn).CloseWrite()
			return
		}
		if err != nil {
			into.Close()
			return
		}
	}
}
