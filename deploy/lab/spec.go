package lab

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
)

// ClientName is the host that every lab has beside its nodes. It runs no agent.
const ClientName = "client"

// The addresses of every lab. Nothing outside it can see them.
var (
	// VIP is free for a cluster's address.
	VIP = netip.MustParseAddr("10.77.0.100")
	// VIP6 is free for a cluster's IPv6 address.
	VIP6 = netip.MustParseAddr("fd77::100")
)

const (
	clientOctet = 10  // of the client's address
	nodeOctet   = 11  // of the first node's address
	hostOctet   = 31  // of the first other host's address
	meterOctet  = 253 // of the address that the meter asks from
	maxNodes    = 16
)

// A Spec says which hosts a lab has.
type Spec struct {
	Name  string
	Hosts []Host
	Tied  bool `json:",omitempty"` // it ends with the process that brought it up, however that ends
}

// A Host is one machine of a lab.
type Host struct {
	Name    string
	Octet   byte     // of its addresses, 10.77.0.Octet and fd77::Octet
	Command []string // runs from power-on and is what kill and freeze act on: a node's agent

	Files map[string]string `json:",omitempty"` // of its /etc/quorate, by name
}

// NewSpec describes a lab of nodes that run agent, and a client.
func NewSpec(name string, nodes, agent []string) Spec {
	s := Spec{Name: name}
	for i, n := range nodes {
		s.Hosts = append(s.Hosts, Host{Name: n, Octet: nodeOctet + byte(i), Command: agent})
	}
	s.Hosts = append(s.Hosts, Host{Name: ClientName, Octet: clientOctet})
	return s
}

// With returns s with one more host, which runs command.
func (s Spec) With(name string, command ...string) Spec {
	octet := byte(hostOctet)
	for _, h := range s.Hosts {
		if h.Octet >= octet {
			octet = h.Octet + 1
		}
	}
	s.Hosts = append(slices.Clone(s.Hosts), Host{Name: name, Octet: octet, Command: command})
	return s
}

// Nodes returns the names of the hosts that are neither the client nor added by With.
func (s Spec) Nodes() []string {
	var names []string
	for _, h := range s.Hosts {
		if h.Octet >= nodeOctet && h.Octet < hostOctet {
			names = append(names, h.Name)
		}
	}
	return names
}

// Host finds a host by name.
func (s Spec) Host(name string) (Host, bool) {
	i := slices.IndexFunc(s.Hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return s.Hosts[i], true
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (s Spec) validate() error {
	if !hostName.MatchString(s.Name) {
		return fmt.Errorf("name %q: use small letters, digits and hyphens", s.Name)
	}
	if n := len(s.Nodes()); n < 1 || n > maxNodes {
		return fmt.Errorf("nodes: %d of them; a lab has 1 to %d", n, maxNodes)
	}
	seen := map[string]bool{"localhost": true}
	for _, h := range s.Hosts {
		if !hostName.MatchString(h.Name) {
			return fmt.Errorf("names: %q is no host name; use small letters, digits and hyphens", h.Name)
		}
		if seen[h.Name] {
			return fmt.Errorf("names: %q is taken; give every node its own", h.Name)
		}
		seen[h.Name] = true
	}
	return nil
}

// Address is the host's IPv4 address.
func (h Host) Address() netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, h.Octet}) }

// Address6 is the host's IPv6 address; it reads like the other, fd77::11.
func (h Host) Address6() netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fd77::%d", h.Octet))
}

// mac stays the same over power cycles, as a network card's does.
func (h Host) mac() net.HardwareAddr { return net.HardwareAddr{0x02, 0x51, 0x4c, 0x41, 0x42, h.Octet} }

// port is the name of the bridge's end of the host's cable.
func (h Host) port() string { return fmt.Sprintf("port%d", h.Octet) }
