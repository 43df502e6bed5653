package haproxy

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A bind is one socket that a configuration makes: an address with a range of
// ports, or a path.
type bind struct {
	said string // by the configuration
	line int
	file string // empty: the resource's own text

	path     string     // of a unix socket; empty: of the network
	datagram bool       // UDP, as QUIC is
	address  netip.Addr // the zero Addr: every one, of both families
	from, to uint16     // ports
	device   string     // interface that it is confined to
	space    string     // network namespace
}

// binds returns the sockets that a configuration makes, as far as can be told
// without running it: what hangs on a condition counts, and what cannot be read
// does not.
func binds(text string) []bind {
	var all []bind
	for _, s := range statements(text) {
		addresses, options := s.listens()
		for address := range strings.SplitSeq(addresses, ",") {
			if b, ok := parseBind(address); ok {
				b.line = s.line
				all = append(all, b.with(options))
			}
		}
	}
	return all
}

// listens returns the addresses that a statement listens on, and the words after.
func (s statement) listens() (addresses string, options []string) {
	switch w := s.words; {
	case s.section != "global" && len(w) > 1 && (w[0] == "bind" || w[0] == "dgram-bind"):
		addresses, options = w[1], w[2:]
		if w[0] == "dgram-bind" {
			addresses = "udp@" + strings.ReplaceAll(addresses, ",", ",udp@")
		}
	case s.section == "global" && len(w) > 2 && w[0] == "stats" && w[1] == "socket":
		addresses, options = w[2], w[3:]
	}
	return addresses, options
}

// parseBind reads an address (HAProxy Configuration Manual, "Address formats").
// Sockets that are inherited, and names that only a resolver knows, are no
// sockets that could be told from others.
func parseBind(said string) (b bind, ok bool) {
	b.said = said
	kind, rest, found := strings.Cut(said, "@")
	if !found {
		kind, rest = "", said
	}
	switch strings.TrimRight(kind, "46") {
	case "", "ipv", "tcp", "mptcp":
	case "udp", "quic":
		b.datagram = true
	case "unix", "uxst", "uxdg":
		b.path = rest
	case "abns", "abnsz":
		b.path = "@" + rest
	default:
		return b, false
	}
	if b.path == "" && strings.HasPrefix(rest, "/") {
		b.path = rest
	}
	if b.path != "" {
		return b, true
	}
	return b.at(rest, strings.HasSuffix(kind, "6"))
}

// at reads ADDRESS:PORT or ADDRESS:FIRST-LAST.
func (b bind) at(text string, six bool) (bind, bool) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return b, false
	}
	host := strings.Trim(text[:colon], "[]")
	first, last, _ := strings.Cut(text[colon+1:], "-")
	from, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return b, false
	}
	to, err := strconv.ParseUint(cmp.Or(last, first), 10, 16)
	if err != nil {
		return b, false
	}
	b.from, b.to = uint16(from), uint16(to)
	switch {
	case host == "::" || host == "" && six:
		return b, true // and by the kernel's default IPv4 too
	case host == "" || host == "*":
		b.address = netip.IPv4Unspecified()
		return b, true
	}
	b.address, err = netip.ParseAddr(host)
	return b, err == nil
}

// with adds what the options of a line say of the socket.
func (b bind) with(options []string) bind {
	after := func(name string) string {
		if i := slices.Index(options, name); i >= 0 && i+1 < len(options) {
			return options[i+1]
		}
		return ""
	}
	b.device, b.space = after("interface"), after("namespace")
	if slices.Contains(options, "v6only") && !b.address.IsValid() && b.path == "" {
		b.address = netip.IPv6Unspecified()
	}
	return b
}

// overlaps reports whether two sockets would take the same of a node.
func (b bind) overlaps(c bind) bool {
	if b.path != "" || c.path != "" {
		return b.path == c.path
	}
	return b.datagram == c.datagram && b.from <= c.to && c.from <= b.to &&
		(b.device == "" || c.device == "" || b.device == c.device) && b.space == c.space &&
		(b.covers(c.address) || c.covers(b.address))
}

// covers reports whether a socket at b's address gets what is sent to another.
func (b bind) covers(a netip.Addr) bool {
	return !b.address.IsValid() || b.address == a || b.address.IsUnspecified() && a.Is4() == b.address.Is4() && a.IsValid()
}

func (b bind) String() string {
	if b.path != "" {
		return b.said
	}
	if b.address.IsValid() && !b.address.IsUnspecified() && b.from == b.to {
		return net.JoinHostPort(b.address.String(), strconv.Itoa(int(b.from)))
	}
	return b.said
}
