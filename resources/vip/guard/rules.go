package guard

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Where addresses are in packets: offset and length in bytes.
type field struct {
	base           expr.PayloadBase
	offset, length uint32
}

var (
	ipSource       = field{expr.PayloadBaseNetworkHeader, 12, 4}   // RFC 791, section 3.1
	ipDestination  = field{expr.PayloadBaseNetworkHeader, 16, 4}   //
	ip6Source      = field{expr.PayloadBaseNetworkHeader, 8, 16}   // RFC 8200, section 3
	ip6Destination = field{expr.PayloadBaseNetworkHeader, 24, 16}  //
	ndTarget       = field{expr.PayloadBaseTransportHeader, 8, 16} // RFC 4861, sections 4.3 and 4.4
	icmp6Type      = field{expr.PayloadBaseTransportHeader, 0, 1}  // RFC 4443, section 2.1
	arpSender      = field{expr.PayloadBaseNetworkHeader, 14, 4}   // RFC 826, for Ethernet and IPv4
	arpTarget      = field{expr.PayloadBaseNetworkHeader, 24, 4}   //
)

// Hooks of the arp family (linux/netfilter_arp.h).
const (
	hookARPIn  = 0
	hookARPOut = 1
)

// Types of ICMPv6 messages (RFC 4861, sections 4.3 and 4.4).
const (
	neighborSolicitation  = 135
	neighborAdvertisement = 136
)

// addRules drops what managed addresses receive and send without a lease, but for
// the packets of those that this node serves as a real server: of these only what
// tells neighbours where they are. It hooks in before connection tracking and
// address translation of what comes in and after that of what goes out, so that
// IPVS and NAT are covered too.
func (s *sets) addRules(c *nftables.Conn) {
	in := addChain(c, s.inet, "in", nftables.ChainHookPrerouting, *nftables.ChainPriorityRaw)
	out := addChain(c, s.inet, "out", nftables.ChainHookPostrouting, *nftables.ChainPriorityConntrackHelper)
	v4, v6 := family(unix.NFPROTO_IPV4), family(unix.NFPROTO_IPV6)
	s.addRule(c, in, s.v6.never(), ndTarget, slices.Concat(v6, icmp6(neighborSolicitation))...)
	s.addRule(c, in, s.v4[0], ipDestination, v4...)
	s.addRule(c, in, s.v6, ip6Destination, v6...)
	s.addRule(c, out, s.v6.never(), ndTarget, slices.Concat(v6, icmp6(neighborAdvertisement))...)
	s.addRule(c, out, s.v6.never(), ip6Source, slices.Concat(v6, icmp6(neighborSolicitation))...) // it tells the sender's place
	s.addRule(c, out, s.v4[0], ipSource, v4...)
	s.addRule(c, out, s.v6, ip6Source, v6...)

	arpIn := addChain(c, s.arp, "in", nftables.ChainHookRef(hookARPIn), *nftables.ChainPriorityFilter)
	arpOut := addChain(c, s.arp, "out", nftables.ChainHookRef(hookARPOut), *nftables.ChainPriorityFilter)
	s.addRule(c, arpIn, s.v4[1], arpTarget)
	s.addRule(c, arpOut, s.v4[1], arpSender)
}

func addChain(c *nftables.Conn, t *nftables.Table, name string, hook *nftables.ChainHook, priority nftables.ChainPriority) *nftables.Chain {
	return c.AddChain(&nftables.Chain{
		Name: name, Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority,
	})
}

// never are the same addresses, as if none were served.
func (p pair) never() pair {
	p.served = nil
	return p
}

// addRule drops a packet that meets the conditions when its field is managed and
// neither leased nor served, and has it pass the deadline when it is leased.
func (s *sets) addRule(c *nftables.Conn, chain *nftables.Chain, p pair, f field, when ...expr.Any) {
	add := func(then ...expr.Any) {
		c.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: slices.Concat(when, []expr.Any{f.load()}, then)})
	}
	silent := []expr.Any{
		&expr.Lookup{SourceRegister: 1, SetName: p.managed.Name},
		&expr.Lookup{SourceRegister: 1, SetName: p.leased.Name, Invert: true},
	}
	if p.served != nil {
		silent = append(silent, &expr.Lookup{SourceRegister: 1, SetName: p.served.Name, Invert: true})
	}
	add(append(silent, &expr.Verdict{Kind: expr.VerdictDrop})...)
	if s.absolute() {
		add(
			&expr.Lookup{SourceRegister: 1, SetName: p.leased.Name},
			&expr.Verdict{Kind: expr.VerdictJump, Chain: deadlineChain},
		)
	}
}

func (f field) load() expr.Any {
	return &expr.Payload{DestRegister: 1, Base: f.base, Offset: f.offset, Len: f.length}
}

// family limits a rule of the inet table to one protocol.
func family(proto byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, equals(proto)}
}

func icmp6(kind byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equals(unix.IPPROTO_ICMPV6),
		icmp6Type.load(), equals(kind),
	}
}

func equals(b byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{b}}
}
