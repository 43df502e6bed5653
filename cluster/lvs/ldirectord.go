package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/cluster/adoption"
	pb "quorate/proto/quorate/v1"
)

// ldirectord says an ldirectord.cf in Quorate's words: one director of all its
// services, in a group with their addresses, which ldirectord leaves to others.
type ldirectord struct {
	*translation
	globals *Directive // whose block is the file
}

// Names of what is made of an ldirectord.cf.
const (
	directorGroup = "lvs"
	directorName  = "director"
)

// leftGlobals are global directives without an equal.
var leftGlobals = map[string]string{
	"autoreload":     "the configuration is kept in the cluster, and a change holds at once",
	"callback":       "the configuration is kept in the cluster: no file is copied",
	"logfile":        "the agent logs to its own log, and \"quorate events\" shows what happened",
	"execute":        "one director has all services; import the other file, too",
	"fork":           "each real server is checked on its own timer anyway",
	"supervised":     "the agent is a systemd unit of its own",
	"cleanstop":      "a director removes what it made when it stops",
	"maintenancedir": "no folder is watched",
	"readdquiescent": "the director keeps the kernel's table as it should be, always",
}

// leftOptions are directives of a virtual service without an equal.
var leftOptions = map[string]string{
	"servicename": "it is a name for mails",
	"comment":     "it is a comment",
	"load":        "it does nothing in ldirectord either",
	"monitorfile": "\"quorate events\" tells what happened",
	"cleanstop":   leftGlobals["cleanstop"],
	"secret":      "there is no check of RADIUS",
}

// services reads the virtual services that can be taken, each made of a directive.
func (t *ldirectord) services(f *File) (taken []*Virtual, made []*Directive) {
	t.globals = &Directive{Block: f.Directives}
	for _, d := range f.Directives {
		if why, ok := leftGlobals[d.Name()]; ok {
			t.leave(d, why)
		}
	}
	for _, name := range append([]string{"fallbackcommand"}, mailDirectives...) {
		t.leaveNamed(t.globals, name, "no virtual service uses it")
	}
	t.leaveNamed(t.globals, "connecttimeout", "ldirectord refuses it: it is negotiatetimeout now")
	booked := make(claims)
	for _, d := range t.globals.find("virtual", "virtual6") {
		v, problem := t.virtual(d)
		if problem == "" {
			problem = booked.claim(v, d)
		}
		if problem != "" {
			t.leaveAll(d, problem)
			continue
		}
		taken, made = append(taken, v), append(made, d)
	}
	if len(taken) > 0 {
		t.globalsTaken()
	}
	return taken, made
}

func (t *ldirectord) translate(f *File) {
	taken, made := t.services(f)
	if len(taken) == 0 {
		return
	}
	members := t.addresses(taken, made)
	members = append(members, member{group: directorGroup, first: true, resource: director(directorName, taken, syncDaemon{})})
	var of []*Directive
	for _, d := range made {
		of = append(of, all(d)...)
	}
	t.offer(of, func(c *pb.Configuration) string {
		for _, m := range members {
			m.add(c)
		}
		return ""
	})
	t.mail(made)
}

// globalsTaken marks the globals that went into the services.
func (t *ldirectord) globalsTaken() {
	for _, name := range []string{"checktimeout", "negotiatetimeout", "checkinterval", "failurecount", "fallback", "fallback6", "quiescent"} {
		if d := t.globals.last(name); d != nil && t.entries[d].Verdict == adoption.NotTaken { // else a service said more of it
			t.take(d)
		}
		t.overridden(t.globals, name)
	}
	for _, d := range t.globals.find("checkcount") {
		t.leave(d, "a ping is one question; failurecount says how many may be lost")
	}
}

// overridden says of directives that a later one of the same name counts.
func (t *ldirectord) overridden(in *Directive, name string) {
	found := in.find(name)
	for _, d := range found[:max(0, len(found)-1)] {
		t.leave(d, fmt.Sprintf("line %d says otherwise, and the last one counts", in.last(name).Line))
	}
}

