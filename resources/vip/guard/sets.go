package guard

import (
	"net/netip"
	"time"

	"github.com/google/nftables"
)

// tableName is the name of both tables.
const tableName = "quorate"

// sets are our tables with their sets and rules. The methods that are given a
// batch or a connection only prepare messages; the caller commits them.
type sets struct {
	inet, arp *nftables.Table
	v4        []pair            // in inet and in arp
	v6        pair              // in inet; neighbour discovery is IP
	deadlines []*nftables.Chain // in inet and in arp; none in the relative form
}

// A pair is one table's managed and leased addresses of one family. What is in
// the first and not in the second is silent, but for what is served: to and from
// that go packets of IP, and no word of whose it is. There is none in arp.
type pair struct {
	managed, leased, served *nftables.Set
}

// newSets describes the tables in their absolute form, in which leased addresses
// have a deadline beside their timeouts, or in the relative one without.
func newSets(absolute bool) sets {
	s := sets{
		inet: &nftables.Table{Family: nftables.TableFamilyINet, Name: tableName},
		arp:  &nftables.Table{Family: nftables.TableFamilyARP, Name: tableName},
	}
	s.v4 = []pair{newPair(s.inet, "4", nftables.TypeIPAddr), newPair(s.arp, "4", nftables.TypeIPAddr)}
	s.v4[1].served = nil
	s.v6 = newPair(s.inet, "6", nftables.TypeIP6Addr)
	if absolute {
		s.deadlines = []*nftables.Chain{{Table: s.inet, Name: deadlineChain}, {Table: s.arp, Name: deadlineChain}}
	}
	return s
}

func newPair(t *nftables.Table, family string, key nftables.SetDatatype) pair {
	return pair{
		managed: &nftables.Set{Table: t, Name: "managed" + family, KeyType: key},
		leased:  &nftables.Set{Table: t, Name: "leased" + family, KeyType: key, HasTimeout: true},
		served:  &nftables.Set{Table: t, Name: "served" + family, KeyType: key},
	}
}

func (p pair) sets() []*nftables.Set {
	if p.served == nil {
		return []*nftables.Set{p.managed, p.leased}
	}
	return []*nftables.Set{p.managed, p.leased, p.served}
}

func (s *sets) absolute() bool { return len(s.deadlines) > 0 }

func (s *sets) all() []pair {
	return []pair{s.v4[0], s.v4[1], s.v6}
}

// list returns the addresses that an earlier agent managed; none if there is
// no table of ours.
func (s *sets) list(c *nftables.Conn) []netip.Addr {
	return elementsOf(c, s.v4[0].managed, s.v6.managed)
}

// listServed returns those that it served as a real server.
func (s *sets) listServed(c *nftables.Conn) []netip.Addr {
	return elementsOf(c, s.v4[0].served, s.v6.served)
}

// A filling is what tables are made with.
type filling struct {
	managed, leased, served []netip.Addr
	until                   span // of what is leased
}

// install replaces our tables in one commit, so that no managed address speaks
// between the old ones and the new but those that are served, and those that are
// leased, for as long as the span says.
func (s *sets) install(c *nftables.Conn, with filling) error {
	s.uninstall(c)
	c.AddTable(s.inet)
	c.AddTable(s.arp)
	elements := make(map[*nftables.Set][]nftables.SetElement)
	fill := func(addrs []netip.Addr, timeout time.Duration, set func(pair) *nftables.Set) {
		s.each(addrs, func(p pair, keys [][]byte) {
			for _, key := range keys {
				elements[set(p)] = append(elements[set(p)], nftables.SetElement{Key: key, Timeout: timeout})
			}
		})
	}
	fill(with.managed, 0, func(p pair) *nftables.Set { return p.managed })
	fill(with.leased, with.until.timeout, func(p pair) *nftables.Set { return p.leased })
	fill(with.served, 0, func(p pair) *nftables.Set { return p.served })
	for _, p := range s.all() {
		for _, set := range p.sets() {
			if err := c.AddSet(set, elements[set]); err != nil {
				return err
			}
		}
	}
	for _, chain := range s.deadlines {
		c.AddChain(chain)
		c.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: with.until.dropOutside()})
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

func (s *sets) manage(b *batch, addr netip.Addr) {
	s.each([]netip.Addr{addr}, func(p pair, keys [][]byte) { b.put(p.managed, keys, 0) })
}

func (s *sets) release(b *batch, addr netip.Addr) {
	s.each([]netip.Addr{addr}, func(p pair, keys [][]byte) {
		b.put(p.managed, keys, 0)
		b.take(p.managed, keys)
	})
}

// serve lets packets to and from an address pass without a lease.
func (s *sets) serve(b *batch, addr netip.Addr) {
	s.each([]netip.Addr{addr}, func(p pair, keys [][]byte) {
		if p.served != nil {
			b.put(p.served, keys, 0)
		}
	})
}

// refuse ends that.
func (s *sets) refuse(b *batch, addrs ...netip.Addr) {
	s.each(addrs, func(p pair, keys [][]byte) {
		if p.served != nil {
			b.put(p.served, keys, 0) // for the deletion's sake; never seen by a packet
			b.take(p.served, keys)
		}
	})
}

// lease says which addresses may speak, and how long all that are leased may.
// To add an element again does not change its timeout (seen on 6.1 and 6.18), so
// it is deleted in between; and added before that, because to delete what is not
// there is an error. A rule, unlike an element of an interval set, is replaced
// without losing a packet on 6.1 too (decision 4).
func (s *sets) lease(b *batch, to span, addrs ...netip.Addr) {
	s.each(addrs, func(p pair, keys [][]byte) {
		b.put(p.leased, keys, to.timeout)
		b.take(p.leased, keys)
		b.put(p.leased, keys, to.timeout)
	})
	for _, chain := range s.deadlines {
		b.replace(chain, to.dropOutside())
	}
}

func (s *sets) expire(b *batch, addr netip.Addr) {
	s.each([]netip.Addr{addr}, func(p pair, keys [][]byte) {
		b.put(p.leased, keys, time.Minute) // for the deletion's sake; never seen by a packet
		b.take(p.leased, keys)
	})
}

func (s *sets) clear(b *batch) {
	for _, p := range s.all() {
		b.empty(p.leased)
	}
}

// each calls f for every pair that has a place for some of the addresses. They
// go into one message a set.
func (s *sets) each(addrs []netip.Addr, f func(pair, [][]byte)) {
	var v4, v6 [][]byte
	for _, addr := range addrs {
		if addr.Is4() {
			v4 = append(v4, addr.AsSlice())
		} else {
			v6 = append(v6, addr.AsSlice())
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
