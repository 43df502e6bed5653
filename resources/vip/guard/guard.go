// Package guard lets the kernel keep a node's lease over its addresses, so
// that they fall silent when it ends even if the agent was killed or frozen.
//
// Two nftables tables of our own, inet quorate and arp quorate, drop what is
// sent to or from a managed address (ARP, neighbour discovery and IP alike)
// unless the address is also in a set of leased ones, whose elements time out
// in the kernel. A [Guard] renews them; everybody else's tables are left alone.
//
// Every write carries the end of the lease twice: as timeouts of the elements,
// which the kernel counts from its commit, and as a deadline on the wall clock,
// in a rule that all leased addresses have to pass. An address speaks while both
// allow it. An agent that is frozen before the commit, or waits for it behind a
// firewall that is being loaded, writes timeouts that end too late and a deadline
// that does not. A wall clock that is set moves the deadline and not the
// timeouts. After every write the clock is read again; if the lease is over,
// what was written is deleted (lease protocol, rules 23 and 24).
//
// On a node that is a real server for an address, and not its owner, packets for it
// pass without a lease, and ARP and neighbour discovery do not: see [Guard.Admit].
package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/resources"
)

// ErrUnavailable is returned when this kernel or our permissions do not allow
// the guard. Addresses are then as safe as the agent is alive.
var ErrUnavailable = errors.New("nftables guard unavailable")

// ErrNoLease is returned when an address is added or extended without a lease
// that lasts: nothing is admitted.
var ErrNoLease = resources.ErrNoLease

// ErrStalled is returned when the lease ended while the kernel was being told
// of it. What had been written was deleted again.
var ErrStalled = fmt.Errorf("the lease ended while the guard was written: %w", ErrNoLease)

// A Guard owns the tables (lease protocol, rule 23): all writes and deletions
// go through its lock, in which the right to them is checked again.
type Guard struct {
	present func() (time.Duration, bool)
	now     func() time.Duration // the clock of deadlines
	wall    func() time.Duration // the clock of packets
	steps   *stepWatch           // of the wall clock

	mu       sync.Mutex
	socket   socket
	sets     sets
	extended time.Duration           // the newest deadline given to Extend; 0 after Clear
	leased   map[netip.Addr]struct{} // renewed by Extend
	managed  map[netip.Addr]struct{} // silent unless leased
	kept     legacy
	servant  servant
}

// Add admits an address until the present lease ends, and has Extend renew it.
// It must be called before the address is added to an interface. ctx must end
// with the right to serve, before the node can hold another lease: the lease
// found here is that of the right (rule 23).
func (g *Guard) Add(ctx context.Context, addr netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	until, held := g.present()
	switch {
	case !held || until-g.now() < time.Millisecond:
		return ErrNoLease
	case ctx.Err() != nil: // looked at after the lease was
		return fmt.Errorf("%w: %w", ErrNoLease, ctx.Err())
	}
	g.managed[addr] = struct{}{}
	g.leased[addr] = struct{}{}
	g.kept.drop(addr)
	b := new(batch)
	g.sets.manage(b, addr)
	g.unserve(b, addr) // a director serves as long as its lease, and no longer
	if err := g.write(b, until, addr); err != nil {
		return errors.Join(err, g.silence(addr))
	}
	return nil
}

// Extend renews all added addresses in one batch until the deadline, on the
// clock of leases, or until the present lease ends if that is earlier. What
// an earlier agent left is cut to that, and never renewed.
func (g *Guard) Extend(deadline time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.extended = deadline
	until, held := g.present()
	if !held {
		return errors.Join(ErrNoLease, g.withdraw())
	}
	until = min(until, deadline)
	addrs := slices.AppendSeq(g.kept.cut(until), maps.Keys(g.leased))
	if len(addrs) == 0 {
		return nil
	}
	if err := g.write(new(batch), until, addrs...); err != nil {
		return errors.Join(err, g.withdraw())
	}
	return nil
}

// stepped renews what is leased after the wall clock was set: the deadline in
// the kernel was on the old one. What fails is silent until the next Extend,
// which tells why.
func (g *Guard) stepped() {
	g.mu.Lock()
	defer g.mu.Unlock()
	until, held := g.present()
	if !held || len(g.leased) == 0 {
		return
	}
	if err := g.write(new(batch), until, slices.Collect(maps.Keys(g.leased))...); err != nil {
		b := new(batch)
		g.sets.clear(b)
		_ = g.commit(b)
	}
}

// write commits a batch that leases addresses to the kernel until a moment. When
// it fails, or that has passed by the time it is done, the caller takes back
// what it wrote. g.mu is held.
func (g *Guard) write(b *batch, until time.Duration, addrs ...netip.Addr) error {
	wall := g.wall() // first: a freeze between the clocks makes the deadline earlier
	left := until - g.now()
	timeout := left.Truncate(time.Millisecond)
	if timeout <= 0 {
		return ErrStalled
	}
	g.sets.lease(b, span{from: wall, until: wall + left, timeout: timeout}, addrs...)
	if err := g.commit(b); err != nil {
		return fmt.Errorf("write the guard: %w", err)
	}
	if g.now() >= until {
		return ErrStalled
	}
	return nil
}

// Revoke silences an address at once. It stays managed, and so silent until it
// is added again, even if it cannot be removed from its interface.
func (g *Guard) Revoke(addr netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.silence(addr)
}

// silence ends one lease in the kernel. g.mu is held.
func (g *Guard) silence(addr netip.Addr) error {
	defer g.servant.free()
	delete(g.leased, addr)
	g.kept.drop(addr)
	if _, ok := g.managed[addr]; !ok {
		return nil
	}
	b := new(batch)
	g.sets.expire(b, addr)
	g.unserve(b, addr)
	if err := g.commit(b); err != nil {
		return fmt.Errorf("silence %s: %w", addr, err)
	}
	return nil
}

// Remove ends the care for an address that is on no interface any more.
func (g *Guard) Remove(addr netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.leased, addr)
	g.kept.drop(addr)
	if _, ok := g.managed[addr]; !ok {
		return nil
	}
	defer g.servant.free()
	b := new(batch)
	g.sets.expire(b, addr)
	if _, ok := g.servant.attended[addr]; !ok {
		g.sets.release(b, addr)
	}
	if err := g.commit(b); err != nil {
		return fmt.Errorf("release %s: %w", addr, err)
	}
	delete(g.managed, addr)
	return nil
}

// Clear silences all addresses at once: the lease is over. Each must be added
// again under a new one.
func (g *Guard) Clear() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.extended = 0
	return g.withdraw()
}

// withdraw empties the sets of leased addresses. g.mu is held.
func (g *Guard) withdraw() error {
	defer g.servant.free()
	clear(g.leased)
	clear(g.kept.addrs)
	b := new(batch)
	g.sets.clear(b)
	if err := g.commit(b); err != nil {
		return fmt.Errorf("silence all addresses: %w", err)
	}
	return nil
}

// commit makes the changes of a batch: all or none. After an error the socket
// may hold answers to what failed, so it is made anew. g.mu is held.
func (g *Guard) commit(b *batch) error {
	err := g.socket.commit(b)
	if err == nil {
		return nil
	}
	_ = g.socket.close() // nothing is on its way in it
	fresh, openErr := openSocket()
	g.socket = fresh
	return errors.Join(err, openErr)
}
