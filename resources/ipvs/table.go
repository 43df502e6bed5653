package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// A Protocol is one that the kernel balances, by its number.
type Protocol uint8

// The kernel's protocols.
const (
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

var protocols = map[string]Protocol{"tcp": TCP, "udp": UDP, "sctp": SCTP}

func (p Protocol) String() string {
	for name, q := range protocols {
		if p == q {
			return name
		}
	}
	return strconv.Itoa(int(p))
}

// A Key is what makes a virtual service another one: an address with its protocol
// and port, or a firewall mark with the family of the packets that carry it.
type Key struct {
	Protocol Protocol       // 0 with a mark
	Address  netip.AddrPort // port 0: every port
	Mark     uint32         // 0: an address
	V6       bool           // with a mark
}

// String is how a configuration and an error name it: "tcp 10.0.0.1:80", "mark 5".
func (k Key) String() string {
	switch {
	case k.Mark != 0 && k.V6:
		return fmt.Sprintf("mark %d of IPv6", k.Mark)
	case k.Mark != 0:
		return fmt.Sprintf("mark %d", k.Mark)
	}
	return k.Protocol.String() + " " + k.Address.String()
}

func (k Key) is6() bool { return k.V6 || k.Mark == 0 && k.Address.Addr().Is6() }

// bits is the length of the addresses of its packets.
func (k Key) bits() int {
	if k.is6() {
		return 128
	}
	return 32
}

func compareKeys(a, b Key) int {
	six := func(k Key) int {
		if k.V6 {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.Mark, b.Mark), a.Address.Compare(b.Address), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(six(a), six(b)))
}

// A Method is how a packet gets to a real server.
type Method uint8

// The methods, by the kernel's numbers.
const (
	NAT    Method = 0 // its destination is rewritten
	Local  Method = 1 // it is for this machine
	Tunnel Method = 2 // it is wrapped in another one (IP in IP)
	Direct Method = 3 // it is sent to the server's hardware address as it is
)

var methodNames = map[Method]string{NAT: "nat", Local: "local", Tunnel: "tunnel", Direct: "direct"}

func (m Method) String() string { return methodNames[m] }

// A Service is a virtual service as the kernel balances it. Its servers are in the
// order of their addresses.
type Service struct {
	Key
	Scheduler string
	Flags     Flags
	Timeout   uint32 // of its persistence, in seconds
	Mask      int    // prefix length of the clients that persistence takes for one
	Servers   []Server
}

// Flags are what a service may have beside its scheduler, by the kernel's numbers.
type Flags uint32

// The flags that can be set. The last two mean what the scheduler says.
const (
	Persistent Flags = 0x01
	OnePacket  Flags = 0x04
	Fallback   Flags = 0x08 // sh, mh: another server when the chosen one cannot
	WithPort   Flags = 0x10 // sh, mh: the client's port decides too

	settable = Persistent | OnePacket | Fallback | WithPort
)

// A Server is a real server of one service.
type Server struct {
	Address      netip.AddrPort // port 0, with a mark: that of the packet
	Method       Method
	Weight       uint32
	Upper, Lower uint32 // connections from which on it gets none, and below which it does again; 0: no limit
}

func compareServers(a, b Server) int { return a.Address.Compare(b.Address) }

// same reports whether two services are one but for their servers.
func same(a, b Service) bool {
	a.Servers, b.Servers = nil, nil
	return a.Key == b.Key && a.Scheduler == b.Scheduler && a.Flags == b.Flags && a.Timeout == b.Timeout && a.Mask == b.Mask
}

// find returns the service of a key in a table, or nil.
func find(table []Service, k Key) *Service {
	i := slices.IndexFunc(table, func(s Service) bool { return s.Key == k })
	if i < 0 {
		return nil
	}
	return &table[i]
}
