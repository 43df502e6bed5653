package guard

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// ErrHeld is returned when an address is to be served as a real server's on a node
// that has it as a director.
var ErrHeld = errors.New("this node is the director of the address")

// A servant is what the guard knows of addresses for which this node is a real
// server: a director sends it packets for them, and it answers the clients itself.
// It must never say that they are its own. A node may be both, one after the other.
//
// Invariant: an address is served only while it is not leased here and no table of
// this node balances it. A node that was frozen as a director so stays silent from
// its deadline on, instead of balancing again what the next director sends it (S1).
type servant struct {
	attended map[netip.Addr]bool     // true: served
	directed map[string][]netip.Addr // what this node's tables balance, by resource
	freed    chan struct{}           // has a token when an address may be served again
}

func newServant() servant {
	return servant{attended: make(map[netip.Addr]bool), directed: make(map[string][]netip.Addr), freed: make(chan struct{}, 1)}
}

// balanced reports whether a table of this node balances packets to an address.
func (s *servant) balanced(addr netip.Addr) bool {
	for _, addrs := range s.directed {
		if slices.Contains(addrs, addr) || slices.Contains(addrs, anyAddress) {
			return true
		}
	}
	return false
}

// free tells that an address may be served now, if it is one.
func (s *servant) free() {
	if len(s.attended) == 0 {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default: // somebody is told already
	}
}

// Freed has a token whenever an address that is attended may be admitted that
// could not be before.
func (g *Guard) Freed() <-chan struct{} { return g.servant.freed }

// Attend makes an address one for which this node is a real server. From now on it
// is silent here unless it is leased, or admitted.
func (g *Guard) Attend(addr netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.servant.attended[addr]; ok {
		return nil
	}
	b := new(batch)
	g.sets.manage(b, addr)
	if err := g.commit(b); err != nil {
		return fmt.Errorf("guard %s: %w", addr, err)
	}
	g.servant.attended[addr] = false
	return nil
}

// Admit lets packets for an address in that a director sends, and the answers out,
// or fails with [ErrHeld]. It ends when this node starts the address, or a table
// that balances it.
func (g *Guard) Admit(addr netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	served, attended := g.servant.attended[addr]
	switch {
	case !attended:
		return fmt.Errorf("admit %s: it is not attended", addr)
	case g.held(addr):
		return ErrHeld
	case served:
		return nil
	}
	b := new(batch)
	g.sets.serve(b, addr)
	if err := g.commit(b); err != nil {
		return fmt.Errorf("admit %s: %w", addr, err)
	}
	g.servant.attended[addr] = true
	return nil
}

// unserve ends the admission of a real server's address, until it is admitted
// again. g.mu is held.
func (g *Guard) unserve(b *batch, addrs ...netip.Addr) {
	for _, addr := range addrs {
		if _, ok := g.servant.attended[addr]; ok {
			g.sets.refuse(b, addr)
			g.servant.attended[addr] = false
		}
	}
}

// Admitted reports whether packets for an address are served as a real server's.
func (g *Guard) Admitted(addr netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.servant.attended[addr]
}

// Held reports whether this node has an address as its director, which has to end
// before it can be admitted.
func (g *Guard) Held(addr netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held(addr)
}

// held is Held. g.mu is held.
func (g *Guard) held(addr netip.Addr) bool {
	_, leased := g.leased[addr]
	_, kept := g.kept.addrs[addr]
	return leased || kept && g.now() < g.kept.until || g.servant.balanced(addr)
}

// Dismiss ends Attend, when the address is on no interface for that any more.
func (g *Guard) Dismiss(addr netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.servant.attended[addr]; !ok {
		return nil
	}
	b := new(batch)
	g.sets.refuse(b, addr)
	if _, ok := g.managed[addr]; !ok {
		g.sets.release(b, addr)
	}
	if err := g.commit(b); err != nil {
		return fmt.Errorf("release %s: %w", addr, err)
	}
	delete(g.servant.attended, addr)
	return nil
}

// anyAddress stands for every address among those that a table balances, as one does by
// firewall marks.
var anyAddress = netip.IPv6Unspecified()

// Direct names all addresses that a resource's table balances on this node, before
// it does; none, when it no longer does. They are not served from then on. The
// unspecified address of IPv6 stands for any.
func (g *Guard) Direct(resource string, addrs []netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := new(batch)
	if slices.Contains(addrs, anyAddress) {
		g.unserve(b, slices.Collect(maps.Keys(g.servant.attended))...)
	}
	if g.unserve(b, addrs...); b.count > 0 {
		if err := g.commit(b); err != nil {
			return fmt.Errorf("silence a real server's addresses: %w", err)
		}
	}
	delete(g.servant.directed, resource)
	if len(addrs) > 0 {
		g.servant.directed[resource] = addrs
	}
	g.servant.free()
	return nil
}

// inheritServed finds what an earlier agent served and goes on with it: it did so
// because no table here balanced it, and none was begun since.
func (g *Guard) inheritServed(served []netip.Addr) {
	clear(g.servant.attended)
	for _, addr := range served {
		if _, ok := g.managed[addr]; ok {
			g.servant.attended[addr] = true
			delete(g.managed, addr)
		}
	}
}

// cared are the addresses that the guard keeps silent unless they may speak.
func (g *Guard) cared() []netip.Addr {
	all := slices.Collect(maps.Keys(g.managed))
	for addr := range g.servant.attended {
		if _, ok := g.managed[addr]; !ok {
			all = append(all, addr)
		}
	}
	return all
}