// addresses are the services', which are not in the file as such.
func (t *ldirectord) addresses(list []*Virtual, made []*Directive) (members []member) {
	var seen []netip.Addr
	for i, v := range list {
		if v.Mark != 0 {
			t.approximate(made[i], "its addresses, and the rules that mark their packets, are not in the file: make them yourself")
		}
		for _, a := range v.Addresses {
			if slices.Contains(seen, a.Addr()) {
				continue
			}
			seen = append(seen, a.Addr())
			t.approximate(made[i], "its address is made a resource, too, in the group "+directorGroup)
			members = append(members, member{group: directorGroup, resource: &pb.Resource{
				Id: vipName(a.Addr()), Agent: vipAgent, Parameters: map[string]string{"ip": a.Addr().String()},
			}})
		}
	}
	return members
}

// options are what a virtual service says, with the global values behind it.
type options struct {
	t       *ldirectord
	virtual *Directive
}

// value is the last value of a name, in the service or else in the whole file.
func (o options) value(name string, global bool) string {
	if d := o.virtual.last(name); d != nil {
		o.t.take(d)
		o.t.overridden(o.virtual, name)
		return d.word(1)
	}
	if global {
		if d := o.t.globals.last(name); d != nil {
			return d.word(1)
		}
	}
	return ""
}

// number is the first number in a value, as ldirectord reads it; 0: there is none.
func number(value string) int {
	start := strings.IndexAny(value, "0123456789")
	if start < 0 {
		return 0
	}
	end := start
	for end < len(value) && value[end] >= '0' && value[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(value[start:end])
	if err != nil || n > 1<<31 {
		return 0
	}
	return n
}

// virtual reads a service. The problem says why it cannot be taken.
func (t *ldirectord) virtual(d *Directive) (v *Virtual, problem string) {
	o := options{t, d}
	t.take(d)
	v = &Virtual{V6: d.Name() == "virtual6", Protocol: "tcp", Scheduler: "wrr"}
	if problem := v.named(d.word(1)); problem != "" {
		return nil, problem
	}
	for _, sub := range d.Block {
		if why, ok := leftOptions[sub.Name()]; ok {
			t.leave(sub, why)
		}
	}
	if problem := t.service(o, v); problem != "" {
		return nil, problem
	}
	c, problem := t.check(o, v)
	if problem != "" {
		return nil, problem
	}
	if problem := t.reals(o, v, c); problem != "" {
		return nil, problem
	}
	t.fallback(o, v)
	t.fallbackCommand(o, v)
	return v, t.settle(v)
}

// named reads ADDRESS:PORT or a firewall mark.
func (v *Virtual) named(value string) (problem string) {
	host, port, ok := splitHostPort(value)
	if !ok {
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
		if err != nil || n == 0 {
			return fmt.Sprintf("%q is neither ADDRESS:PORT nor a firewall mark", value)
		}
		v.Mark = uint32(n)
		return ""
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Sprintf("%s is a name; write its address", host)
	}
	number, ok := portOf(port)
	if !ok {
		return fmt.Sprintf("%q is no port that is known here; write its number", port)
	}
	if addr.Is6() != v.V6 {
		return fmt.Sprintf("%s is not of the family of %s", host, map[bool]string{false: "virtual, which is IPv4", true: "virtual6, which is IPv6"}[v.V6])
	}
	v.Addresses = []netip.AddrPort{netip.AddrPortFrom(addr, number)}
	if number == 53 {
		v.Protocol = "udp"
	}
	return ""
}

// splitHostPort takes HOST:PORT apart; an IPv6 address stands in brackets.
func splitHostPort(value string) (host, port string, ok bool) {
	i := strings.LastIndexByte(value, ':')
	if i <= 0 || i == len(value)-1 || strings.HasSuffix(value, "]") {
		return "", "", false
	}
	return strings.Trim(value[:i], "[]"), value[i+1:], true
}

// ports are the services of ldirectord, and some names of /etc/services.
var ports = map[string]uint16{
	"ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "dns": 53, "http": 80, "www": 80, "pop": 110, "pop3": 110,
	"nntp": 119, "ntp": 123, "imap": 143, "imap2": 143, "ldap": 389, "https": 443, "submission": 587, "ldaps": 636,
	"imaps": 993, "pops": 995, "pop3s": 995, "oracle": 1521, "radius": 1812, "http_proxy": 3128, "mysql": 3306,
	"sip": 5060, "pgsql": 5432, "postgresql": 5432, "http-alt": 8080,
}

func portOf(text string) (uint16, bool) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return uint16(n), n > 0
	}
	n, ok := ports[text]
	return n, ok
}

