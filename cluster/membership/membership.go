// Package membership finds the other members by gossip: who is there, which
// version runs there, and at which addresses.
//
// It is for finding and for showing. Gossip never decides that a node is gone or
// that anything is taken over: it is too slow, and two nodes may well believe
// different things. Only leases do that (S1; lease protocol).
//
// Messages travel over a memberlist.Transport that proves every member by its
// own certificate ([Carrier] over the transport package), so memberlist's shared
// key is not used. Simulation brings a transport of its own, and virtual time.
package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sync/errgroup"
)

const (
	lookEvery     = 2 * time.Second // for members that are not there
	streamTimeout = 2 * time.Second
	leaveTimeout  = 300 * time.Millisecond // to tell one other that we leave
	packetSize    = 1300                   // fits a sealed datagram with memberlist's own headers
)

// A Member is a node as gossip knows it.
type Member struct {
	ID        string
	Name      string
	Version   string
	Addresses []string // host:port, first preferred
	Alive     bool     // as far as gossip knows, which may be seconds late
}

// Config is what a Membership needs.
type Config struct {
	Self      Member
	Transport memberlist.Transport // run by Run when it has a method Run(context.Context) error
	Peers     func() []string      // optional: ids of the nodes that should be there; called often
	Log       *slog.Logger
}

// A Membership is this node's part in the gossip. Its methods may be called by
// any goroutine.
type Membership struct {
	config Config
	moved  chan struct{} // self has changed; holds one

	mu      sync.Mutex
	self    Member
	members map[string]Member // the others, by id
	changed chan struct{}     // closed at the next change
}

// New makes a Membership that Run starts.
func New(c Config) *Membership {
	c.Self.Alive = true
	if c.Peers == nil {
		c.Peers = func() []string { return nil }
	}
	return &Membership{
		config: c, self: c.Self, moved: make(chan struct{}, 1),
		members: map[string]Member{}, changed: make(chan struct{}),
	}
}

// Linger is how long probes of memberlist's that were under way may live on
// after Run has returned; memberlist has no way to wait for them. A Carrier no
// longer sends for them. A synctest bubble must outlive them.
const Linger = 15 * time.Second

// Run gossips until ctx is canceled, then says good-bye.
func (m *Membership) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if r, ok := m.config.Transport.(interface{ Run(context.Context) error }); ok {
		g.Go(func() error { return r.Run(ctx) })
	}
	g.Go(func() error { return m.gossip(ctx) })
	return g.Wait()
}

func (m *Membership) gossip(ctx context.Context) error {
	list, err := memberlist.Create(m.listConfig())
	if err != nil {
		return fmt.Errorf("start gossip: %w", err)
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		m.look(ctx, list)
		select {
		case <-ctx.Done():
			_ = list.Leave(leaveTimeout) // nobody heard it: they will notice by themselves
			return list.Shutdown()
		case <-look.C:
		case <-m.moved:
			if err := list.UpdateNode(streamTimeout); err != nil {
				m.config.Log.Debug("gossip about this node's change is slow", "err", err)
			}
		}
	}
}

// look asks those who should be there and are not.
func (m *Membership) look(ctx context.Context, list *memberlist.Memberlist) {
	for _, id := range m.missing() {
		if ctx.Err() != nil {
			return
		}
		if _, err := list.Join([]string{id + "/" + Address(id)}); err != nil {
			m.config.Log.Debug("gossip does not reach a node", "node", id, "err", err)
		}
	}
}

func (m *Membership) missing() []string {
	peers := m.config.Peers()
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(peers), func(id string) bool {
		return id == m.self.ID || m.members[id].Alive
	})
}

func (m *Membership) listConfig() *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = m.config.Self.ID
	c.Transport = m.config.Transport
	c.RequireNodeNames = true // by the id alone a node is found
	c.TCPTimeout = streamTimeout
	c.UDPBufferSize = packetSize
	c.EnableCompression = false // a few members: not worth the work
	c.DeadNodeReclaimTime = time.Second
	c.Delegate = delegate{m}
	c.Events = events{m}
	c.Logger = slog.NewLogLogger(m.config.Log.Handler(), slog.LevelDebug)
	return c
}

// Members lists all members by id, this node among them: those alive, and those
// that are dead but should be there.
func (m *Membership) Members() []Member {
	wanted := m.config.Peers()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []Member{m.self}
	for _, x := range m.members {
		if x.Alive || slices.Contains(wanted, x.ID) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Changed is closed at the next change of Members. Take it before Members.
func (m *Membership) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// Announce changes what the others are told of this node: its name, version and
// addresses.
func (m *Membership) Announce(name, version string, addresses []string) {
	m.mu.Lock()
	m.self.Name, m.self.Version, m.self.Addresses = name, version, addresses
	m.notify()
	m.mu.Unlock()
	select {
	case m.moved <- struct{}{}:
	default:
	}
}

// notify wakes those who wait for a change. m.mu is held.
func (m *Membership) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *Membership) learn(n *memberlist.Node, alive bool) {
	x, err := decodeMeta(n.Meta)
	if err != nil {
		m.config.Log.Warn("gossip brings what this version cannot read", "node", n.Name, "err", err)
	}
	x.ID, x.Alive = n.Name, alive
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.ID == m.self.ID {
		return
	}
	m.members[x.ID] = x
	m.notify()
}

// events is called by memberlist, which holds its locks meanwhile.
type events struct{ *Membership }

func (e events) NotifyJoin(n *memberlist.Node)   { e.learn(n, true) }
func (e events) NotifyUpdate(n *memberlist.Node) { e.learn(n, true) }
func (e events) NotifyLeave(n *memberlist.Node)  { e.learn(n, false) }

// errNameless would be our own mistake, see Carrier.
var errNameless = errors.New("gossip with a node that is not named")
