package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// leftOfVirtual are directives of a virtual_server without an equal.
var leftOfVirtual = map[string]string{
	"persistence_engine":   "the director has no persistence engines",
	"ha_suspend":           "only the node with the address checks",
	"snmp_name":            "there is no SNMP",
	"sorry_server_inhibit": "a sorry server is in the table only while it serves",
}

// virtualServers reads them and gives them to the instances that have their addresses.
func (t *keepalived) virtualServers(file *Directive) {
	own := &instance{group: directorGroup}
	booked := make(claims)
	for _, d := range file.find("virtual_server") {
		v, problem := t.virtualServer(d)
		if problem == "" {
			problem = booked.claim(v, d)
		}
		if problem != "" {
			t.leaveAll(d, problem)
			continue
		}
		in := t.holder(v, own)
		if in == own {
			t.approximate(d, "no vrrp_instance has its address, which is yours to set")
		}
		in.virtuals, in.made = append(in.virtuals, v), append(in.made, d)
	}
	if len(own.virtuals) > 0 {
		t.instances = append(t.instances, own)
	}
}

// holder is the instance with the virtual server's address; own has the rest.
func (t *keepalived) holder(v *Virtual, own *instance) *instance {
	for _, in := range t.instances {
		for _, a := range v.Addresses {
			if slices.Contains(in.addresses, a.Addr()) {
				return in
			}
		}
	}
	return own
}

// virtualServer reads one. The problem says why it cannot be taken.
func (t *keepalived) virtualServer(d *Directive) (v *Virtual, problem string) {
	if !d.Opened {
		return nil, "it has no block"
	}
	v = &Virtual{Protocol: "tcp", Scheduler: "wlc"}
	for _, sub := range d.Block {
		if why, left := leftOfVirtual[sub.Name()]; left && sub.holds() {
			t.leaveAll(sub, why)
		}
	}
	if problem := t.whereabouts(d, v); problem != "" {
		return nil, problem
	}
	t.take(d)
	t.balancing(d, v)
	t.quorum(d, v)
	forward, problem := t.method(d, "nat", "lb_kind", "lvs_method")
	if problem != "" {
		return nil, problem
	}
	for _, r := range d.find("real_server") {
		t.realServer(d, r, v, forward)
	}
	if problem := t.sorryServer(d, v, forward); problem != "" {
		return nil, problem
	}
	if len(v.Reals) == 0 {
		return nil, "no real server of it can be taken"
	}
	if problem := t.settle(v); problem != "" {
		return nil, problem
	}
	for _, name := range checkDefaults { // those that a check took are taken
		t.take(d.last(name))
	}
	return v, ""
}

// checkDefaults are what a virtual or a real server says for all its checks.
var checkDefaults = []string{"delay_loop", "retry", "delay_before_retry", "connect_timeout", "virtualhost"}

// whereabouts reads ADDRESS [PORT], fwmark N or group NAME.
func (t *keepalived) whereabouts(d *Directive, v *Virtual) (problem string) {
	if family := d.last("ip_family"); family != nil {
		v.V6 = family.word(1) == "inet6"
		t.take(family)
	}
	switch d.word(1) {
	case "fwmark":
		n, err := strconv.ParseUint(d.word(2), 0, 32)
		if err != nil || n == 0 {
			return fmt.Sprintf("%q is no firewall mark", d.word(2))
		}
		v.Mark = uint32(n)
		return ""
	case "group":
		return t.serverGroup(d, v)
	}
	a, problem := endpointOf(d.rest())
	v.Addresses = []netip.AddrPort{a}
	return problem
}

// endpointOf reads ADDRESS [PORT].
func endpointOf(words []string) (netip.AddrPort, string) {
	if len(words) == 0 {
		return netip.AddrPort{}, "it has no address"
	}
	addr, err := netip.ParseAddr(words[0])
	if err != nil {
		return netip.AddrPort{}, fmt.Sprintf("%q is not an address", words[0])
	}
	if len(words) < 2 {
		return netip.AddrPortFrom(addr, 0), ""
	}
	port, err := strconv.ParseUint(words[1], 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Sprintf("%q is not a port", words[1])
	}
	return netip.AddrPortFrom(addr, uint16(port)), ""
}

