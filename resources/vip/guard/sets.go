package guard

import (
	"net/netip"
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

// pairs returns the pairs of an address's family.
func (s *sets) pairs(addr netip.Addr) []pair {
	if addr.Is4() {
		return s.v4
	}
	return []pair{s.v6}
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
	for addr := range managed {
		s.manage(c, addr)
	}
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

func (s *sets) manage(c *nftables.Conn, addr netip.Addr) {
	for _, p := range s.pairs(addr) {
		put(c, p.managed, addr, 0)
	}
}

func (s *sets) release(c *nftables.Conn, addr netip.Addr) {
	for _, p := range s.pairs(addr) {
		put(c, p.managed, addr, 0)
		take(c, p.managed, addr)
	}
}

// lease sets how long an address may speak. To add an element again does not
// change its timeout (seen on 6.1 and 6.18), so it is deleted in between; and
// added before that, because to delete what is not there is an error.
func (s *sets) lease(c *nftables.Conn, addr netip.Addr, timeout time.Duration) {
	for _, p := range s.pairs(addr) {
		put(c, p.leased, addr, timeout)
		take(c, p.leased, addr)
		put(c, p.leased, addr, timeout)
	}
}

func (s *sets) expire(c *nftables.Conn, addr netip.Addr) {
	for _, p := range s.pairs(addr) {
		put(c, p.leased, addr, time.Minute) // for the deletion's sake; never seen by a packet
		take(c, p.leased, addr)
	}
}

func (s *sets) clear(c *nftables.Conn) {
	for _, p := range s.all() {
		c.FlushSet(p.leased)
	}
}

// put and take change a named set. The library's error is for anonymous ones.
func put(c *nftables.Conn, set *nftables.Set, addr netip.Addr, timeout time.Duration) {
	_ = c.SetAddElements(set, []nftables.SetElement{{Key: addr.AsSlice(), Timeout: timeout}})
}

func take(c *nftables.Conn, set *nftables.Set, addr netip.Addr) {
	_ = c.SetDeleteElements(set, []nftables.SetElement{{Key: addr.AsSlice()}})
}
