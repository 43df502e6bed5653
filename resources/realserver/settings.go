package realserver

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// settings are the parameters of one resource.
type settings struct {
	addrs  []netip.Addr
	tunnel bool
	nics   []string // none: all
}

func parse(r *pb.Resource) (*settings, error) {
	get := func(name string) []string {
		return strings.FieldsFunc(resources.Parameter(metadata, r, name), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	}
	s := &settings{nics: get("nic")}
	for _, word := range get("ip") {
		if err := s.address(word); err != nil {
			return nil, err
		}
	}
	if len(s.addrs) == 0 {
		return nil, wrong("ip", "give the addresses of the virtual services", "is missing")
	}
	switch how := get("forward"); {
	case slices.Equal(how, []string{"direct"}), slices.Equal(how, []string{"gate"}):
	case slices.Equal(how, []string{"tunnel"}), slices.Equal(how, []string{"ipip"}):
		s.tunnel = true
	case slices.Equal(how, []string{"nat"}), slices.Equal(how, []string{"masq"}):
		return nil, wrong("forward", "leave the resource out", "a real server behind NAT does not have the address")
	default:
		return nil, wrong("forward", "give direct or tunnel", "%q is not a way to a real server", strings.Join(how, " "))
	}
	return s, nil
}

func (s *settings) address(word string) error {
	addr, err := netip.ParseAddr(word)
	if err != nil || addr.Zone() != "" {
		return wrong("ip", "give addresses, e.g. ip=192.0.2.10 or ip=\"192.0.2.10 2001:db8::10\"", "%q is not an address", word)
	}
	addr = addr.Unmap()
	switch {
	case addr.IsUnspecified(), addr.IsMulticast(), addr.IsLoopback(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return wrong("ip", "give addresses that one host can have", "%s is not a unicast address", addr)
	case slices.Contains(s.addrs, addr):
		return wrong("ip", "name it once", "%s is there twice", addr)
	}
	s.addrs = append(s.addrs, addr)
	return nil
}

// has4 and has6 report whether there are addresses of a family.
func (s *settings) has4() bool { return slices.ContainsFunc(s.addrs, netip.Addr.Is4) }
func (s *settings) has6() bool { return slices.ContainsFunc(s.addrs, netip.Addr.Is6) }

// check finds out whether this node has the interfaces.
func (s *settings) check() error {
	for _, name := range s.nics {
		if _, err := net.InterfaceByName(name); err != nil {
			return wrong("nic", "", "there is no interface %s", name)
		}
	}
	return nil
}

func wrong(parameter, fix, format string, args ...any) error {
	return &resources.ParameterError{Parameter: parameter, Problem: fmt.Sprintf(format, args...), Fix: fix}
}