// mostOfRange is how many addresses a range of a group may have.
const mostOfRange = 256

// serverGroup reads the addresses of a virtual_server_group. A mark stands alone
// in the director's words, so that a group with one and addresses is not taken.
func (t *keepalived) serverGroup(d *Directive, v *Virtual) (problem string) {
	g := t.groups[d.word(2)]
	if g == nil {
		return fmt.Sprintf("there is no virtual_server_group %q", d.word(2))
	}
	for _, line := range g.Block {
		if !line.holds() {
			continue
		}
		if problem := v.groupLine(line); problem != "" {
			return fmt.Sprintf("line %d: %s", line.Line, problem)
		}
	}
	if len(v.Addresses) == 0 && v.Mark == 0 || len(v.Addresses) > 0 && v.Mark != 0 {
		return "its group has neither addresses alone nor one mark alone"
	}
	t.take(g)
	t.take(g.Block...)
	for _, line := range g.Block {
		if line.Skip != "" {
			t.leave(line, line.Skip)
		}
	}
	return ""
}

// groupLine reads ADDRESS[-LAST] PORT or fwmark N.
func (v *Virtual) groupLine(d *Directive) (problem string) {
	if d.Name() == "fwmark" {
		n, err := strconv.ParseUint(d.word(1), 0, 32)
		if err != nil || n == 0 || v.Mark != 0 {
			return "it is not the group's only firewall mark"
		}
		v.Mark = uint32(n)
		return ""
	}
	first, last, isRange := strings.Cut(d.Name(), "-")
	a, problem := endpointOf(append([]string{first}, d.rest()...))
	if problem != "" {
		return problem
	}
	end := a.Addr()
	if isRange {
		if end, problem = rangeEnd(a.Addr(), last); problem != "" {
			return problem
		}
	}
	for addr := a.Addr(); len(v.Addresses) <= mostOfRange; addr = addr.Next() {
		v.Addresses = append(v.Addresses, netip.AddrPortFrom(addr, a.Port()))
		if addr == end {
			return ""
		}
	}
	return fmt.Sprintf("the group has more than %d addresses", mostOfRange)
}

// rangeEnd reads the last number of a range: of four parts of an IPv4 address, or
// the last group of an IPv6 one.
func rangeEnd(first netip.Addr, last string) (netip.Addr, string) {
	cut, base := ".", 10
	if first.Is6() {
		cut, base = ":", 16
	}
	if _, err := strconv.ParseUint(last, base, 16); err != nil {
		return first, fmt.Sprintf("%q does not end a range", last)
	}
	text := first.String()
	end, err := netip.ParseAddr(text[:strings.LastIndex(text, cut)+1] + last)
	if err != nil || end.Less(first) {
		return first, fmt.Sprintf("%q does not end a range that begins with %s", last, first)
	}
	return end, ""
}

// balancing reads what has nothing to do with single servers.
func (t *keepalived) balancing(d *Directive, v *Virtual) {
	if p := d.last("protocol"); p != nil {
		v.Protocol = strings.ToLower(p.word(1))
		t.take(p)
	}
	if s := d.last("lb_algo", "lvs_sched"); s != nil {
		v.Scheduler = s.word(1)
		t.take(s)
	}
	for _, f := range d.find("ops", "hashed", "flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback") {
		ours, ok := schedulerFlags[f.Name()]
		if f.Name() == "ops" {
			ours, ok = "one-packet", true
		}
		if !ok {
			t.leave(f, "it is no flag of a scheduler that is known here")
			continue
		}
		v.Flags = append(v.Flags, ours)
		t.take(f)
	}
	if p := d.last("persistence_timeout"); p != nil {
		v.Persistent = time.Duration(cmp.Or(number(p.word(1)), 360)) * time.Second
		t.take(p)
	}
	if g := d.last("persistence_granularity"); g != nil && v.Persistent > 0 {
		v.Netmask = g.word(1)
		t.take(g)
	} else if g != nil {
		t.leave(g, "it means nothing without persistence_timeout")
	}
	if i := d.last("inhibit_on_failure"); i != nil {
		v.Quiescent = !negative(i.word(1))
		t.take(i)
	}
	if w := d.last("weight"); w != nil {
		t.take(w)
	}
}

