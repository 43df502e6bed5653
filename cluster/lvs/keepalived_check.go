package lvs

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"quorate/resources/check"
)

// checkers are keepalived's, as checks, and the retries before a failure counts
// if nothing is said (keepalived.conf(5), CHECKER_TYPE).
var checkers = map[string]struct {
	kind   string
	retry  int
	before float64 // seconds before a retry; 0: delay_loop
}{
	"TCP_CHECK":  {"tcp", 1, 1},
	"HTTP_GET":   {"http", 1, 3},
	"SSL_GET":    {"https", 1, 3},
	"SMTP_CHECK": {"smtp", 1, 1},
	"DNS_CHECK":  {"dns", 3, 0},
	"MISC_CHECK": {"program", 0, 1},
	"PING_CHECK": {"ping", 1, 1},
	"UDP_CHECK":  {"udp", 1, 1},
	"FILE_CHECK": {"file", 0, 0},
}

// leftCheckers have no equal.
var leftCheckers = map[string]string{
	"BFD_CHECK": "there is no BFD",
}

// leftOfCheck are directives of checks without an equal.
var leftOfCheck = map[string]string{
	"bind_port":        "a check goes out from any port",
	"bind_if":          "a check goes out as the system's routes say",
	"fwmark":           "the packets of checks are not marked",
	"log_all_failures": "\"quorate status\" shows the last answer of each check",
	"http_protocol":    "HTTP/1.1 is spoken, with \"Connection: close\"",
	"fast_recovery":    "each url is checked on a timer of its own",
	"tls_compliant":    "TLS is ended as it should be, always",
	"regex_stack":      "patterns need no stack",
	"user":             "programs run as the agent",
	"min_reply_length": "any answer will do",
	"max_reply_length": "any answer will do",
}

// A checker is one check block, with what the servers around it say.
type checker struct {
	*keepalived
	virtual, real, d *Directive
	words            []string // of every check that is made of it
	port             uint16   // to ask, where the director's own does not say; 0: it does
}

// checks makes the checks of a real server, all of which have to pass. Port is the
// one to ask that the director cannot have; 0: there is none.
func (t *keepalived) checks(virtual, d *Directive, v *Virtual, r *Real, port uint16) (problem string) {
	for _, sub := range d.Block {
		why, left := leftCheckers[sub.Name()]
		_, known := checkers[sub.Name()]
		switch {
		case !sub.holds():
		case left:
			t.leaveAll(sub, why)
		case known:
			made, problem := t.checker(virtual, d, sub, port)
			if problem != "" {
				t.leaveAll(sub, problem)
				continue
			}
			t.ofAll(sub, v)
			r.Checks = append(r.Checks, made...)
		}
	}
	if len(r.Checks) == 0 && slices.ContainsFunc(d.Block, func(sub *Directive) bool {
		return sub.holds() && strings.Contains(sub.Name(), "_CHECK") || strings.HasSuffix(sub.Name(), "_GET")
	}) {
		return "none of its checks can be taken, and without one it would always be up"
	}
	for _, name := range checkDefaults {
		if len(r.Checks) > 0 {
			t.take(d.last(name))
		}
	}
	return ""
}

func (t *keepalived) checker(virtual, real, d *Directive, port uint16) (made []string, problem string) {
	c := &checker{keepalived: t, virtual: virtual, real: real, d: d, port: port}
	t.take(d)
	for _, sub := range d.Block {
		if why, left := leftOfCheck[sub.Name()]; left && sub.holds() {
			t.leaveAll(sub, why)
		}
	}
	if d.Name() == "FILE_CHECK" {
		return c.fileCheck()
	}
	c.common()
	switch d.Name() {
	case "HTTP_GET", "SSL_GET":
		return c.pages()
	case "SMTP_CHECK":
		return c.mail()
	case "DNS_CHECK":
		c.word("type", "type")
		c.word("name", "request")
		if n := d.last("name"); n != nil && d.last("type") == nil {
			c.words = append(c.words, "type=SOA")
		}
	case "MISC_CHECK":
		if problem := c.program(); problem != "" {
			return nil, problem
		}
	case "UDP_CHECK":
		if problem := c.datagram(); problem != "" {
			return nil, problem
		}
	}
	return c.say(nil, c.words)
}

