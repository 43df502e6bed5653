// Package realserver makes a node a real server behind an LVS director: kind
// quorate:realserver.
//
// A director that routes directly, or through a tunnel, leaves a packet's
// destination as it is: the address of the virtual service. So a real server has
// that address too, on lo, and must tell no neighbour of it. The agent puts it
// there, makes the kernel's ARP settings what that needs, asks itself as a
// neighbour would whether they hold, and restores all of it on stop. It is to be run
// as a clone: the address is nobody's alone this way.
//
// A node may be a director too. Then the kernel's guard of the address, a [Guard],
// says when packets pass: always while the node is the owner; else only those that
// it serves as a real server, and never ARP. After it has been the owner, or on a
// new start, it serves once another host says that it has the address: until then
// clients may still send this node what another real server has to answer, and to
// answer that with a reset would end their connections.
//
// A lease is not needed to be a real server: a node whose lease has ended goes on
// serving what the owner sends it.
package realserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/sysctl"
)

var (
	_ resources.Agent    = (*Agent)(nil)
	_ resources.Watcher  = (*Agent)(nil)
	_ resources.Reloader = (*Agent)(nil)
	_ resources.Halter   = (*Agent)(nil)
	_ resources.Detailer = (*Agent)(nil)
)

// A Guard keeps an address silent in the kernel unless this node may speak for it.
type Guard interface {
	// Attend has an address be silent unless it is leased or admitted; Dismiss ends
	// that.
	Attend(addr netip.Addr) error
	Dismiss(addr netip.Addr) error
	// Admit lets packets pass until this node becomes the owner. It fails while the
	// node is, as Held says.
	Admit(addr netip.Addr) error
	Admitted(addr netip.Addr) bool
	Held(addr netip.Addr) bool
	// Freed has a token when an address may be admitted again.
	Freed() <-chan struct{}
}

// Config is what the agent is given.
type Config struct {
	RunDir string       // for records; empty: /run/quorate
	Log    *slog.Logger // nil: none
	// Ask reports whether another host says that it has an address. An error: there
	// is no network in which it could be asked. Nil: it is not asked, and every
	// address is admitted at once.
	Ask func(ctx context.Context, addr netip.Addr) (bool, error)
	// Balanced reports whether this node's own table balances what comes to an
	// address. Nil: none does.
	Balanced func(addr netip.Addr) (bool, error)
}

// An Agent runs what makes one node a real server. Its methods may be called at the
// same time, for one resource too.
type Agent struct {
	Config
	runDir  string
	sysctls *sysctl.Store
	wake    chan struct{} // has a token when an address waits to be admitted

	mu      sync.Mutex // held over a change of what follows, and of the host
	guard   Guard      // nil: none
	running map[string]*settings
	waiting map[netip.Addr]time.Time // since when an address has waited to be admitted
}

// New returns an agent that has done nothing yet.
func New(c Config) *Agent {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.RunDir == "" {
		c.RunDir = "/run/quorate"
	}
	return &Agent{
		Config: c, runDir: c.RunDir, sysctls: sysctl.In(c.RunDir), wake: make(chan struct{}, 1),
		running: make(map[string]*settings), waiting: make(map[netip.Addr]time.Time),
	}
}

// Use has a guard say when packets pass. Nothing may have been started before.
func (a *Agent) Use(g Guard) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.guard = g
	a.signal()
}

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata { return metadata }

// Validate implements [resources.Agent].
func (a *Agent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	s, err := parse(r)
	if err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	var set []string
	for name, value := range a.wanted(s) {
		if now, err := a.sysctls.Read(name); err != nil || now != value {
			set = append(set, name+"="+value)
		}
	}
	if len(set) == 0 {
		return nil, nil
	}
	slices.Sort(set)
	return []string{"while it runs: " + strings.Join(set, ", ")}, nil
}

// Start implements [resources.Agent]. The addresses are silent before they are
// added, and packets pass as soon as they may: see [Agent.Run].
func (a *Agent) Start(ctx context.Context, r *pb.Resource) error {
	s, err := parse(r)
	if err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.begin(ctx, r, s); err != nil {
		return fmt.Errorf("start the real server: %w", err)
	}
	return nil
}

// Reload implements [resources.Reloader]. What stays is not touched.
func (a *Agent) Reload(ctx context.Context, r *pb.Resource) error { return a.Start(ctx, r) }

// begin makes the host what the settings say. a.mu is held.
func (a *Agent) begin(ctx context.Context, r *pb.Resource, s *settings) error {
	if err := a.unclaimed(r, s); err != nil {
		return err
	}
	mine, err := readRecord(a.place(r))
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(mine.Addresses), func(addr netip.Addr) bool { return slices.Contains(s.addrs, addr) })
	mine.own(s.addrs)
	if err := a.dig(ctx, r, s, &mine); err != nil {
		return err
	}
	for _, addr := range s.addrs {
		if err := a.attend(addr); err != nil {
			return err
		}
	}
	if _, err := a.tune(r.GetId(), s); err != nil {
		return err
	}
	for _, addr := range s.addrs {
		if err := put(addr); err != nil {
			return err
		}
	}
	if err := a.verify(ctx, s); err != nil {
		return errors.Join(err, a.leave(s.addrs))
	}
	if err := a.leave(gone); err != nil {
		return err
	}
	mine.Addresses = s.addrs
	a.running[r.GetId()] = s
	a.signal()
	return mine.write(a.place(r))
}