// service reads what has nothing to do with checks.
func (t *ldirectord) service(o options, v *Virtual) (problem string) {
	if p := o.value("protocol", false); p != "" && v.Mark == 0 {
		if p != "tcp" && p != "udp" {
			return fmt.Sprintf("protocol=%s: it is neither tcp nor udp", p)
		}
		v.Protocol = p
	}
	if s := o.value("scheduler", false); s != "" {
		v.Scheduler = s
	}
	if p := o.value("persistent", false); p != "" {
		v.Persistent = time.Duration(number(p)) * time.Second
	}
	if m := o.value("netmask", false); m != "" {
		v.Netmask = m
		if v.Persistent == 0 {
			v.Netmask = ""
			t.leave(o.virtual.last("netmask"), "it means nothing without persistent")
		}
	}
	if q := o.value("quiescent", true); q == "yes" {
		v.Quiescent = true
	}
	if ops := o.value("ops", false); ops == "yes" && v.Protocol == "udp" && v.Mark == 0 {
		v.Flags = append(v.Flags, "one-packet")
	}
	if flags := o.value("schedflags", false); flags != "" {
		t.schedulerFlags(o, v, flags)
	}
	return ""
}

func (t *ldirectord) schedulerFlags(o options, v *Virtual, flags string) {
	for flag := range strings.SplitSeq(flags, ",") {
		ours, ok := schedulerFlags[flag]
		if !ok {
			t.approximate(o.virtual.last("schedflags"), "without "+flag)
			continue
		}
		v.Flags = append(v.Flags, ours)
	}
}

// schedulerFlags are ipvsadm's, in the director's words.
var schedulerFlags = map[string]string{
	"sh-fallback": "fallback", "mh-fallback": "fallback", "flag-1": "fallback",
	"sh-port": "port", "mh-port": "port", "flag-2": "port",
}

// reals reads the real servers.
func (t *ldirectord) reals(o options, v *Virtual, c checkTemplate) (problem string) {
	for _, d := range o.virtual.find("real", "real6") {
		list, problem := v.realServers(d)
		if problem != "" {
			t.leave(d, problem)
			continue
		}
		t.take(d)
		for _, r := range list {
			r.made = d
			asked := r
			if port := v.keepPort(&r.Real); port != 0 {
				t.approximate(d, portKept)
			}
			if r.Lower > 0 && r.Upper == 0 {
				r.Lower = 0
				t.approximate(d, "without l:, which means nothing without u:")
			}
			check, problem := c.of(v, asked)
			if problem != "" {
				return problem
			}
			r.Checks = []string{check}
			v.Reals = append(v.Reals, r.Real)
		}
	}
	return ""
}

// mostReals is how many addresses a range may have.
const mostReals = 4096

// A realLine is a real server with what it says of its own check.
type realLine struct {
	Real
	request, receive string
	own              bool // request and receive are its own
}

// forwards are ldirectord's and ipvsadm's words for the methods.
var forwards = map[string]string{"gate": "direct", "masq": "nat", "ipip": "tunnel"}

// realServers reads ADDRESS[->ADDRESS][:PORT] METHOD [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N].
func (v *Virtual) realServers(d *Directive) (list []realLine, problem string) {
	if (d.Name() == "real6") != v.V6 {
		return nil, fmt.Sprintf("%s does not belong to the family of its virtual service", d.Name())
	}
	where, flags, _ := strings.Cut(strings.ReplaceAll(d.word(1), "\t", " "), " ")
	r := realLine{Real: Real{Weight: 1}}
	first, last, port, problem := addressRange(where)
	if problem != "" {
		return nil, problem
	}
	if first.Is6() != v.V6 {
		return nil, fmt.Sprintf("%s is not of the family of its virtual service", first)
	}
	r.Port = port
	if problem := r.flags(strings.TrimSpace(flags)); problem != "" {
		return nil, problem
	}
	for a := first; len(list) < mostReals; a = a.Next() {
		next := r
		next.Address = a
		if list = append(list, next); a == last {
			return list, ""
		}
	}
	return nil, fmt.Sprintf("the range has more than %d addresses", mostReals)
}

