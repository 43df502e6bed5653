package ipvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/resources"
	"quorate/resources/check"
)

// A Configuration says what a director balances, in the words of decision 15:
//
//	virtual 192.0.2.10:80 scheduler=wlc persistent=2h forward=direct
//	    check http path=/alive
//	    real 192.0.2.21
//	    real 192.0.2.22 weight=2
//	    sorry 192.0.2.30
//
// A sorry before the first virtual is for all services that have none of their own.
// A statement ends with its line, or with a semicolon. What follows a # is a
// comment. A word may stand in quotes.
type Configuration struct {
	Virtuals []Virtual
}

// A Virtual is one or several virtual services with the same real servers.
type Virtual struct {
	Line      int // of its statement, from 1
	Keys      []Key
	Scheduler string
	Flags     Flags
	Timeout   time.Duration // of persistence, whole seconds; 0: none
	Mask      int           // prefix length of what persistence takes for one client; 0: an address
	Quiescent bool          // a server that is down gets no new connection, but is not removed
	Quorum    Quorum
	Alpha     bool          // a server is down until a check has found it up
	Omega     bool          // a stop runs the programs of what was up, as if it were down now
	Checks    []check.Check // of its servers, but for those that have their own
	Reals     []Real
	Sorry     []Real // serve when no real server can
}

// A Real is a real server.
type Real struct {
	Line         int
	Address      netip.Addr
	Port         uint16 // 0: the service's
	Method       Method
	Weight       uint32
	Upper, Lower uint32
	Checks       []check.Check // its own; none: the virtual service's
	Quiescent    *bool         // as the virtual service's, of it alone; nil: as that says
	Up, Down     string        // programs to run when it comes and goes; empty: none
}

// Name is how a real server is written.
func (r Real) Name() string {
	if r.Port == 0 {
		return r.Address.String()
	}
	return netip.AddrPortFrom(r.Address, r.Port).String()
}

// A LineError says what is wrong in a line of a configuration.
type LineError struct {
	Line    int
	Problem string
	Fix     string // optional
}

func (e *LineError) Error() string {
	if e.Fix == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Problem)
	}
	return fmt.Sprintf("line %d: %s; %s", e.Line, e.Problem, e.Fix)
}

func wrongLine(line int, fix, format string, args ...any) error {
	return &LineError{Line: line, Problem: fmt.Sprintf(format, args...), Fix: fix}
}

// Parse reads a configuration. The error is a [*LineError].
func Parse(text string) (*Configuration, error) {
	statements, err := split(text)
	if err != nil {
		return nil, err
	}
	c := &Configuration{}
	var methods []Method   // of each virtual, for its servers
	var common []statement // the sorry servers of services that have none of their own
	for _, s := range statements {
		if s.words[0] == "virtual" {
			v, m, err := parseVirtual(s)
			if err != nil {
				return nil, err
			}
			c.Virtuals, methods = append(c.Virtuals, v), append(methods, m)
			continue
		}
		if len(c.Virtuals) == 0 && s.words[0] == "sorry" {
			common = append(common, s)
			continue
		}
		if len(c.Virtuals) == 0 {
			return nil, wrongLine(s.line, "begin with virtual ADDRESS:PORT", "%q belongs to a virtual service, and there is none before it", s.words[0])
		}
		v := &c.Virtuals[len(c.Virtuals)-1]
		if err := v.take(s, methods[len(methods)-1]); err != nil {
			return nil, err
		}
	}
	if err := c.apologize(common, methods); err != nil {
		return nil, err
	}
	return c, c.check()
}

// apologize gives the common sorry servers to the services of their family that have
// none of their own.
func (c *Configuration) apologize(common []statement, methods []Method) error {
	for i := range c.Virtuals {
		v := &c.Virtuals[i]
		if len(v.Sorry) > 0 {
			continue
		}
		for _, s := range common {
			r, err := parseReal(s, methods[i])
			if err != nil {
				return err
			}
			if r.Address.Is6() == v.Keys[0].is6() {
				v.Sorry = append(v.Sorry, r)
			}
		}
	}
	return nil
}

