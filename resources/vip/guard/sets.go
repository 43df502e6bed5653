package guard

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
)

// tableName is the name of both tables.
const tableName = "quorate"

// sets are our tables with their sets and rules. Its methods only prepare
// messages; the caller commits them with the connection's Flush.
type sets struct {
	inet, arp *nftables.Table
	v4        []pair // in inet and in arp
	v6        pair   // in inet; neighbour discovery is IP
}

// A pair is one table's managed and leased addresses of one family. What is in
// the first and not in the second is silent.
type pair struct {
	managed, leased *nftables.Set
}

func newSets() sets {
	s := sets{
		inet: &nftables.Table{Family: nftables.TableFamilyINet, Name: tableName},
		arp:  &nftables.Table{Family: nftables.TableFamilyARP, Name: tableName},
	}
	s.v4 = []pair{newPair(s.inet, "4", nftables.TypeIPAddr), newPair(s.arp, "4", nftables.TypeIPAddr)}
	s.v6 = newPair(s.inet, "6", nftables.TypeIP6Addr)
	return s
}

func newPair(t *nftables.Table, family string, key nftables.SetDatatype) pair {
	return pair{
		managed: &nftables.Set{Table: t, Name: "managed" + family, KeyType: key},
		leased:  &nftables.Set{Table: t, Name: "leased" + family, KeyType: key, HasTimeout: true},
	}
}

func (s *sets) all() []pair {
	return []pair{s.v4[0], s.v4[1], s.v6}
}

// list returns the addresses that an earlier agent managed; none if there is
// no table of ours.
func (s *sets) list(c *nftables.Conn) []netip.Addr {
	var addrs []netip.Addr
	for _, p := range []pair{s.v4[0], s.v6} {
		elements, err := c.GetSetElements(p.managed)
		if err != nil {
			continue // no such table or set
		}
		for _, e := range elements {
			if addr, ok := netip.AddrFromSlice(e.Key); ok {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs
}

// install replaces our tables in one commit, so that no managed address speaks
// between the old ones and the new.
func (s *sets) install(c *nftables.Conn, managed map[netip.Addr]struct{}) error {
	s.uninstall(c)
	c.AddTable(s.inet)
	c.AddTable(s.arp)
	for _, p := range s.all() {
		if err := c.AddSet(p.managed, nil); err != nil {
			return err
		}
		if err := c.AddSet(p.leased, nil); err != nil {
			return err
		}
	}
	s.manage(c, slices.Collect(maps.Keys(managed))...)
	s.addRules(c)
	return c.Flush()
}

// uninstall deletes our tables. It adds them first: to delete what is not
// there is an error.
func (s *sets) uninstall(c *nftables.Conn) {
	for _, t := range []*nftables.Table{s.inet, s.arp} {
		c.AddTable(t)
		c.DelTable(t)
	}
}

func (s *sets) manage(c *nftables.Conn, addrs ...netip.Addr) {
	s.each(addrs, func(p pair, keys []nftables.SetElement) { put(c, p.managed, keys, 0) })
}

func (s *sets) release(c *nftables.Conn, addr netip.Addr) {
	s.each([]netip.Addr{addr}, func(p pair, keys []nftables.SetElement) {
		put(c, p.managed, keys, 0)
		take(c, p.managed, keys)
	})
}

// lease sets how long addresses may speak. To add an element again does not
// change its timeout (seen on 6.1 and 6.18), so it is deleted in between; and
// added before that, because to delete what is not there is an error.
func (s *sets) lease(c *nftables.Conn, timeout time.Duration, addrs ...netip.Addr) {
	s.each(addrs, func(p pair, keys []nftables.SetElement) {
		put(c, p.leased, keys, timeout)
		take(c, p.leased, keys)
		put(c, p.leased, keys, timeout)
	})
}

func (s *sets) expire(c *nftables.Conn, addr netip.Addr) {
	s.each([]netip.Addr{addr}, func(p pair, keys []nftables.SetElement) {
		put(c, p.leased, keys, time.Minute) // for the deletion's sake; never seen by a packet
		take(c, p.leased, keys)
	})
}

func (s *sets) clear(c *nftables.Conn) {
	for _, p := range s.all() {
		c.FlushSet(p.leased)
	}
}

// each calls f for every pair that has a place for some of the addresses. They
// go into one message a set: the kernel answers each message, and many answers
// would overflow the socket.
func (s *sets) each(addrs []netip.Addr, f func(pair, []nftables.SetElement)) {
	var v4, v6 []nftables.SetElement
	for _, addr := range addrs {
		if key := (nftables.SetElement{Key: addr.AsSlice()}); addr.Is4() {
			v4 = append(v4, key)
		} else {
			v6 = append(v6, key)
		}
	}
	if len(v4) > 0 {
		f(s.v4[0], v4)
		f(s.v4[1], v4)
	}
	if len(v6) > 0 {
		f(s.v6, v6)
	}
}

// put and take change a named set. The library's error is for anonymous ones.
func put(c *nftables.Conn, set *nftables.Set, keys []nftables.SetElement, timeout time.Duration) {
	timed := slices.Clone(keys)
	for i := range timed {
		timed[i].Timeout = timeout
	}
	_ = c.SetAddElements(set, timed)
}

func take(c *nftables.Conn, set *nftables.Set, keys []nftables.SetElement) {
	_ = c.SetDeleteElements(set, keys)
}
