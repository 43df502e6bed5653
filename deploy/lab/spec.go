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
	// ClientAddress is the client's own.
	ClientAddress = Host{Octet: clientOctet}.Address()
)

// Networks are those that a lab may have, in the order of the hosts' interfaces: eth0
// is on the first, the service network. The others are between the nodes only.
var Networks = []string{"lan", "cable", "cable2", "cable3"}

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

	Program string `json:",omitempty"` // what quorate and pcs are there; empty: this program
}

// A Host is one machine of a lab.
type Host struct {
	Name    string
	Octet   byte     // of its addresses, 10.77.0.Octet and fd77::Octet
	Command []string // runs from power-on and is what kill and freeze act on: a node's agent

	Networks int               `json:",omitempty"` // that it is on, the first so many; 0: one
	Disk     int               `json:",omitempty"` // MiB, of a disk of its own for its data; 0: a part of the machine's
	Files    map[string]string `json:",omitempty"` // of its /etc/quorate, by name
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

// Wired returns s with hosts that are on the first n networks; all nodes if none is named.
func (s Spec) Wired(n int, hosts ...string) Spec {
	if len(hosts) == 0 {
		hosts = s.Nodes()
	}
	s.Hosts = slices.Clone(s.Hosts)
	for i := range s.Hosts {
		if slices.Contains(hosts, s.Hosts[i].Name) {
			s.Hosts[i].Networks = n
		}
	}
	return s
}

// OnDisks returns s with nodes that have disks of their own.
func (s Spec) OnDisks(mebibytes int) Spec {
	s.Hosts = slices.Clone(s.Hosts)
	for i := range s.Hosts {
		if slices.Contains(s.Nodes(), s.Hosts[i].Name) {
			s.Hosts[i].Disk = mebibytes
		}
	}
	return s
}

// networks is how many of them the lab has.
func (s Spec) networks() int {
	n := 1
	for _, h := range s.Hosts {
		n = max(n, h.networks())
	}
	return n
}

// WithWebServers returns s with two more hosts for an HAProxy to serve.
func (s Spec) WithWebServers() Spec {
	return s.With("www1", "quorate", "lab", "web", ":80").With("www2", "quorate", "lab", "web", ":80")
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
		if h.Disk < 0 {
			return fmt.Errorf("disk: %s has %d MiB", h.Name, h.Disk)
		}
		if h.Networks < 0 || h.Networks > len(Networks) {
			return fmt.Errorf("networks: %s is on %d; a host is on 1 to %d", h.Name, h.Networks, len(Networks))
		}
	}
	return nil
}

// Address is the host's IPv4 address on the first network.
func (h Host) Address() netip.Addr { return h.address(0) }

// Address6 is the host's IPv6 address there; it reads like the other, fd77::11.
func (h Host) Address6() netip.Addr { return h.address6(0) }

// Addresses are the host's IPv4 addresses, one on each of its networks.
func (h Host) Addresses() []netip.Addr {
	var all []netip.Addr
	for network := range h.networks() {
		all = append(all, h.address(network))
	}
	return all
}

const firstNet = 77 // of the first network's addresses, 10.77.0.0/24 and fd77::/64

func (h Host) address(network int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(firstNet + network), 0, h.Octet})
}

func (h Host) address6(network int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fd%d::%d", firstNet+network, h.Octet))
}

func (h Host) networks() int { return max(h.Networks, 1) }

// mac stays the same over power cycles, as a network card's does.
func (h Host) mac(network int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0x51, 0x4c, 0x41, 0x42 + byte(network), h.Octet}
}

// port is the name of the bridge's end of one of the host's cables.
func (h Host) port(network int) string { return portName(network, h.Octet) }

func portName(network int, octet byte) string { return fmt.Sprintf("%s-%d", Networks[network], octet) }

// interfaceName is what a host calls its end.
func interfaceName(network int) string { return fmt.Sprintf("eth%d", network) }
