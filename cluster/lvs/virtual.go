package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Virtual is a virtual service of a director, or several with the same servers.
type Virtual struct {
	Addresses  []netip.AddrPort
	Mark       uint32 // of the firewall, in place of addresses
	V6         bool   // of a mark's service
	Protocol   string // tcp, udp or sctp
	Scheduler  string
	Flags      []string
	Persistent time.Duration
	Netmask    string
	Quiescent  bool
	Quorum     int // weight of its servers that it needs; 0: 1
	Hysteresis int
	Alpha      bool
	Omega      bool
	Up, Down   string // programs, run with the quorum
	Reals      []Real
	Sorry      *Real
}

// A Real is a real server and how it is checked.
type Real struct {
	Address      netip.Addr
	Port         uint16 // 0: the service's
	Forward      string // direct, nat or tunnel
	Weight       int
	Upper, Lower int
	Checks       []string // as resources/check reads them
	Quiescent    string   // yes or no, of it alone; empty: as the virtual service
	Up, Down     string   // programs
	made         *Directive
}

// keepPort drops a port that the kernel would not use: a packet that goes on as it
// is, directly or in a tunnel, keeps the service's. It returns the dropped port,
// which is still the one that ldirectord and keepalived check.
func (v *Virtual) keepPort(r *Real) (dropped uint16) {
	same := len(v.Addresses) > 0
	for _, a := range v.Addresses {
		same = same && a.Port() == r.Port
	}
	if r.Forward == "nat" || r.Port == 0 || same {
		return 0
	}
	dropped, r.Port = r.Port, 0
	return dropped
}

// portKept is the note on a port that was dropped.
const portKept = "without the port: only NAT can change the service's"

// keys tell a service from others of a director.
func (v *Virtual) keys() []string {
	if v.Mark != 0 {
		return []string{fmt.Sprintf("fwmark %d %v", v.Mark, v.V6)}
	}
	var list []string
	for _, a := range v.Addresses {
		list = append(list, v.Protocol+" "+a.String())
	}
	return list
}

// Claims say which directive has a service.
type claims map[string]*Directive

// claim books a directive's services, or says who has one of them already.
func (c claims) claim(v *Virtual, d *Directive) (problem string) {
	keys := v.keys()
	for i, k := range keys {
		if other := c[k]; other != nil {
			return fmt.Sprintf("line %d has that service already", other.Line)
		}
		if slices.Contains(keys[:i], k) {
			return "it names a service twice"
		}
	}
	for _, k := range keys {
		c[k] = d
	}
	return ""
}

// A configLine is a line of a director's configuration.
type configLine struct {
	text string
	of   *Directive // that it was made of; nil: the virtual service as a whole
}

// text writes the services in the words of the director's configuration.
func text(list []*Virtual) string {
	var b strings.Builder
	for _, v := range list {
		for _, l := range v.lines() {
			b.WriteString(l.text + "\n")
		}
	}
	return b.String()
}

func (v *Virtual) lines() []configLine {
	lines := []configLine{{text: v.head()}}
	alike := v.checkedAlike()
	if alike {
		for _, c := range v.Reals[0].Checks {
			lines = append(lines, configLine{text: "    check " + c})
		}
	}
	for _, r := range v.Reals {
		lines = append(lines, configLine{r.line("real"), r.made})
		for _, c := range r.Checks {
			if !alike {
				lines = append(lines, configLine{"        check " + c, r.made})
			}
		}
	}
	if v.Sorry != nil {
		lines = append(lines, configLine{v.Sorry.line("sorry"), v.Sorry.made})
	}
	return lines
}

// head is the line of the service itself.
func (v *Virtual) head() string {
	b := &strings.Builder{}
	b.WriteString("virtual")
	for _, a := range v.Addresses {
		option(b, "", a.String())
	}
	if v.Mark != 0 {
		option(b, "", fmt.Sprintf("fwmark:%d", v.Mark))
		if v.V6 {
			option(b, "family", "ipv6")
		}
	} else if v.Protocol != "tcp" {
		option(b, "protocol", v.Protocol)
	}
	option(b, "scheduler", v.Scheduler)
	option(b, "flags", strings.Join(v.Flags, ","))
	if v.Persistent > 0 {
		option(b, "persistent", strconv.Itoa(int(v.Persistent/time.Second)))
	}
	option(b, "netmask", v.Netmask)
	for _, is := range []struct {
		name string
		so   bool
	}{{"quiescent", v.Quiescent}, {"alpha", v.Alpha}, {"omega", v.Omega}} {
		if is.so {
			option(b, is.name, "yes")
		}
	}
	if v.Quorum > 1 {
		option(b, "quorum", strconv.Itoa(v.Quorum))
	}
	if v.Hysteresis > 0 {
		option(b, "hysteresis", strconv.Itoa(v.Hysteresis))
	}
	option(b, "up", enquoted(v.Up))
	option(b, "down", enquoted(v.Down))
	return b.String()
}

// checkedAlike reports whether one set of checks is that of all real servers.
func (v *Virtual) checkedAlike() bool {
	for _, r := range v.Reals {
		if !slices.Equal(r.Checks, v.Reals[0].Checks) {
			return false
		}
	}
	return len(v.Reals) > 0
}

func (r *Real) line(what string) string {
	b := &strings.Builder{}
	b.WriteString("    " + what)
	if r.Port == 0 {
		option(b, "", r.Address.String())
	} else {
		option(b, "", netip.AddrPortFrom(r.Address, r.Port).String())
	}
	option(b, "forward", r.Forward)
	for _, n := range []struct {
		name        string
		value, none int
	}{{"weight", r.Weight, 1}, {"upper", r.Upper, 0}, {"lower", r.Lower, 0}} {
		if n.value != n.none {
			option(b, n.name, strconv.Itoa(n.value))
		}
	}
	option(b, "quiescent", r.Quiescent)
	option(b, "up", enquoted(r.Up))
	option(b, "down", enquoted(r.Down))
	return b.String()
}

// enquoted is a value in quotes, if it has to be.
func enquoted(value string) string {
	switch {
	case !strings.ContainsAny(value, " \t\"';#"):
		return value
	case !strings.Contains(value, `"`):
		return `"` + value + `"`
	}
	return `"` + strings.ReplaceAll(value, `"`, `"'"'"`) + `"`
}

// option writes NAME=VALUE, or a value without a name; an empty value is none.
func option(b *strings.Builder, name, value string) {
	if value == "" {
		return
	}
	b.WriteByte(' ')
	if name != "" {
		b.WriteString(name + "=")
	}
	b.WriteString(value)
}
