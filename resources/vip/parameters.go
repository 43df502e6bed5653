package vip

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// wish is what the parameters say.
type wish struct {
	addr      netip.Addr
	bits      int    // prefix length; -1: that of the network
	nic       string // "": to be picked
	label     string // "": none
	broadcast broadcast
	count     int           // announcements in the burst, at least 1
	interval  time.Duration // between them
	notes     []string
}

// broadcast is an IPv4 broadcast address, or how to come by it.
type broadcast struct {
	addr netip.Addr // valid: this one
	none bool       // else none at all, or the one that follows from the prefix
}

// maxBurst keeps a burst within a minute or so at the default interval.
const maxBurst = 100

func parse(r *pb.Resource) (*wish, error) {
	get := func(name string) string { return strings.TrimSpace(resources.Parameter(metadata, r, name)) }
	w := &wish{nic: get("nic")}
	for _, step := range []func() error{
		func() error { return w.parseAddress(get("ip")) },
		func() error { return w.parseNetmask(get("cidr_netmask")) },
		func() error { return w.parseLabel(get("iflabel")) },
		func() error { return w.parseBroadcast(get("broadcast")) },
		func() error { return w.parseBurst(get("arp_count"), get("arp_interval")) },
		func() error { return w.parseLVS(get("lvs_support")) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func wrong(parameter, fix, format string, args ...any) error {
	return &resources.ParameterError{Parameter: parameter, Problem: fmt.Sprintf(format, args...), Fix: fix}
}

func (w *wish) parseAddress(value string) error {
	if value == "" {
		return wrong("ip", "give an IPv4 or IPv6 address", "is missing")
	}
	if before, _, ok := strings.Cut(value, "/"); ok {
		return wrong("ip", fmt.Sprintf("give ip=%s and the rest as cidr_netmask", before), "%q has a prefix length", value)
	}
	addr, err := netip.ParseAddr(value)
	if err != nil {
		return wrong("ip", "give an IPv4 or IPv6 address, e.g. 192.0.2.10", "%q is not an address", value)
	}
	if addr.Zone() != "" {
		return wrong("ip", fmt.Sprintf("give ip=%s nic=%s", addr.WithZone(""), addr.Zone()), "%q names an interface", value)
	}
	addr = addr.Unmap()
	if addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return wrong("ip", "give an address that one host can have", "%s is not a unicast address", addr)
	}
	w.addr = addr
	return nil
}

func (w *wish) parseNetmask(value string) error {
	if value == "" {
		w.bits = -1
		return nil
	}
	const fix = "give a prefix length, e.g. 24, or a mask, e.g. 255.255.255.0"
	if n, err := strconv.Atoi(value); err == nil {
		if n < 1 || n > w.addr.BitLen() {
			return wrong("cidr_netmask", fix, "%d is not between 1 and %d", n, w.addr.BitLen())
		}
		w.bits = n
		return nil
	}
	mask, err := netip.ParseAddr(value)
	if err != nil || !mask.Is4() || !w.addr.Is4() {
		return wrong("cidr_netmask", fix, "%q is not a netmask for %s", value, w.addr)
	}
	ones, size := net.IPMask(mask.AsSlice()).Size()
	if size == 0 || ones == 0 {
		return wrong("cidr_netmask", fix, "%q is not a netmask", value)
	}
	w.bits = ones
	return nil
}

// parseLabel also checks the interface's name, because together they must fit
// the kernel's field.
func (w *wish) parseLabel(value string) error {
	if base, _, ok := strings.Cut(w.nic, ":"); ok {
		return wrong("nic", fmt.Sprintf("give nic=%s, and iflabel for a label", base), "%q is an alias, not an interface", w.nic)
	}
	switch {
	case value == "":
		return nil
	case !w.addr.Is4():
		return wrong("iflabel", "leave it out", "IPv6 addresses have no labels")
	case strings.ContainsAny(value, ": \t\"'"):
		return wrong("iflabel", "use letters, digits, - and _", "%q is not a label", value)
	case len(w.nic)+1+len(value) >= unix.IFNAMSIZ:
		return wrong("iflabel", "", "%q is too long: with the interface's name and a colon at most %d letters", value, unix.IFNAMSIZ-1)
	}
	w.label = value
	return nil
}

func (w *wish) parseBroadcast(value string) error {
	switch value {
	case "", "+":
		return nil
	case "-":
		w.broadcast.none = true
		return nil
	}
	addr, err := netip.ParseAddr(value)
	if err != nil || !addr.Is4() || !w.addr.Is4() {
		return wrong("broadcast", "leave it out, or give an IPv4 address, + or -", "%q is not a broadcast address for %s", value, w.addr)
	}
	w.broadcast.addr = addr
	return nil
}

func (w *wish) parseBurst(count, interval string) error {
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > maxBurst {
		return wrong("arp_count", "5 suits most networks", "%q is not between 1 and %d", count, maxBurst)
	}
	ms, err := strconv.Atoi(interval)
	if err != nil || ms < 1 || ms > 60_000 {
		return wrong("arp_interval", "give milliseconds; 200 suits most networks", "%q is not between 1 and 60000", interval)
	}
	w.count, w.interval = n, time.Duration(ms)*time.Millisecond
	return nil
}

func (w *wish) parseLVS(value string) error {
	lvs, ok := resources.Bool(value)
	if !ok {
		return wrong("lvs_support", "give true or false", "%q is not a boolean", value)
	}
	if lvs {
		w.notes = append(w.notes, "lvs_support: copies of the address on lo are left alone; set arp_ignore and arp_announce on the real servers")
	}
	return nil
}

// loopback reports whether copies of the address on the loopback interface are
// the resource's: else they belong to an LVS real server.
func (w *wish) loopback() bool { return w.nic == "lo" }

func (w *wish) family() int {
	if w.addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