// unclaimed names an address that another resource has on this node. a.mu is held.
func (a *Agent) unclaimed(r *pb.Resource, s *settings) error {
	for id, other := range a.running {
		for _, addr := range s.addrs {
			if id != r.GetId() && slices.Contains(other.addrs, addr) {
				return fmt.Errorf("%s belongs to the resource %s on this node", addr, id)
			}
		}
	}
	return nil
}

// dig has the tunnels end here that are needed, and notes all that the resource
// will change. a.mu is held.
func (a *Agent) dig(ctx context.Context, r *pb.Resource, s *settings, mine *record) error {
	if err := mine.write(a.place(r)); err != nil {
		return err
	}
	for _, name := range s.tunnels() {
		changed, err := raise(ctx, name)
		if err != nil {
			return err
		}
		mine.Tunnels = append(mine.Tunnels, changed...)
	}
	return mine.write(a.place(r))
}

// Stop implements [resources.Agent].
func (a *Agent) Stop(_ context.Context, r *pb.Resource) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.end(r)
}

// end undoes what a resource has changed. a.mu is held.
func (a *Agent) end(r *pb.Resource) error {
	delete(a.running, r.GetId())
	mine, err := readRecord(a.place(r))
	if err != nil {
		return err
	}
	if s, wrong := parse(r); wrong == nil && len(mine.Addresses) == 0 {
		mine.own(s.addrs)
	}
	if err := a.leave(mine.Addresses); err != nil {
		return fmt.Errorf("stop the real server: %w", err)
	}
	if err := errors.Join(a.sysctls.Set(r.GetId(), nil), a.fill(r, mine.Tunnels)); err != nil {
		return fmt.Errorf("stop the real server: %w", err)
	}
	return remove(a.place(r))
}

// fill sets tunnels down that the resource has set up and no other needs. The
// next to stop does it for those. a.mu is held.
func (a *Agent) fill(r *pb.Resource, tunnels []string) error {
	if len(tunnels) == 0 {
		return nil
	}
	for id, s := range a.running {
		if id == r.GetId() || !s.tunnel {
			continue
		}
		heir := &pb.Resource{Id: id}
		theirs, err := readRecord(a.place(heir))
		if err != nil {
			return err
		}
		theirs.Tunnels = append(theirs.Tunnels, tunnels...)
		return theirs.write(a.place(heir))
	}
	var err error
	for _, name := range tunnels {
		err = errors.Join(err, lower(name))
	}
	return err
}

// Halt implements [resources.Halter]. A node needs no lease to be a real server: it
// goes on serving what the owner of the address sends it, and says to nobody that it
// has it. See [Agent.Retire].
func (a *Agent) Halt(context.Context, *pb.Resource) error { return nil }

// Retire undoes all that runs, on a node that leaves its cluster.
func (a *Agent) Retire() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	for id := range a.running {
		err = errors.Join(err, a.end(&pb.Resource{Id: id}))
	}
	return err
}

// Monitor implements [resources.Agent]. What another hand has changed of the
// kernel's settings is set again; an address that is gone is a failure, as is one of
// which neighbours would be told.
func (a *Agent) Monitor(ctx context.Context, r *pb.Resource) (resources.State, error) {
	s, err := parse(r)
	if err != nil {
		return resources.Unknown, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found, err := present()
	if err != nil {
		return resources.Unknown, err
	}
	missing := slices.DeleteFunc(slices.Clone(s.addrs), func(addr netip.Addr) bool { return found[addr] })
	_, active := a.running[r.GetId()]
	switch {
	case len(missing) == len(s.addrs) && !active:
		return resources.Stopped, nil
	case !active: // an earlier process began it
		return resources.Running, nil
	case len(missing) > 0:
		return resources.Failed, removed(missing)
	}
	if err := a.mend(r, s); err != nil {
		return resources.Failed, err
	}
	if resources.RecurringIn(ctx) == nil {
		return resources.Running, nil
	}
	if err := a.verify(ctx, s); err != nil {
		return resources.Failed, err
	}
	return resources.Running, nil
}

func removed(addrs []netip.Addr) error {
	return &resources.Fault{Kind: "address-removed", Text: fmt.Sprintf("%s was removed from lo by another hand", list(addrs))}
}

func list(addrs []netip.Addr) string {
	words := make([]string, len(addrs))
	for i, addr := range addrs {
		words[i] = addr.String()
	}
	return strings.Join(words, " and ")
}

// mend sets the kernel's settings again that another hand has changed. a.mu is held.
func (a *Agent) mend(r *pb.Resource, s *settings) error {
	drifted, err := a.tune(r.GetId(), s)
	if err == nil && len(drifted) > 0 {
		a.Log.Warn("kernel settings were changed by another hand, and are set again", "resource", r.GetId(), "settings", strings.Join(drifted, ", "))
	}
	return err
}

// Detail implements [resources.Detailer]: "lo, sets conf.all.arp_ignore=1".
func (a *Agent) Detail(r *pb.Resource) string {
	text := loopback
	if set := a.sysctls.Describe(r.GetId()); set != "" {
		text += ", sets " + set
	}
	return text
}
