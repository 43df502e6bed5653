package lvs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"quorate/resources/check"
)

// A checkTemplate is the check of a virtual service, but for what real servers
// say of their own.
type checkTemplate struct {
	kind             string
	words            []string // but request and receive
	request, receive string
	asks             string // the word that the request becomes; empty: none
	external         string // command, to which the servers are added
	port             uint16 // of the service, for a real server without one
}

// services are ldirectord's, as checks: the kind, the words that it always has,
// and what becomes of request.
var services = map[string]struct {
	kind  string
	words []string
	asks  string
	login bool
}{
	"http":       {"http", nil, "path", false},
	"https":      {"https", nil, "path", false},
	"ftp":        {"ftp", nil, "", true},
	"smtp":       {"smtp", nil, "", false},
	"submission": {"smtp", nil, "", false},
	"pop":        {"pop", nil, "", true},
	"pops":       {"pop", []string{"tls=yes"}, "", true},
	"imap":       {"imap", nil, "", true},
	"imaps":      {"imap", []string{"tls=yes"}, "", true},
	"ldap":       {"ldap", nil, "request", true},
	"ldaps":      {"ldap", []string{"tls=yes"}, "request", true},
	"nntp":       {"nntp", nil, "", false},
	"dns":        {"dns", nil, "request", false},
	"mysql":      {"mysql", nil, "request", true},
	"pgsql":      {"pgsql", nil, "request", true},
	"sip":        {"sip", nil, "", true},
	"simpletcp":  {"simpletcp", nil, "request", false},
	"none":       {"on", nil, "", false},
}

// check reads the directives of a virtual service's check.
func (t *ldirectord) check(o options, v *Virtual) (checkTemplate, string) {
	kind := o.value("checktype", false)
	if kind == "" {
		kind = "negotiate"
	}
	c := checkTemplate{}
	timeout := o.timeout("checktimeout", "negotiatetimeout", 5)
	negotiate := false
	switch {
	case kind == "negotiate" || number(kind) > 0:
		negotiate = true
		timeout = o.timeout("negotiatetimeout", "checktimeout", 30)
		if problem := t.negotiate(o, v, &c); problem != "" {
			return c, problem
		}
		if number(kind) > 0 {
			t.approximate(o.virtual.last("checktype"), "each check asks for the service; none only connects")
		}
	case kind == "connect" && v.Protocol == "udp", kind == "ping":
		c.kind = "ping"
	case kind == "connect":
		c.kind = "tcp"
	case kind == "on", kind == "off":
		c.kind = kind
	case kind == "external":
		c.kind, c.external = "program", o.value("checkcommand", false)
	default:
		return c, fmt.Sprintf("checktype=%s has no equal", kind)
	}
	t.common(o, &c, timeout)
	t.unused(o, negotiate)
	return c, ""
}

// timeout is that of a kind of check; the two are each other's defaults.
func (o options) timeout(name, other string, otherwise int) int {
	for _, value := range []int{
		number(o.value(name, false)), number(o.value(other, false)),
		number(o.t.globalValue(name)), number(o.t.globalValue(other)),
	} {
		if value > 0 {
			return value
		}
	}
	return otherwise
}

func (t *ldirectord) globalValue(name string) string {
	if d := t.globals.last(name); d != nil {
		return d.word(1)
	}
	return ""
}

// common adds the words that all checks have. ldirectord's interval is the pause
// after all checks of a round; here it is from one to the next of each server.
func (t *ldirectord) common(o options, c *checkTemplate, timeout int) {
	if c.kind == "on" || c.kind == "off" {
		return
	}
	interval := 10
	if n := number(o.value("checkinterval", true)); n > 0 {
		interval = n
	}
	fall := 1
	if n := number(o.value("failurecount", true)); n > 0 {
		fall = min(n, 1000)
	}
	c.words = append(c.words, fmt.Sprintf("interval=%ds", interval), fmt.Sprintf("timeout=%ds", timeout), "rise=1", "fall="+strconv.Itoa(fall))
	if port := o.value("checkport", false); port != "" && c.kind != "ping" && c.kind != "program" {
		c.words = append(c.words, "port="+strconv.Itoa(number(port)))
	}
	if d := o.virtual.last("checkcount"); d != nil {
		t.leave(d, "a ping is one question; failurecount says how many may be lost")
	}
}

// negotiate adds what a service is asked.
func (t *ldirectord) negotiate(o options, v *Virtual, c *checkTemplate) (problem string) {
	name := o.value("service", false)
	if name == "" {
		name = "none"
		if len(v.Addresses) > 0 {
			name = serviceOf(v.Addresses[0].Port())
		}
	}
	s, ok := services[name]
	if !ok {
		return fmt.Sprintf("there is no check of %s", name)
	}
	c.kind, c.words, c.asks, c.port = s.kind, slices.Clone(s.words), s.asks, ports[name]
	if d := o.virtual.last("request"); d != nil {
		c.request = d.word(1)
		t.take(d)
		t.overridden(o.virtual, "request")
		if s.asks == "" {
			t.leave(d, fmt.Sprintf("a check of %s asks for nothing", name))
		}
	}
	if d := o.virtual.last("receive"); d != nil {
		c.receive = d.word(1)
		t.take(d)
		t.overridden(o.virtual, "receive")
		if why := receives(s.kind, c.receive); why != "" {
			c.receive = ""
			t.leave(d, why)
		}
	}
	if c.kind == "simpletcp" && c.receive == "" {
		return "a check of simpletcp without receive would always pass"
	}
	if m := o.value("httpmethod", false); m != "" && s.asks == "path" {
		c.words = append(c.words, "method="+strings.ToUpper(m))
	}
	if h := o.value("virtualhost", false); h != "" && s.asks == "path" {
		c.words = append(c.words, "host="+strings.Trim(h, `"`))
	}
	return t.login(o, c, s.login)
}