// say writes a check; what is wrong with it is the problem.
func (c *checker) say(made, words []string) ([]string, string) {
	parsed, err := check.ParseWords(append([]string{checkers[c.d.Name()].kind}, words...))
	if err != nil {
		return nil, "its check cannot be said: " + err.Error()
	}
	return append(made, parsed.String()), ""
}

// setting is the innermost directive of a name.
func (c *checker) setting(name string) *Directive {
	for _, d := range []*Directive{c.d, c.real, c.virtual} {
		if s := d.last(name); s != nil {
			return s
		}
	}
	return nil
}

// seconds is a setting in milliseconds, as keepalived's timers may have fractions.
func (c *checker) seconds(name string, otherwise float64) string {
	return milliseconds(c.setting(name), otherwise)
}

// common adds the words that all checks have.
func (c *checker) common() {
	defaults := checkers[c.d.Name()]
	loop := 60.0
	interval := c.seconds("delay_loop", loop)
	retry := defaults.retry
	if s := c.setting("retry"); s != nil {
		retry = min(number(s.word(1)), 999)
	}
	if s := c.d.last("nb_get_retry"); s != nil { // its old name
		retry = min(number(s.word(1)), 999)
		c.take(s)
	}
	c.words = append(c.words, "interval="+interval)
	if c.d.Name() == "MISC_CHECK" {
		c.words = append(c.words, "timeout="+c.scriptTimeout(interval))
	} else {
		c.words = append(c.words, "timeout="+c.seconds("connect_timeout", 5))
	}
	if retry > 0 {
		before := interval
		if c.setting("delay_before_retry") != nil || defaults.before > 0 {
			before = c.seconds("delay_before_retry", defaults.before)
		}
		c.words = append(c.words, "retry="+before)
	}
	c.words = append(c.words, "rise=1", "fall="+strconv.Itoa(retry+1))
	c.taken(c.d, "delay_loop", "retry", "delay_before_retry", "connect_timeout")
	c.connection(c.d)
}

func (c *checker) scriptTimeout(interval string) string {
	if s := c.d.last("misc_timeout"); s != nil && number(s.word(1)) > 0 {
		c.take(s)
		return strconv.Itoa(min(number(s.word(1)), 86400)) + "s"
	}
	return interval // as keepalived: a delay_loop
}

func (c *checker) taken(in *Directive, names ...string) {
	for _, name := range names {
		c.take(in.last(name))
	}
}

// connection adds where to ask, of a check or of a host of it.
func (c *checker) connection(in *Directive) {
	if c.d.Name() == "MISC_CHECK" {
		return
	}
	c.wordOf(in, "connect_ip", "address")
	if c.d.Name() == "PING_CHECK" {
		if b := in.last("bindto"); b != nil {
			c.leave(b, "a ping goes out as the system's routes say")
		}
		return
	}
	c.wordOf(in, "connect_port", "port")
	c.wordOf(in, "bindto", "source")
	if in.last("connect_port") == nil && c.port != 0 {
		c.words = append(c.words, fmt.Sprintf("port=%d", c.port))
	}
}

func (c *checker) word(name, ours string) { c.wordOf(c.d, name, ours) }

func (c *checker) wordOf(in *Directive, name, ours string) {
	if s := in.last(name); s != nil && s.word(1) != "" {
		c.words = append(c.words, ours+"="+s.word(1))
		c.take(s)
	}
}

// pages makes a check of each url.
func (c *checker) pages() (made []string, problem string) {
	if c.d.Name() == "SSL_GET" {
		c.word("sni_name", "sni")
		c.taken(c.d, "enable_sni") // the virtual host is named in the handshake anyway
	}
	c.taken(c.d, "virtualhost")
	urls := c.d.find("url")
	if len(urls) == 0 {
		return nil, "it has no url"
	}
	for _, url := range urls {
		words, problem := c.page(url)
		if problem != "" {
			return nil, problem
		}
		if made, problem = c.say(made, words); problem != "" {
			return nil, problem
		}
	}
	return made, ""
}

