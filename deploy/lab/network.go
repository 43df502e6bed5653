package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// newBridges makes the first n of the lab's networks in the supervisor's namespace.
func newBridges(n int) ([]netlink.Link, error) {
	if err := linkUp("lo"); err != nil {
		return nil, err
	}
	var bridges []netlink.Link
	for _, name := range Networks[:n] {
		snooping := false // nobody asks for multicast groups here, and neighbour discovery needs them
		bridge := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs(), MulticastSnooping: &snooping}
		bridge.Name = name
		if err := netlink.LinkAdd(bridge); err != nil {
			return nil, fmt.Errorf("bridge %s: %w", name, err)
		}
		if err := linkUp(name); err != nil {
			return nil, err
		}
		bridges = append(bridges, bridge)
	}
	return bridges, nil
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	return nil
}

// A cable is the veth pair between a host and the bridge of one of its networks.
type cable struct {
	network int // its place in Networks
	bridge  netlink.Link
	port    netlink.Link // the bridge's end
	state   linkState
}

// plug lays a cable from every bridge of the host's to the process's network
// namespace and gives the host its addresses. After an error it has laid none.
func plug(bridges []netlink.Link, h Host, pid int) ([]*cable, error) {
	var cables []*cable
	for network, bridge := range bridges[:h.networks()] {
		c, err := lay(bridge, h, network, pid)
		if err != nil {
			return nil, errors.Join(err, removeAll(cables))
		}
		cables = append(cables, c)
	}
	if err := address(h, pid); err != nil {
		return nil, errors.Join(fmt.Errorf("addresses of %s: %w", h.Name, err), removeAll(cables))
	}
	return cables, nil
}

// lay lays one cable.
func lay(bridge netlink.Link, h Host, network, pid int) (*cable, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = h.port(network)
	attrs.MasterIndex = bridge.Attrs().Index
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: interfaceName(network),
		PeerHardwareAddr: h.mac(network), PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("cable of %s: %w", h.Name, err)
	}
	port, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return nil, fmt.Errorf("cable of %s: %w", h.Name, err)
	}
	c := &cable{network: network, bridge: bridge, port: port, state: linkWhole}
	if err := netlink.LinkSetUp(port); err != nil {
		return nil, errors.Join(fmt.Errorf("cable of %s: %w", h.Name, err), c.remove())
	}
	return c, nil
}

// address brings up a host's links with their addresses.
func address(h Host, pid int) error {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()))
	if err != nil {
		return err
	}
	defer handle.Close()
	lo, err := handle.LinkByName("lo")
	if err != nil {
		return err
	}
	err = handle.LinkSetUp(lo)
	for network := range h.networks() {
		err = errors.Join(err, addressLink(handle, h, network))
	}
	return err
}

func addressLink(handle *netlink.Handle, h Host, network int) error {
	link, err := handle.LinkByName(interfaceName(network))
	if err != nil {
		return err
	}
	v4 := &netlink.Addr{IPNet: prefix(h.address(network), 24)}
	v6 := &netlink.Addr{IPNet: prefix(h.address6(network), 64), Flags: unix.IFA_F_NODAD}
	err = errors.Join(handle.LinkSetUp(link), handle.AddrAdd(link, v4))
	if err6 := handle.AddrAdd(link, v6); err6 != nil && !withoutIPv6(err6) {
		err = errors.Join(err, err6)
	}
	return err
}

// withoutIPv6 recognizes a machine whose kernel has IPv6 off.
func withoutIPv6(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAFNOSUPPORT)
}

func prefix(a netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}
}

func (c *cable) index() int { return c.port.Attrs().Index }

func (c *cable) name() string { return Networks[c.network] }

// pass connects the cable to the bridge or takes it off. The host sees a carrier
// either way, as when a switch further away fails.
func (c *cable) pass(yes bool) error {
	if !yes {
		return netlink.LinkSetNoMaster(c.port)
	}
	return netlink.LinkSetMaster(c.port, c.bridge)
}

// silence takes the carrier away, at once and in both directions.
func (c *cable) silence() error { return netlink.LinkSetDown(c.port) }

func (c *cable) cut() error {
	err := c.pass(false)
	if err == nil {
		c.state = linkCut
	}
	return err
}

func (c *cable) unplug() error {
	err := c.silence()
	if err == nil {
		c.state = linkUnplugged
	}
	return err
}

// heal undoes cut and unplug.
func (c *cable) heal() error {
	err := errors.Join(c.pass(true), netlink.LinkSetUp(c.port))
	if err == nil {
		c.state = linkWhole
	}
	return err
}

// remove takes the cable out, also when the kernel was quicker.
func (c *cable) remove() error {
	err := netlink.LinkDel(c.port)
	var missing netlink.LinkNotFoundError
	if errors.Is(err, unix.ENODEV) || errors.As(err, &missing) {
		return nil
	}
	return err
}

func removeAll(cables []*cable) error {
	var err error
	for _, c := range cables {
		err = errors.Join(err, c.remove())
	}
	return err
}