// receives says why a pattern cannot be looked for.
func receives(kind, pattern string) string {
	if !slices.Contains([]string{"http", "https", "ldap", "dns", "mysql", "pgsql", "simpletcp"}, kind) {
		return fmt.Sprintf("a check of %s looks for no text", kind)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return "it is a pattern of Perl that RE2 does not have: " + err.Error()
	}
	return ""
}

// login adds who logs in; ldirectord has defaults for ftp.
func (t *ldirectord) login(o options, c *checkTemplate, logsIn bool) (problem string) {
	login, password, database := o.value("login", false), o.value("passwd", false), o.value("database", false)
	if !logsIn {
		for _, name := range []string{"login", "passwd", "database"} {
			t.leaveNamed(o.virtual, name, "this check does not log in")
		}
		return ""
	}
	if c.kind == "ftp" && login == "" {
		login = "anonymous"
	}
	if c.kind == "ftp" && password == "" {
		password = "ldirectord@localhost"
	}
	if (c.kind == "mysql" || c.kind == "pgsql") && (login == "" || c.request == "") {
		return "ldirectord adds no real servers without login and request"
	}
	if c.kind == "sip" {
		t.leaveNamed(o.virtual, "passwd", "OPTIONS needs no password")
		password = ""
	}
	for _, w := range []struct{ name, value string }{{"login", login}, {"password", password}, {"database", database}} {
		if w.value != "" && (w.name != "database" || c.kind == "mysql" || c.kind == "pgsql") {
			c.words = append(c.words, w.name+"="+w.value)
		}
	}
	return ""
}

// unused says of directives of a check why another kind does not need them.
func (t *ldirectord) unused(o options, negotiate bool) {
	if !negotiate {
		for _, name := range []string{"service", "request", "receive", "httpmethod", "virtualhost", "login", "passwd", "database"} {
			t.leaveNamed(o.virtual, name, "this type of check does not use it")
		}
	}
	if c := o.virtual.last("checkcommand"); c != nil && o.value("checktype", false) != "external" {
		t.leave(c, "this type of check does not use it")
	}
}

// serviceOf is the service that ldirectord takes a port for.
func serviceOf(port uint16) string {
	for name, n := range ports {
		if _, ok := services[name]; ok && n == port {
			return name
		}
	}
	switch port {
	case 1521:
		return "oracle"
	case 1812:
		return "radius"
	case 3128:
		return "http_proxy"
	}
	return "none"
}

// of is the check of one real server, as it is written: its own port is asked,
// whatever the director makes of it.
func (c checkTemplate) of(v *Virtual, r realLine) (text, problem string) {
	words := append([]string{c.kind}, c.words...)
	named := slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "port=") })
	unasked := slices.Contains([]string{"on", "off", "ping", "program"}, c.kind)
	plain := r.Real
	switch {
	case named || unasked:
	case v.keepPort(&plain) != 0:
		words = append(words, fmt.Sprintf("port=%d", r.Port))
	case r.Port == 0 && v.Mark != 0 && c.port != 0:
		words = append(words, fmt.Sprintf("port=%d", c.port))
	}
	request, receive := c.request, c.receive
	if r.own && c.asks != "" {
		request, receive = r.request, r.receive
		if why := receives(c.kind, receive); why != "" {
			return "", why
		}
	}
	if c.asks == "path" && request != "" {
		words = append(words, "path=/"+strings.ReplaceAll(strings.TrimLeft(request, "/"), " ", "%20"))
	} else if c.asks != "" && request != "" {
		words = append(words, c.asks+"="+strings.TrimPrefix(request, "/"))
	}
	if receive != "" {
		words = append(words, "receive="+receive)
	}
	if c.external != "" {
		words = append(words, "command="+strings.Join([]string{c.external, v.who(), v.port(), r.Address.String(), strconv.Itoa(int(r.Port))}, " "))
	}
	parsed, err := check.ParseWords(words)
	if err != nil {
		return "", "its check cannot be said: " + err.Error()
	}
	return parsed.String(), ""
}

// who and port are what ldirectord tells an external check of the service.
func (v *Virtual) who() string {
	if v.Mark != 0 {
		return strconv.Itoa(int(v.Mark))
	}
	return v.Addresses[0].Addr().String()
}

func (v *Virtual) port() string {
	if v.Mark != 0 {
		return "0"
	}
	return strconv.Itoa(int(v.Addresses[0].Port()))
}