// negative reads keepalived's <BOOL>; nothing means yes.
func negative(word string) bool { return slices.Contains([]string{"off", "false", "no"}, word) }

// methodNames are keepalived's, in the director's words.
var methodNames = map[string]string{"NAT": "nat", "DR": "direct", "TUN": "tunnel"}

// method reads how servers are reached.
func (t *keepalived) method(d *Directive, otherwise string, names ...string) (forward, problem string) {
	m := d.last(names...)
	if m == nil {
		return otherwise, ""
	}
	forward, ok := methodNames[m.word(1)]
	switch {
	case !ok:
		return "", fmt.Sprintf("%s %s: it is none of NAT, DR and TUN", m.Name(), m.word(1))
	case len(m.Words) > 2 && !slices.Equal(m.Words[2:], []string{"type", "ipip"}):
		return "", fmt.Sprintf("%s: tunnels other than ipip are not available", strings.Join(m.Words, " "))
	}
	t.take(m)
	return forward, ""
}

// realServer reads one with its checks, and adds it to the virtual server.
func (t *keepalived) realServer(virtual, d *Directive, v *Virtual, forward string) {
	for _, sub := range d.Block {
		if why, left := leftOfVirtual[sub.Name()]; left && sub.holds() {
			t.leaveAll(sub, why)
		}
	}
	a, problem := endpointOf(d.rest())
	r := Real{Address: a.Addr(), Port: a.Port(), Weight: 1, made: d}
	if problem == "" {
		r.Forward, problem = t.method(d, forward, "lvs_method")
	}
	dropped := v.keepPort(&r)
	if problem == "" {
		problem = t.checks(virtual, d, v, &r, dropped)
	}
	if problem != "" {
		t.leaveAll(d, problem)
		return
	}
	t.take(d)
	t.notified(d, v, &r)
	if dropped != 0 {
		t.approximate(d, portKept)
	}
	for _, n := range []struct {
		name  string
		field *int
	}{{"weight", &r.Weight}, {"uthreshold", &r.Upper}, {"lthreshold", &r.Lower}} {
		if w := d.last(n.name); w != nil {
			*n.field = number(w.word(1))
			t.take(w)
		} else if w := virtual.last("weight"); w != nil && n.name == "weight" {
			*n.field = number(w.word(1))
		}
	}
	if l := d.last("lthreshold"); l != nil && r.Upper == 0 {
		r.Lower = 0
		t.leave(l, "it means nothing without uthreshold")
	}
	if i := d.last("inhibit_on_failure"); i != nil {
		r.Quiescent = map[bool]string{true: "no", false: "yes"}[negative(i.word(1))]
		t.take(i)
	}
	v.Reals = append(v.Reals, r)
}

func (t *keepalived) sorryServer(d *Directive, v *Virtual, forward string) (problem string) {
	s := d.last("sorry_server")
	if s == nil {
		t.leaveNamed(d, "sorry_server_lvs_method", "there is no sorry_server")
		return ""
	}
	a, problem := endpointOf(s.rest())
	if problem != "" {
		t.leave(s, problem)
		return ""
	}
	forward, problem = t.method(d, forward, "sorry_server_lvs_method")
	v.Sorry = &Real{Address: a.Addr(), Port: a.Port(), Forward: forward, Weight: 1, made: s}
	t.take(s)
	if v.keepPort(v.Sorry) != 0 {
		t.approximate(s, portKept)
	}
	return problem
}
