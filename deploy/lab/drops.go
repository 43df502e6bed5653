package lab

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A drop is what a network loses of what it should carry.
type drop struct {
	network  int
	from, to string // hosts; empty: all, but not both
	percent  int    // of the frames
}

func (d drop) of(host string) bool { return d.from == host || d.to == host }

// String says it as its host would see it.
func (d drop) String() string {
	from, to := d.from, d.to
	if from == "" {
		from = "all"
	}
	if to == "" {
		to = "all"
	}
	return fmt.Sprintf("%s: %d %% lost from %s to %s", Networks[d.network], d.percent, from, to)
}

// drops are what the bridges lose, in a table of nftables in the supervisor's
// namespace. Only what passes from host to host is lost: the meter asks on the
// cables themselves.
type drops struct {
	ports func(host string, network int) string // the bridge's end of a host's cable

	mu  sync.Mutex
	all []drop
}

// add begins to lose more.
func (s *drops) add(more ...drop) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(append(slices.Clone(s.all), more...))
}

// heal ends all that a host loses, on one network or, if that is negative, on all.
func (s *drops) heal(host string, network int) (healed []drop, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []drop
	for _, d := range s.all {
		if d.of(host) && (network < 0 || d.network == network) {
			healed = append(healed, d)
		} else {
			rest = append(rest, d)
		}
	}
	if len(healed) == 0 {
		return nil, nil
	}
	return healed, s.set(rest)
}

// of returns what a host loses.
func (s *drops) of(host string) []drop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(d drop) bool { return !d.of(host) })
}

// set makes the table anew, in one commit: all or none. s.mu is held.
func (s *drops) set(wanted []drop) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyBridge, Name: "lab"}
	c.AddTable(table) // to delete what is not there is an error
	c.DelTable(table)
	if len(wanted) > 0 {
		c.AddTable(table)
		chain := c.AddChain(&nftables.Chain{
			Table: table, Name: "drops", Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
		})
		for _, d := range wanted {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: s.rule(d)})
		}
	}
	if err := c.Flush(); err != nil {
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) {
			err = fmt.Errorf("this kernel cannot filter between the ports of a bridge (CONFIG_NF_TABLES_BRIDGE): %w", err)
		}
		return fmt.Errorf("nftables: %w", err)
	}
	s.all = wanted
	return nil
}

func (s *drops) rule(d drop) []expr.Any {
	var rule []expr.Any
	if d.from != "" {
		rule = append(rule, matchPort(expr.MetaKeyIIFNAME, s.ports(d.from, d.network))...)
	}
	if d.to != "" {
		rule = append(rule, matchPort(expr.MetaKeyOIFNAME, s.ports(d.to, d.network))...)
	}
	if d.percent < 100 {
		rule = append(rule,
			&expr.Numgen{Register: 1, Type: unix.NFT_NG_RANDOM, Modulus: 100},
			&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
			&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(uint32(d.percent))},
		)
	}
	return append(rule, &expr.Verdict{Kind: expr.VerdictDrop})
}

// matchPort passes frames by the port that they come from or go to.
func matchPort(key expr.MetaKey, name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded}}
}
