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

const bridgeName = "lan"

// newBridge makes the lab's network in the supervisor's namespace.
func newBridge() (netlink.Link, error) {
	if err := linkUp("lo"); err != nil {
		return nil, err
	}
	snooping := false // nobody asks for multicast groups here, and neighbour discovery needs them
	bridge := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs(), MulticastSnooping: &snooping}
	bridge.Name = bridgeName
	if err := netlink.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("bridge: %w", err)
	}
	return bridge, linkUp(bridgeName)
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

// A cable is the veth pair between a host and the bridge.
type cable struct {
	bridge netlink.Link
	port   netlink.Link // the bridge's end
}

// plug lays a cable from the bridge to the process's network namespace and
// gives the host its addresses.
func plug(bridge netlink.Link, h Host, pid int) (*cable, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = h.port()
	attrs.MasterIndex = bridge.Attrs().Index
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0",
		PeerHardwareAddr: h.mac(), PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("cable of %s: %w", h.Name, err)
	}
	port, err := netlink.LinkByName(h.port())
	if err != nil {
		return nil, fmt.Errorf("cable of %s: %w", h.Name, err)
	}
	c := &cable{bridge: bridge, port: port}
	if err := errors.Join(netlink.LinkSetUp(port), address(h, pid)); err != nil {
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
	eth0, err := handle.LinkByName("eth0")
	if err != nil {
		return err
	}
	v4 := &netlink.Addr{IPNet: prefix(h.Address(), 24)}
	v6 := &netlink.Addr{IPNet: prefix(h.Address6(), 64), Flags: unix.IFA_F_NODAD}
	err = errors.Join(handle.LinkSetUp(lo), handle.LinkSetUp(eth0), handle.AddrAdd(eth0, v4))
	if err6 := handle.AddrAdd(eth0, v6); err6 != nil && !withoutIPv6(err6) {
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

// restore undoes silence.
func (c *cable) restore() error { return netlink.LinkSetUp(c.port) }

// remove takes the cable out, also when the kernel was quicker.
func (c *cable) remove() error {
	err := netlink.LinkDel(c.port)
	var missing netlink.LinkNotFoundError
	if errors.Is(err, unix.ENODEV) || errors.As(err, &missing) {
		return nil
	}
	return err
}
