package route

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// settings are the parameters of one resource.
type settings struct {
	destination     netip.Prefix
	gateway, source netip.Addr // the zero one: none
	device          string
	table, metric   int
	kind            int
}

var kinds = map[string]int{
	"unicast": unix.RTN_UNICAST, "blackhole": unix.RTN_BLACKHOLE, "unreachable": unix.RTN_UNREACHABLE, "prohibit": unix.RTN_PROHIBIT,
}

func parse(r *pb.Resource) (*settings, error) {
	get := func(name string) string { return resources.Parameter(metadata, r, name) }
	s := &settings{device: get("device")}
	var err error
	for name, into := range map[string]*netip.Addr{"gateway": &s.gateway, "source": &s.source} {
		if get(name) == "" {
			continue
		}
		if *into, err = netip.ParseAddr(get(name)); err != nil {
			return nil, wrong(name, "", "%q is not an address", get(name))
		}
	}
	if s.destination, err = destination(get("destination"), s.gateway); err != nil {
		return nil, err
	}
	for name, into := range map[string]*int{"table": &s.table, "metric": &s.metric} {
		if *into, err = strconv.Atoi(get(name)); err != nil || *into < 0 || name == "table" && *into == 0 {
			return nil, wrong(name, "", "%q is no number of one", get(name))
		}
	}
	var known bool
	if s.kind, known = kinds[get("type")]; !known {
		return nil, wrong("type", "give unicast, blackhole, unreachable or prohibit", "%q is unknown", get("type"))
	}
	return s, s.check()
}

// check says what does not go together.
func (s *settings) check() error {
	six := s.destination.Addr().Is6()
	switch {
	case s.kind != unix.RTN_UNICAST && (s.gateway.IsValid() || s.device != ""):
		return wrong("type", "leave gateway and device out", "a route that drops packets has no next hop")
	case s.kind == unix.RTN_UNICAST && !s.gateway.IsValid() && s.device == "":
		return wrong("gateway", "give a gateway, a device, or both", "is missing")
	case s.gateway.IsValid() && s.gateway.Is6() != six:
		return wrong("gateway", "", "%s and the destination %s are of two families", s.gateway, s.destination)
	case s.source.IsValid() && s.source.Is6() != six:
		return wrong("source", "", "%s and the destination %s are of two families", s.source, s.destination)
	}
	return nil
}

// destination reads a network, an address, or default, of the gateway's family.
func destination(text string, gateway netip.Addr) (netip.Prefix, error) {
	if text == "default" {
		if gateway.Is6() {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, wrong("destination", "give ADDRESS/LENGTH, an address, or default", "%q is no network", text)
	}
	return p.Masked(), nil
}

// route is the settings as the kernel takes them. The device has to be there.
func (s *settings) route() (*netlink.Route, error) {
	r := &netlink.Route{
		Dst: ipNet(s.destination), Table: s.table, Priority: s.metric, Type: s.kind, Protocol: protocol,
		Family: s.family(), Gw: ip(s.gateway), Src: ip(s.source),
	}
	if s.device != "" {
		link, err := netlink.LinkByName(s.device)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", s.device, err)
		}
		r.LinkIndex = link.Attrs().Index
		if !s.gateway.IsValid() && !s.destination.Addr().Is6() {
			r.Scope = netlink.SCOPE_LINK
		}
	}
	return r, nil
}

func (s *settings) family() int {
	if s.destination.Addr().Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// is reports whether a route of the kernel's is the one that the settings ask for.
func (s *settings) is(r netlink.Route) bool {
	want, err := s.route()
	return err == nil && s.to(r) && r.Type == want.Type && r.Gw.Equal(want.Gw) &&
		(s.device == "" || r.LinkIndex == want.LinkIndex) && (!s.source.IsValid() || r.Src.Equal(want.Src))
}

// to reports whether a route leads to the destination, in the table and with the metric.
// For IPv6 the kernel's default of the metric is 1024.
func (s *settings) to(r netlink.Route) bool {
	metric := s.metric
	if metric == 0 && s.family() == unix.AF_INET6 {
		metric = 1024
	}
	dst := r.Dst
	if dst == nil {
		dst = ipNet(netip.PrefixFrom(s.destination.Addr(), 0))
		if s.destination.Bits() != 0 {
			return false
		}
	}
	return r.Table == s.table && r.Priority == metric && dst.String() == ipNet(s.destination).String()
}

func (s *settings) String() string {
	for name, kind := range kinds {
		if kind == s.kind && kind != unix.RTN_UNICAST {
			return name + " " + s.destination.String()
		}
	}
	text := s.destination.String()
	if s.gateway.IsValid() {
		text += " via " + s.gateway.String()
	}
	if s.device != "" {
		text += " dev " + s.device
	}
	return text
}

func ip(a netip.Addr) net.IP {
	if !a.IsValid() {
		return nil
	}
	return a.AsSlice()
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: slices.Clone(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func wrong(parameter, fix, format string, args ...any) error {
	return &resources.ParameterError{Parameter: parameter, Problem: fmt.Sprintf(format, args...), Fix: fix}
}