// take takes a statement that belongs to a virtual service.
func (v *Virtual) take(s statement, method Method) error {
	switch s.words[0] {
	case "real", "sorry":
		r, err := parseReal(s, method)
		if err != nil {
			return err
		}
		if s.words[0] == "real" {
			v.Reals = append(v.Reals, r)
		} else {
			v.Sorry = append(v.Sorry, r)
		}
	case "check":
		c, err := check.ParseWords(s.words[1:])
		if err != nil {
			return wrongLine(s.line, "", "check: %v", err)
		}
		if len(v.Sorry) > 0 {
			return wrongLine(s.line, "write checks before the first real, or after the real that they are of", "a sorry server is not checked")
		}
		if n := len(v.Reals); n > 0 {
			v.Reals[n-1].Checks = append(v.Reals[n-1].Checks, c)
		} else {
			v.Checks = append(v.Checks, c)
		}
	default:
		return wrongLine(s.line, "it knows virtual, check, real and sorry", "%q is no statement", s.words[0])
	}
	return nil
}

// parseVirtual also returns how its servers are reached if they do not say so.
func parseVirtual(s statement) (Virtual, Method, error) {
	v := Virtual{Line: s.line, Scheduler: "wlc"}
	method, protocol, six := NAT, TCP, false
	names, options := s.options()
	known := map[string]func(string) error{
		"scheduler":  func(w string) error { v.Scheduler = w; return schedulerName(w) },
		"protocol":   func(w string) (err error) { protocol, err = choose(protocols, w); return err },
		"family":     func(w string) (err error) { six, err = choose(families, w); return err },
		"persistent": func(w string) (err error) { v.Timeout, err = seconds(w); return err },
		"netmask":    func(w string) (err error) { v.Mask, err = mask(w); return err },
		"flags":      func(w string) (err error) { v.Flags, err = flags(w); return err },
		"forward":    func(w string) (err error) { method, err = choose(methods, w); return err },
		"quiescent":  func(w string) (err error) { v.Quiescent, err = yes(w); return err },
		"alpha":      func(w string) (err error) { v.Alpha, err = yes(w); return err },
		"omega":      func(w string) (err error) { v.Omega, err = yes(w); return err },
		"quorum":     func(w string) (err error) { v.Quorum.Weight, err = number(w, 1<<31-1); return err },
		"hysteresis": func(w string) (err error) { v.Quorum.Hysteresis, err = number(w, 1<<31-1); return err },
		"up":         func(w string) error { v.Quorum.Up = w; return command(w) },
		"down":       func(w string) error { v.Quorum.Down = w; return command(w) },
	}
	if err := s.apply(options, known); err != nil {
		return v, 0, err
	}
	if v.Timeout > 0 {
		v.Flags |= Persistent
	}
	for _, name := range names {
		k, err := parseKey(name, protocol, six)
		if err != nil {
			return v, 0, wrongLine(s.line, "give ADDRESS:PORT, [ADDRESS]:PORT or fwmark:NUMBER", "%v", err)
		}
		v.Keys = append(v.Keys, k)
	}
	if len(v.Keys) == 0 {
		return v, 0, wrongLine(s.line, "give ADDRESS:PORT, [ADDRESS]:PORT or fwmark:NUMBER", "virtual: which service?")
	}
	return v, method, nil
}

func parseKey(name string, protocol Protocol, six bool) (Key, error) {
	if digits, ok := strings.CutPrefix(name, "fwmark:"); ok {
		n, err := strconv.ParseUint(digits, 0, 32)
		if err != nil || n == 0 {
			return Key{}, fmt.Errorf("%q is no firewall mark", digits)
		}
		return Key{Mark: uint32(n), V6: six}, nil
	}
	a, err := netip.ParseAddrPort(name)
	if err != nil || a.Addr().Zone() != "" {
		return Key{}, fmt.Errorf("%q is no address with a port", name)
	}
	return Key{Protocol: protocol, Address: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}, nil
}

