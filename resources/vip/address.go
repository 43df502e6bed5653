package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// find returns the kernel's entries for the resource's address.
func find(w *wish) ([]netlink.Addr, error) {
	all, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, w.family()) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var found []netlink.Addr
	for _, entry := range all {
		if is(entry.IPNet, w.addr) && (w.loopback() || entry.LinkIndex != loopbackIndex) {
			found = append(found, entry)
		}
	}
	return found, nil
}

// dump asks the kernel for a list again while changes interrupt the answer,
// which may then lack entries.
func dump[T any](list func() ([]T, error)) ([]T, error) {
	const attempts = 10
	for n := 1; ; n++ {
		all, err := list()
		if err == nil || !errors.Is(err, netlink.ErrDumpInterrupted) || n == attempts {
			return all, err
		}
	}
}

// loopbackIndex is lo's in every network namespace (LOOPBACK_IFINDEX).
const loopbackIndex = 1

func is(n *net.IPNet, addr netip.Addr) bool {
	if n == nil {
		return false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	return ok && a.Unmap() == addr
}

// assign makes the choice's entry the only one for the address. What is as
// wanted stays untouched, so that nothing is interrupted.
func (c *choice) assign() error {
	found, err := find(c.wish)
	if err != nil {
		return err
	}
	wanted := c.entry()
	present := false
	for _, entry := range found {
		if same(entry, wanted) {
			present = true
			if err := c.limit(entry); err != nil {
				return err
			}
			continue
		}
		if err := drop(entry); err != nil {
			return err
		}
	}
	if present {
		return nil
	}
	c.promote()
	if err := netlink.AddrAdd(nil, wanted); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return c.effective()
}

// limit gives an entry that is as wanted the lifetime that is wanted, too.
func (c *choice) limit(entry netlink.Addr) error {
	if c.valid == 0 && forever(entry) {
		return nil
	}
	return live(entry, c.valid)
}

// effective waits until the kernel takes packets for the address. It makes the
// route for an IPv6 address a moment later, in a thread of its own (seen on
// 6.18); what arrived before that, in answer to the announcement, would be lost.
func (c *choice) effective() error {
	if c.wish.addr.Is4() {
		return nil
	}
	for end := time.Now().Add(time.Second); ; time.Sleep(50 * time.Microsecond) {
		routes, err := netlink.RouteGet(c.wish.addr.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(errors.New("the kernel makes no local route to it"), err)
		}
	}
}

// promote lets IPv4 addresses of one network live independently of each other.
// Without it the kernel removes, with the first of them, all that came later:
// the floating address with the interface's own, or the other way round.
func (c *choice) promote() {
	if !c.wish.addr.Is4() || c.prefix.IsSingleIP() {
		return
	}
	setting := "/proc/sys/net/ipv4/conf/" + c.link.Attrs().Name + "/promote_secondaries"
	_ = os.WriteFile(setting, []byte("1"), 0) // where /proc/sys is read-only the address still works
}

// same reports whether an entry is the wanted one in all that a parameter sets.
func same(entry netlink.Addr, wanted *netlink.Addr) bool {
	have, _ := entry.Mask.Size()
	want, _ := wanted.Mask.Size()
	label := entry.Label == wanted.Label || wanted.Label == "" && entry.Broadcast == nil // IPv6 has neither
	return entry.LinkIndex == wanted.LinkIndex && have == want && label && sameBroadcast(entry, wanted)
}

func sameBroadcast(entry netlink.Addr, wanted *netlink.Addr) bool {
	if wanted.Broadcast == nil { // by the prefix
		return true
	}
	if net.IPv4zero.Equal(wanted.Broadcast) {
		return entry.Broadcast == nil
	}
	return wanted.Broadcast.Equal(entry.Broadcast)
}

// entry is the address as the kernel is to have it.
//
// Where the interface is in the network already, the address brings no route
// of its own: else the two would compete, and the kernel might choose the
// floating address to speak to the network. For that reason an IPv6 address is
// deprecated (RFC 6724, section 5, rule 3), which affects only connections
// that this node opens without choosing a source. It is not probed for
// duplicates either (IFA_F_NODAD), since that takes a second, and the lease has
// decided who may have it.
func (c *choice) entry() *netlink.Addr {
	e := &netlink.Addr{
		LinkIndex: c.link.Attrs().Index,
		IPNet:     &net.IPNet{IP: c.wish.addr.AsSlice(), Mask: net.CIDRMask(c.prefix.Bits(), c.wish.addr.BitLen())},
	}
	if c.network.IsValid() && !c.prefix.IsSingleIP() {
		e.Flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if c.valid > 0 || !c.wish.addr.Is4() {
		setLifetime(e, c.valid)
	}
	if !c.wish.addr.Is4() {
		e.Flags |= unix.IFA_F_NODAD
		return e
	}
	e.Label = c.link.Attrs().Name
	if c.wish.label != "" {
		e.Label += ":" + c.wish.label
	}
	switch b := c.wish.broadcast; {
	case b.none:
		e.Broadcast = net.IPv4zero
	case b.addr.IsValid():
		e.Broadcast = b.addr.AsSlice()
	}
	return e
}

// Withdraw takes an address from all interfaces but the loopback interface.
func Withdraw(addr netip.Addr) error { return withdraw(&wish{addr: addr}) }

// withdraw removes every entry of the address. It looks again until there is
// none: an entry may be added by another hand meanwhile.
func withdraw(w *wish) error {
	const attempts = 3
	for range attempts {
		found, err := find(w)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, entry := range found {
			if err := drop(entry); err != nil {
				return err
			}
		}
	}
	return errors.New("somebody keeps adding it")
}

// drop deletes one entry; that it is gone already is as well.
func drop(entry netlink.Addr) error {
	err := netlink.AddrDel(nil, &netlink.Addr{LinkIndex: entry.LinkIndex, IPNet: entry.IPNet, Peer: entry.Peer, Label: entry.Label})
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// place is where an address is. Its zero value: on no interface.
type place struct {
	link  string
	index int
	fault error // why it is not served there
}

func (p place) good() bool { return p.link != "" && p.fault == nil }

// locate finds the address, and what is wrong with it if it is served nowhere.
func locate(w *wish) (place, error) {
	found, err := find(w)
	if err != nil {
		return place{}, err
	}
	var p place
	for _, entry := range found {
		link, err := netlink.LinkByIndex(entry.LinkIndex)
		if err != nil {
			continue // the link went, and the address with it
		}
		p = place{link: link.Attrs().Name, index: entry.LinkIndex, fault: fault(w, entry, link)}
		if p.good() {
			break
		}
	}
	return p, nil
}

func fault(w *wish, entry netlink.Addr, link netlink.Link) error {
	name := link.Attrs().Name
	if w.nic != "" && name != w.nic {
		return fmt.Errorf("%s is on %s, not on %s", w.addr, name, w.nic)
	}
	if entry.Flags&unix.IFA_F_DADFAILED != 0 {
		return conflict("%s was found to be in use by another host on %s", w.addr, name)
	}
	if err := ready(link); err != nil {
		return fmt.Errorf("%s: %w", w.addr, err)
	}
	return nil
}
