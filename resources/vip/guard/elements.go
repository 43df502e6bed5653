package guard

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
)

// readings are how often a set is read at most.
const readings = 20

// elementsOf returns what is in sets; nothing of those that are not there.
func elementsOf(c *nftables.Conn, sets ...*nftables.Set) []netip.Addr {
	var addrs []netip.Addr
	for _, set := range sets {
		elements, err := readSet(c, set)
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

// readSet returns a set's elements.
func readSet(c *nftables.Conn, set *nftables.Set) ([]nftables.SetElement, error) {
	return agreed(func() ([]nftables.SetElement, error) { return c.GetSetElements(set) })
}

// agreed reads a set until two readings in a row are of the same elements, each once.
// To tell of hundreds the kernel needs several messages, and goes on in each after as
// many elements as it has told: while it also makes room for what was just added, which
// moves them, it tells some twice and others not at all. If there are no such two, all
// that was read counts: silence is safe.
func agreed(read func() ([]nftables.SetElement, error)) ([]nftables.SetElement, error) {
	all := make(map[string]nftables.SetElement)
	var before map[string]bool
	for range readings {
		elements, err := read()
		if err != nil {
			return nil, err
		}
		now := make(map[string]bool)
		for _, e := range elements {
			now[string(e.Key)] = true
			all[string(e.Key)] = e
		}
		if before != nil && len(now) == len(elements) && maps.Equal(now, before) {
			break
		}
		before = now
	}
	return slices.Collect(maps.Values(all)), nil
}