func parseReal(s statement, method Method) (Real, error) {
	r := Real{Line: s.line, Method: method, Weight: 1}
	names, options := s.options()
	known := map[string]func(string) error{
		"forward": func(w string) (err error) { r.Method, err = choose(methods, w); return err },
		"weight":  func(w string) (err error) { r.Weight, err = number(w, 65535); return err },
		"upper":   func(w string) (err error) { r.Upper, err = number(w, 1<<31-1); return err },
		"lower":   func(w string) (err error) { r.Lower, err = number(w, 1<<31-1); return err },
		"quiescent": func(w string) error {
			is, err := yes(w)
			r.Quiescent = &is
			return err
		},
		"up":   func(w string) error { r.Up = w; return command(w) },
		"down": func(w string) error { r.Down = w; return command(w) },
	}
	if err := s.apply(options, known); err != nil {
		return r, err
	}
	if len(names) != 1 {
		return r, wrongLine(s.line, "give one ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT", "%s: %d servers are named", s.words[0], len(names))
	}
	a, err := netip.ParseAddr(names[0])
	if err != nil {
		var with netip.AddrPort
		if with, err = netip.ParseAddrPort(names[0]); err == nil && with.Port() == 0 {
			err = strconv.ErrRange
		}
		a, r.Port = with.Addr(), with.Port()
	}
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		return r, wrongLine(s.line, "give an ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT", "%q is no address of a server", names[0])
	}
	r.Address = a.Unmap()
	return r, nil
}

var (
	methods = map[string]Method{
		"direct": Direct, "nat": NAT, "tunnel": Tunnel, "local": Local,
		"gate": Direct, "masq": NAT, "ipip": Tunnel, // ipvsadm's and ldirectord's words
	}
	families  = map[string]bool{"ipv4": false, "ipv6": true}
	flagNames = map[string]Flags{"one-packet": OnePacket, "fallback": Fallback, "port": WithPort}
)

func schedulerName(w string) error {
	if w == "" || len(w) > 15 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("%q is no scheduler; it may be %s", w, strings.Join(schedulers, ", "))
	}
	return nil
}

// schedulers are those of Linux 6.12, for an error to name.
var schedulers = []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos"}

func seconds(w string) (time.Duration, error) {
	d, err := resources.Duration(w)
	if err != nil || d < time.Second || d%time.Second != 0 || d > 1<<31*time.Second {
		return 0, fmt.Errorf("%q is no time of whole seconds; write 300 or 5min", w)
	}
	return d, nil
}

// mask reads a prefix length, or a mask with dots.
func mask(w string) (int, error) {
	if n, err := strconv.Atoi(w); err == nil && n > 0 && n <= 128 {
		return n, nil
	}
	a, err := netip.ParseAddr(w)
	if err == nil && a.Is4() {
		for n := 1; n <= 32; n++ {
			if p, _ := netip.AddrFrom4([4]byte{255, 255, 255, 255}).Prefix(n); p.Addr() == a {
				return n, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is no netmask; write 24 or 255.255.255.0", w)
}

func flags(w string) (all Flags, err error) {
	for name := range strings.SplitSeq(w, ",") {
		f, err := choose(flagNames, name)
		if err != nil {
			return 0, err
		}
		all |= f
	}
	return all, nil
}

func yes(w string) (bool, error) {
	is, ok := resources.Bool(w)
	if !ok {
		return false, fmt.Errorf("%q is neither yes nor no", w)
	}
	return is, nil
}

func number(w string, most uint64) (uint32, error) {
	n, err := strconv.ParseUint(w, 10, 32)
	if err != nil || n > most {
		return 0, fmt.Errorf("%q is not between 0 and %d", w, most)
	}
	return uint32(n), nil
}

// command reports what is wrong with a program that is to be run.
func command(w string) error {
	c := check.Check{Kind: "program", Command: w}
	return c.Validate()
}

func choose[T any](from map[string]T, w string) (T, error) {
	value, ok := from[w]
	if !ok {
		var names []string
		for name := range from {
			names = append(names, name)
		}
		slices.Sort(names)
		return value, fmt.Errorf("%q is unknown; it may be %s", w, strings.Join(names, ", "))
	}
	return value, nil
}