func (c *checker) page(url *Directive) (words []string, problem string) {
	c.take(url)
	for _, sub := range url.Block {
		if why, left := leftOfCheck[sub.Name()]; left && sub.holds() {
			c.leave(sub, why)
		}
	}
	words = slices.Clone(c.words)
	if p := url.last("path"); p != nil {
		words = append(words, "path="+p.word(1))
		c.take(p)
	}
	host := url.last("virtualhost")
	if host == nil {
		host = c.setting("virtualhost")
	}
	if host != nil && host.word(1) != "" {
		words = append(words, "host="+host.word(1))
		c.take(host)
	}
	if s := url.last("status_code"); s != nil {
		words = append(words, "status="+strings.Join(s.rest(), ","))
		c.take(s)
	}
	if d := url.last("digest"); d != nil {
		words = append(words, "digest="+d.word(1))
		c.take(d)
	}
	return c.pattern(url, words)
}

// pattern adds a regex if RE2 has it; a check without it would pass too easily.
func (c *checker) pattern(url *Directive, words []string) ([]string, string) {
	r := url.last("regex")
	if r == nil {
		return words, ""
	}
	word := "receive="
	if no := url.last("regex_no_match"); no != nil {
		word = "absent="
		c.take(no)
	}
	for _, name := range []string{"regex_min_offset", "regex_max_offset"} {
		if o := url.last(name); o != nil {
			c.leave(o, "the pattern is looked for in the whole page")
		}
	}
	flags := ""
	for _, o := range url.find("regex_options") {
		c.take(o)
		for _, word := range o.rest() {
			flag, ok := map[string]string{"caseless": "i", "multiline": "m", "dotall": "s", "ungreedy": "U"}[word]
			if !ok {
				c.approximate(o, "without "+word)
				continue
			}
			flags += flag
		}
	}
	text := r.word(1)
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	if _, err := regexp.Compile(text); err != nil {
		return nil, "its regex is one of PCRE that RE2 does not have: " + err.Error()
	}
	c.take(r)
	return append(words, word+text), ""
}

// mail makes a check of each host, or of the real server.
func (c *checker) mail() (made []string, problem string) {
	c.word("helo_name", "host")
	hosts := c.d.find("host")
	if len(hosts) == 0 {
		return c.say(nil, c.words)
	}
	words := c.words
	for _, h := range hosts {
		c.take(h)
		for _, sub := range h.Block {
			if why, left := leftOfCheck[sub.Name()]; left && sub.holds() {
				c.leave(sub, why)
			}
		}
		c.words = slices.Clone(words)
		c.connection(h)
		if t := h.last("connect_timeout"); t != nil {
			c.leave(t, "the check's own counts")
		}
		if made, problem = c.say(made, c.words); problem != "" {
			return nil, problem
		}
	}
	return made, ""
}

// program splits misc_path as keepalived does: by blanks outside of single quotes.
func (c *checker) program() (problem string) {
	p := c.d.last("misc_path")
	if p == nil || p.word(1) == "" {
		return "it has no misc_path"
	}
	c.take(p)
	c.words = append(c.words, "command="+p.word(1))
	if d := c.d.last("misc_dynamic"); d != nil {
		c.words = append(c.words, "dynamic=yes")
		c.take(d)
	}
	return ""
}

// datagram writes payload and require_reply, which are hexadecimal.
func (c *checker) datagram() (problem string) {
	if p := c.d.last("payload"); p != nil {
		bytes, ok := hexBytes(p.rest())
		if !ok {
			return fmt.Sprintf("payload %s is not hexadecimal", strings.Join(p.rest(), " "))
		}
		var b strings.Builder
		for _, ch := range bytes {
			fmt.Fprintf(&b, `\x%02x`, ch)
		}
		c.words = append(c.words, "request="+b.String())
		c.take(p)
	}
	if r := c.d.last("require_reply"); r != nil {
		c.words = append(c.words, "receive=(?s).")
		c.take(r)
		if len(r.Words) > 1 {
			c.approximate(r, "any answer will do, whatever its bytes")
		}
	}
	return ""
}

// hexBytes reads keepalived's free form: a word of an odd number of digits has
// its last digit alone in a byte.
func hexBytes(words []string) ([]byte, bool) {
	var all []byte
	for _, w := range words {
		if len(w)%2 == 1 {
			w = w[:len(w)-1] + "0" + w[len(w)-1:]
		}
		b, err := hex.DecodeString(w)
		if err != nil {
			return nil, false
		}
		all = append(all, b...)
	}
	return all, len(all) > 0
}
