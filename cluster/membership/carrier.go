package membership

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/memberlist"
)

const (
	packetQueue = 256
	listPort    = 1 // memberlist wants a port; the node is found by its id
)

// A Network is what gossip needs of the transport package.
type Network interface {
	SendDatagram(id string, kind byte, payload []byte) error
	HandleDatagrams(kind byte, f func(from string, payload []byte))
	Dial(ctx context.Context, id, alpn string) (net.Conn, error)
	Listener(alpn string) net.Listener
}

// A Carrier carries memberlist's messages over a Network that proves every
// sender. memberlist's addresses are made of node ids, so a node whose real
// address changes stays the same member.
type Carrier struct {
	id      string
	network Network
	kind    byte
	alpn    string
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

var _ memberlist.NodeAwareTransport = (*Carrier)(nil)

// NewCarrier uses one kind of datagrams and one ALPN of the network.
func NewCarrier(id string, n Network, kind byte, alpn string) *Carrier {
	return &Carrier{
		id: id, network: n, kind: kind, alpn: alpn,
		packets: make(chan *memberlist.Packet, packetQueue), streams: make(chan net.Conn), done: make(chan struct{}),
	}
}

// Run passes on what arrives until ctx is canceled.
func (c *Carrier) Run(ctx context.Context) error {
	c.network.HandleDatagrams(c.kind, c.receive)
	l := c.network.Listener(c.alpn)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept gossip: %w", err)
		}
		select {
		case c.streams <- conn:
		case <-c.done:
			conn.Close()
		case <-ctx.Done():
			conn.Close()
		}
	}
}

// receive is called by the goroutine that reads the network: it never waits.
func (c *Carrier) receive(from string, payload []byte) {
	p := &memberlist.Packet{Buf: append([]byte(nil), payload...), From: address(from), Timestamp: time.Now()}
	select {
	case c.packets <- p:
	default: // gossip repeats itself
	}
}

// FinalAdvertiseAddr is the address made of this node's id.
func (c *Carrier) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return number(c.id), listPort, nil
}

// WriteToAddress sends a packet. That there is no session with the node yet is
// no error: memberlist would give a probe up for it, where it should count it
// as lost and suspect the node.
func (c *Carrier) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if c.shut() {
		return time.Time{}, net.ErrClosed
	}
	_ = c.network.SendDatagram(a.Name, c.kind, b)
	return time.Now(), nil
}

// DialAddressTimeout opens a stream to the named node.
func (c *Carrier) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if c.shut() {
		return nil, net.ErrClosed
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return c.network.Dial(ctx, a.Name, c.alpn)
}

// WriteTo is not used: every node is named (memberlist.Config.RequireNodeNames).
func (c *Carrier) WriteTo([]byte, string) (time.Time, error) { return time.Time{}, errNameless }

// DialTimeout is not used: every node is named.
func (c *Carrier) DialTimeout(string, time.Duration) (net.Conn, error) { return nil, errNameless }

// PacketCh brings packets to memberlist.
func (c *Carrier) PacketCh() <-chan *memberlist.Packet { return c.packets }

// StreamCh brings streams to memberlist.
func (c *Carrier) StreamCh() <-chan net.Conn { return c.streams }

// Shutdown is called by memberlist. Run ends with its context.
func (c *Carrier) Shutdown() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

func (c *Carrier) shut() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Address is the one that memberlist knows a node by: its id as an IPv6 address.
func Address(id string) string { return address(id).String() }

// address is a node's id as a net.Addr.
type address string

func (a address) Network() string { return "quorate" }
func (a address) String() string {
	return net.JoinHostPort(number(string(a)).String(), strconv.Itoa(listPort))
}

// number is the id's 16 bytes; an id that is no UUID, as in simulation, is hashed.
func number(id string) net.IP {
	u, err := uuid.Parse(id)
	if err != nil {
		u = uuid.NewSHA1(uuid.NameSpaceURL, []byte(id))
	}
	return net.IP(netip.AddrFrom16(u).AsSlice())
}
