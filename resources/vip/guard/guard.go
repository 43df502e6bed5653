// Package guard lets the kernel keep a node's lease over its addresses, so
// that they fall silent when it ends even if the agent was killed or frozen.
//
// Two nftables tables of our own, inet quorate and arp quorate, drop what is
// sent to or from a managed address (ARP, neighbour discovery and IP alike)
// unless the address is also in a set of leased ones, whose elements time out
// in the kernel. A [Guard] renews them; everybody else's tables are left alone.
//
// The timeout is the lease that remained when it was computed, in whole
// milliseconds, rounded down. An agent that is frozen between that and the
// kernel's commit writes it too late: then the clock, read again after every
// write, shows that the lease is over, and the elements are deleted (lease
// protocol, rule 24). Until that deletion the address answers.
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

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

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

// Config is what a guard needs. Its zero value suffices.
type Config struct {
	// Deadline returns the end of the lease that the node holds now, on
	// CLOCK_MONOTONIC_RAW, and whether it holds one. It is called inside the
	// guard's lock, so it must not wait for whoever may be calling the guard.
	// Nil: the newest deadline given to Extend.
	Deadline func() (time.Duration, bool)
}

// A Guard owns the tables (lease protocol, rule 23): all writes and deletions
// go through its lock, in which the right to them is checked again.
type Guard struct {
	present func() (time.Duration, bool)
	now     func() time.Duration

	mu       sync.Mutex
	socket   socket
	sets     sets
	extended time.Duration           // the newest deadline given to Extend; 0 after Clear
	leased   map[netip.Addr]struct{} // renewed by Extend
	managed  map[netip.Addr]struct{} // silent unless leased
}

// Open creates the tables, or replaces those that an earlier agent left:
// nothing is leased afterwards (rule 4), and the addresses that it managed and
// that keep returns true for stay silent until they are added again.
func Open(c Config, keep func(netip.Addr) bool) (*Guard, error) {
	g := &Guard{
		present: c.Deadline,
		now:     Now,
		leased:  make(map[netip.Addr]struct{}),
		managed: make(map[netip.Addr]struct{}),
	}
	if g.present == nil {
		g.present = func() (time.Duration, bool) { return g.extended, g.extended != 0 }
	}
	g.sets = newSets()
	err := g.install(keep)
	if err == nil {
		g.socket, err = openSocket()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return g, nil
}

// install makes the tables. The library does this; what is written often goes
// by the guard's own socket.
func (g *Guard) install(keep func(netip.Addr) bool) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	for _, addr := range g.sets.list(conn) {
		if keep(addr) {
			g.managed[addr] = struct{}{}
		}
	}
	return g.sets.install(conn, g.managed)
}

// Now reads the clock that deadlines are on.
func Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &t); err != nil {
		panic(fmt.Sprintf("read CLOCK_MONOTONIC_RAW: %v", err)) // Linux has had it since 2.6.28
	}
	return time.Duration(t.Nano())
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
	b := new(batch)
	g.sets.manage(b, addr)
	if err := g.write(b, until, addr); err != nil {
		return errors.Join(err, g.silence(addr))
	}
	return nil
}

// Extend renews all added addresses in one batch until the deadline, on
// CLOCK_MONOTONIC_RAW, or until the present lease ends if that is earlier.
func (g *Guard) Extend(deadline time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.extended = deadline
	until, held := g.present()
	if !held {
		return errors.Join(ErrNoLease, g.withdraw())
	}
	if len(g.leased) == 0 {
		return nil
	}
	if err := g.write(new(batch), min(until, deadline), slices.Collect(maps.Keys(g.leased))...); err != nil {
		return errors.Join(err, g.withdraw())
	}
	return nil
}

// write commits a batch that leases addresses to the kernel until a moment. When
// it fails, or that has passed by the time it is done, the caller takes back
// what it wrote. g.mu is held.
func (g *Guard) write(b *batch, until time.Duration, addrs ...netip.Addr) error {
	timeout := (until - g.now()).Truncate(time.Millisecond)
	if timeout <= 0 {
		return ErrStalled
	}
	g.sets.lease(b, timeout, addrs...)
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
	delete(g.leased, addr)
	if _, ok := g.managed[addr]; !ok {
		return nil
	}
	b := new(batch)
	g.sets.expire(b, addr)
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
	if _, ok := g.managed[addr]; !ok {
		return nil
	}
	b := new(batch)
	g.sets.expire(b, addr)
	g.sets.release(b, addr)
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
	clear(g.leased)
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

// Close removes the tables, unless addresses are still managed: those the
// kernel goes on guarding until a later agent opens the guard.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.managed) == 0 {
		if err := g.uninstall(); err != nil {
			return fmt.Errorf("remove the guard's tables: %w", err)
		}
	}
	if err := g.socket.close(); err != nil {
		return fmt.Errorf("close the socket to nftables: %w", err)
	}
	return nil
}

func (g *Guard) uninstall() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	g.sets.uninstall(conn)
	return conn.Flush()
}
