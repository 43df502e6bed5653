package guard

import (
	"encoding/binary"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// A legacy is what an earlier agent on this machine left leased: it ended while
// its lease went on (rule 25). It speaks until that lease ends, is cut with the
// lease of this agent, and is never renewed before it is added.
type legacy struct {
	addrs map[netip.Addr]struct{}
	until time.Duration // on the clock of deadlines; addresses have no time of their own
}

func (l *legacy) drop(addr netip.Addr) { delete(l.addrs, addr) }

// cut returns the addresses that would speak for longer than until, which they
// may not any more: they must be written together with what is renewed.
func (l *legacy) cut(until time.Duration) []netip.Addr {
	if len(l.addrs) == 0 || l.until <= until {
		return nil
	}
	l.until = until
	return slices.Collect(maps.Keys(l.addrs))
}

// Kept reports whether an address speaks that an earlier agent added, and that
// was neither added nor silenced since.
func (g *Guard) Kept() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.kept.addrs) > 0 && g.now() < g.kept.until
}

// inherit finds what may go on speaking in tables that are about to be replaced,
// and returns for how long: no longer than both the timeouts and the deadline of
// the earlier agent said. The clocks are read first, so that a freeze makes the
// time shorter.
func (g *Guard) inherit(c *nftables.Conn) span {
	clear(g.kept.addrs)
	wall, now := g.wall(), g.now()
	left := min(g.sets.deadlineLeft(c, wall), g.sets.timeoutsLeft(c, g.managed, g.kept.addrs)).Truncate(time.Millisecond)
	if len(g.kept.addrs) == 0 || left <= 0 {
		clear(g.kept.addrs)
		return never
	}
	g.kept.until = now + left
	return span{from: wall, until: wall + left, timeout: left}
}

// timeoutsLeft finds the managed addresses that are leased, and returns the
// shortest time until one of them is not.
func (s *sets) timeoutsLeft(c *nftables.Conn, managed, into map[netip.Addr]struct{}) time.Duration {
	left := time.Duration(math.MaxInt64)
	for _, p := range s.all() {
		elements, err := readSet(c, p.leased)
		if err != nil {
			continue // no such table or set
		}
		for _, e := range elements {
			addr, _ := netip.AddrFromSlice(e.Key)
			if _, ok := managed[addr]; ok {
				into[addr] = struct{}{}
				left = min(left, e.Expires)
			}
		}
	}
	return left
}

// deadlineLeft is how long the deadlines in the kernel let addresses speak; none
// if there are chains for them and they cannot be read.
func (s *sets) deadlineLeft(c *nftables.Conn, wall time.Duration) time.Duration {
	left := time.Duration(math.MaxInt64)
	for _, chain := range s.deadlines {
		until, ok := deadlineOf(c, chain)
		if !ok {
			return 0
		}
		left = min(left, until-wall)
	}
	return left
}

func deadlineOf(c *nftables.Conn, chain *nftables.Chain) (until time.Duration, ok bool) {
	rules, err := c.GetRules(chain.Table, chain)
	if err != nil {
		return 0, false
	}
	for _, r := range rules {
		for _, e := range r.Exprs {
			if within, is := e.(*expr.Range); is && len(within.ToData) == 8 {
				return time.Duration(binary.BigEndian.Uint64(within.ToData)) + 1, true
			}
		}
	}
	return 0, false
}