// addressRange reads ADDRESS[->ADDRESS][:PORT].
func addressRange(text string) (first, last netip.Addr, port uint16, problem string) {
	host := text
	if h, p, ok := splitHostPort(text); ok && (strings.HasPrefix(text, "[") || strings.Count(text, ":") < 3) {
		host = strings.TrimSuffix(h, ":") // two colons are in ldirectord's own sample
		if port, ok = portOf(p); !ok && p != "0" {
			return first, last, 0, fmt.Sprintf("%q is no port that is known here; write its number", p)
		}
	}
	from, to, isRange := strings.Cut(host, "->")
	if !isRange {
		to = from
	}
	first, err1 := netip.ParseAddr(strings.Trim(from, "[]"))
	last, err2 := netip.ParseAddr(strings.Trim(to, "[]"))
	switch {
	case err1 != nil || err2 != nil:
		return first, last, 0, fmt.Sprintf("%s is not an address; names are not resolved here: write its address", host)
	case first.Is6() != last.Is6() || last.Less(first):
		return first, last, 0, fmt.Sprintf("%s is no range from a lower address to a higher one", host)
	case isRange && first.Is6():
		return first, last, 0, "ldirectord has no ranges of IPv6 addresses"
	}
	return first, last, port, ""
}

// flags reads what follows the address.
func (r *realLine) flags(text string) (problem string) {
	method, rest, _ := strings.Cut(text, " ")
	var ok bool
	if r.Forward, ok = forwards[method]; !ok {
		return fmt.Sprintf("the forwarding method %q is none of gate, masq and ipip", method)
	}
	rest = strings.TrimSpace(rest)
	if digits := leadingDigits(rest); digits != "" {
		r.Weight, _ = strconv.Atoi(digits) // at most 9 digits
		rest = strings.TrimSpace(rest[len(digits):])
	}
	if strings.HasPrefix(rest, `"`) {
		parts := strings.Split(rest, `"`)
		if len(parts) < 5 || strings.Trim(parts[2], ", ") != "" {
			return fmt.Sprintf("%s is not \"REQUEST\", \"RECEIVE\"", clip(rest))
		}
		r.request, r.receive, r.own = parts[1], parts[3], true
		rest = strings.TrimSpace(strings.Join(parts[4:], `"`))
	}
	for _, word := range strings.Fields(rest) {
		switch n := number(word); {
		case strings.HasPrefix(word, "l:") && n > 0:
			r.Lower = n
		case strings.HasPrefix(word, "u:") && n > 0:
			r.Upper = n
		default:
			return fmt.Sprintf("%q is not understood", word)
		}
	}
	return ""
}

func leadingDigits(text string) string {
	n := 0
	for n < len(text) && n < 9 && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return text[:n]
}

// fallback reads the server that serves when no real one can.
func (t *ldirectord) fallback(o options, v *Virtual) {
	name := "fallback"
	if v.V6 {
		name = "fallback6"
	}
	d, own := o.virtual.last(name), true
	if d == nil {
		d, own = t.globals.last(name), false
	}
	if d == nil {
		return
	}
	words := strings.Fields(d.word(1))
	if len(words) == 0 {
		t.leave(d, "it names no server")
		return
	}
	first, _, port, problem := addressRange(words[0])
	forward, known := "direct", true
	if len(words) > 1 {
		forward, known = forwards[words[1]]
	}
	switch {
	case problem != "" || !known || len(words) > 2 || first.Is6() != v.V6:
		if own {
			t.leave(d, "it is not ADDRESS[:PORT] [gate|masq|ipip] of the service's family")
		}
		return
	case own:
		t.take(d)
	}
	v.Sorry = &Real{Address: first, Port: port, Forward: forward, Weight: 1, made: d}
	if dropped := v.keepPort(v.Sorry); dropped != 0 {
		t.approximate(d, portKept)
	}
}
