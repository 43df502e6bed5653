package guard

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
)

// Config is what a guard needs. Its zero value suffices.
type Config struct {
	// Now is the clock that leases are counted on; nil: CLOCK_MONOTONIC_RAW.
	Now func() time.Duration
	// Deadline returns the end of the lease that the node holds now, on that
	// clock, and whether it holds one. It is called inside the
	// guard's lock, so it must not wait for whoever may be calling the guard.
	// Nil: the newest deadline given to Extend.
	Deadline func() (time.Duration, bool)
}

// Open creates the tables, or replaces those that an earlier agent left. The
// addresses that it managed and that keep returns true for stay managed: silent
// until they are added again, but for those whose lease lasts still, which speak
// until it ends (see Kept). What that agent served as a real server goes on, too. Until it is closed, the guard renews what is leased
// whenever the wall clock was set.
func Open(c Config, keep func(netip.Addr) bool) (*Guard, error) {
	g := &Guard{
		present: c.Deadline,
		now:     Now,
		wall:    wallNow,
		leased:  make(map[netip.Addr]struct{}),
		managed: make(map[netip.Addr]struct{}),
		kept:    legacy{addrs: make(map[netip.Addr]struct{})},
		servant: newServant(),
	}
	if c.Now != nil {
		g.now = c.Now
	}
	if g.present == nil {
		g.present = func() (time.Duration, bool) { return g.extended, g.extended != 0 }
	}
	if err := g.start(keep); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return g, nil
}

func (g *Guard) start(keep func(netip.Addr) bool) error {
	if err := g.install(keep, newSets(true), newSets(false)); err != nil {
		return err
	}
	var err error
	if g.socket, err = openSocket(); err != nil {
		return err
	}
	if g.steps, err = watchSteps(g.stepped); err != nil {
		return errors.Join(err, g.socket.close())
	}
	if len(g.kept.addrs) > 0 && g.now() >= g.kept.until { // rule 24
		return g.Clear()
	}
	return nil
}

// install makes the tables in the first of the forms that this kernel takes.
// The library does this; what is written often goes by the guard's own socket.
func (g *Guard) install(keep func(netip.Addr) bool, forms ...sets) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	for _, g.sets = range forms {
		for _, addr := range g.sets.list(conn) {
			if keep(addr) {
				g.managed[addr] = struct{}{}
			}
		}
		left := g.inherit(conn)
		g.inheritServed(g.sets.listServed(conn))
		err = g.sets.install(conn, filling{managed: g.cared(), leased: slices.Collect(maps.Keys(g.kept.addrs)), served: slices.Collect(maps.Keys(g.servant.attended)), until: left})
		if err == nil {
			return nil
		}
	}
	return err
}

// String says who ends the lease: "kernel", or "kernel, relative" where this
// kernel refused deadlines. A write that was frozen past the end of the lease
// admits addresses there until it is deleted again.
func (g *Guard) String() string {
	if g.sets.absolute() {
		return "kernel"
	}
	return "kernel, relative"
}

// Retire removes the tables that an earlier agent left, for one that uses another
// guard. Before that, drop takes each address that they may keep silent from its
// interfaces: it would speak without them.
func Retire(drop func(netip.Addr) error) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	s := newSets(true)
	for _, addr := range s.list(conn) {
		if err := drop(addr); err != nil {
			return fmt.Errorf("remove the guard's tables: remove %s first: %w", addr, err)
		}
	}
	s.uninstall(conn)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove the guard's tables: %w", err)
	}
	return nil
}

// Close removes the tables, unless addresses are still managed: those the
// kernel goes on guarding until a later agent opens the guard.
func (g *Guard) Close() error {
	stepsErr := g.steps.close() // before the lock, which its last call may wait for
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(stepsErr, g.uninstall(), g.socket.close())
}

func (g *Guard) uninstall() error {
	if len(g.cared()) > 0 {
		return nil
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("remove the guard's tables: %w", err)
	}
	g.sets.uninstall(conn)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove the guard's tables: %w", err)
	}
	return nil
}
