package vip

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// choice is where and how the address goes.
type choice struct {
	wish   *wish
	link   netlink.Link
	prefix netip.Prefix // of the address
	// The connected network that holds the address; invalid when there is none,
	// and then the address brings its own.
	network netip.Prefix
	valid   time.Duration // the address's lifetime in the kernel; 0: forever
}

// pick decides on the interface and the prefix length: nic and cidr_netmask
// where they are given, else those of the kernel's most specific connected
// route that holds the address.
func pick(w *wish) (*choice, error) {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	networks, err := connected(w, links)
	if err != nil {
		return nil, err
	}
	c := &choice{wish: w}
	if w.nic != "" {
		err = c.named(links, networks)
	} else {
		err = c.unnamed(networks)
	}
	if err != nil {
		return nil, err
	}
	c.prefix = netip.PrefixFrom(w.addr, w.bits)
	if w.bits < 0 {
		c.prefix = netip.PrefixFrom(w.addr, w.addr.BitLen())
		if c.network.IsValid() {
			c.prefix = netip.PrefixFrom(w.addr, c.network.Bits())
		}
	}
	return c, c.supported()
}

// A network is a connected route: its destinations are neighbours on the link.
type network struct {
	prefix netip.Prefix
	metric int
	link   netlink.Link
}

func (n network) name() string { return n.link.Attrs().Name }

// connected lists the networks that hold the address, best first: the longest
// prefix, and of equals the lowest metric.
func connected(w *wish, links []netlink.Link) ([]network, error) {
	routes, err := dump(func() ([]netlink.Route, error) { return netlink.RouteList(nil, w.family()) })
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var list []network
	for _, r := range routes {
		if r.Dst == nil || r.Gw != nil || len(r.MultiPath) > 0 || r.Type != unix.RTN_UNICAST {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		dst, _ := netip.AddrFromSlice(r.Dst.IP)
		prefix := netip.PrefixFrom(dst.Unmap(), ones)
		link := byIndex(links, r.LinkIndex)
		// A host route, as a VIP may leave, is no network, nor is what has no neighbours.
		if ones == 0 || prefix.IsSingleIP() || !prefix.Contains(w.addr) || link == nil || link.Attrs().Flags&unix.IFF_LOOPBACK != 0 {
			continue
		}
		list = append(list, network{prefix, r.Priority, link})
	}
	slices.SortStableFunc(list, func(a, b network) int {
		if a.prefix.Bits() != b.prefix.Bits() {
			return b.prefix.Bits() - a.prefix.Bits()
		}
		return a.metric - b.metric
	})
	return list, nil
}

func byIndex(links []netlink.Link, index int) netlink.Link {
	i := slices.IndexFunc(links, func(l netlink.Link) bool { return l.Attrs().Index == index })
	if i < 0 {
		return nil
	}
	return links[i]
}

// named takes the interface that nic names.
func (c *choice) named(links []netlink.Link, networks []network) error {
	i := slices.IndexFunc(links, func(l netlink.Link) bool { return l.Attrs().Name == c.wish.nic })
	if i < 0 {
		return wrong("nic", "known are "+strings.Join(names(links), ", "), "there is no interface %s", c.wish.nic)
	}
	c.link = links[i]
	for _, n := range networks {
		if n.link == c.link {
			c.network = n.prefix
			break
		}
	}
	return nil
}

func names(links []netlink.Link) []string {
	var list []string
	for _, l := range links {
		list = append(list, l.Attrs().Name)
	}
	return list
}

// unnamed takes the interface of the best network.
func (c *choice) unnamed(networks []network) error {
	if len(networks) == 0 {
		return wrong("ip", "add nic=INTERFACE to use one nevertheless", "%s is in no network that this node is connected to", c.wish.addr)
	}
	best := networks[0]
	for _, n := range networks[1:] {
		if n.prefix == best.prefix && n.metric == best.metric && n.link != best.link {
			return wrong("nic", fmt.Sprintf("add nic=%s or nic=%s", best.name(), n.name()),
				"is needed: %s and %s are both in %s", best.name(), n.name(), best.prefix.Masked())
		}
	}
	c.link, c.network = best.link, best.prefix
	return nil
}

// supported finds what would make the kernel refuse the address.
func (c *choice) supported() error {
	name := c.link.Attrs().Name
	if label := c.wish.label; label != "" && len(name)+1+len(label) >= unix.IFNAMSIZ {
		return wrong("iflabel", "", "%q is too long: %s:%s has more than %d letters", label, name, label, unix.IFNAMSIZ-1)
	}
	if c.wish.addr.Is4() {
		return nil
	}
	setting, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6")
	if err != nil {
		return wrong("ip", "use an IPv4 address, or start the kernel with IPv6", "this node has no IPv6 on %s", name)
	}
	if strings.TrimSpace(string(setting)) != "0" {
		return wrong("ip", fmt.Sprintf("set net.ipv6.conf.%s.disable_ipv6=0", name), "IPv6 is switched off on %s", name)
	}
	return nil
}

// usable reports why an address on the interface would not be reached.
func (c *choice) usable() error {
	return ready(c.link)
}

// ready says what keeps a link from carrying frames.
func ready(link netlink.Link) error {
	if f := hindrance(link); f != nil {
		return f
	}
	return nil
}

func (c *choice) note() string {
	name := c.link.Attrs().Name
	switch {
	case !c.network.IsValid():
		return fmt.Sprintf("%s goes to interface %s, which is in no network that holds it", c.prefix, name)
	case c.wish.nic != "":
		return fmt.Sprintf("%s goes to interface %s, as nic says", c.prefix, name)
	default:
		return fmt.Sprintf("%s goes to interface %s, from the route %s", c.prefix, name, c.network.Masked())
	}
}
