package check

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A probe asks once. The text says what was found, or the error why that is not
// the wanted answer. It ends soon after ctx has ended.
type probe func(ctx context.Context, at netip.AddrPort) (string, error)

// What a kind must know of a server to ask it.
type needs int

const (
	needsPort needs = iota
	needsAddress
	needsNothing
)

// A kind is one way to ask.
type kind struct {
	summary string
	port    uint16 // for a server without one
	needs   needs
	words   string // the words it takes beside the common ones, as a list with commas
	make    func(Check) (probe, error)
	weigh   func(Check) weigher // of those that may say a weight; it may return nil
}

// common words are taken by all kinds that ask at all.
const common = "interval,timeout,retry,rise,fall"

// Words of all kinds that connect, and of those that may speak TLS.
const (
	where   = "address,port,source"
	secured = where + ",tls,sni,verify"
)

// kinds are filled once, before use; a map literal would refer to itself.
var kinds map[string]kind

func init() {
	kinds = map[string]kind{
		"tcp":       {"the port accepts a connection", 0, needsPort, secured, tcpProbe, nil},
		"http":      {"a page is served, with status, text or digest as wanted", 80, needsPort, secured + ",path,method,host,status,digest,receive,absent", httpProbe, nil},
		"https":     {"as http, over TLS", 443, needsPort, where + ",sni,verify,path,method,host,status,digest,receive,absent", httpsProbe, nil},
		"smtp":      {"it greets, takes HELO and says good-bye", 25, needsPort, secured + ",host", smtpProbe, nil},
		"pop":       {"it greets, and lets a login in if one is set", 110, needsPort, secured + ",login,password", popProbe, nil},
		"imap":      {"it greets, and lets a login in if one is set", 143, needsPort, secured + ",login,password", imapProbe, nil},
		"ftp":       {"it greets, and lets a login in if one is set", 21, needsPort, secured + ",login,password", ftpProbe, nil},
		"nntp":      {"it greets", 119, needsPort, secured, nntpProbe, nil},
		"redis":     {"it answers PING with PONG", 6379, needsPort, secured + ",login,password", redisProbe, nil},
		"simpletcp": {"a text is sent and the answer matches", 0, needsPort, secured + ",request,receive", simpleProbe, nil},
		"dns":       {"it answers a question, with a record that matches if that is asked for", 53, needsPort, where + ",request,type,receive", dnsProbe, nil},
		"ldap":      {"it lets the login in, or anybody, and has the entry", 389, needsPort, secured + ",request,receive,login,password", ldapProbe, nil},
		"mysql":     {"it greets; with a login a query finds a row", 3306, needsPort, where + ",login,password,database,request,receive", mysqlProbe, nil},
		"pgsql":     {"it greets; with a login a query finds a row", 5432, needsPort, where + ",login,password,database,request,receive", pgsqlProbe, nil},
		"sip":       {"it answers OPTIONS with 200, over UDP", 5060, needsPort, where + ",login", sipProbe, nil},
		"udp":       {"a datagram is not refused, and its answer matches if that is asked for", 0, needsPort, where + ",request,receive", udpProbe, nil},
		"ping":      {"it answers an ICMP echo request", 0, needsAddress, "address", pingProbe, nil},
		"program":   {"a program exits with status 0", 0, needsNothing, "command,dynamic", programProbe, programWeigher},
		"process":   {"a program runs on this node", 0, needsNothing, "command,least,most", processProbe, nil},
		"file":      {"a file on this node has no number, or 0", 0, needsNothing, "file,weight,reverse", fileProbe, fileWeigher},
		"on":        {"it is taken to be up, without a question", 0, needsNothing, "", fixedProbe, nil},
		"off":       {"it is taken to be down, without a question", 0, needsNothing, "", fixedProbe, nil},
	}
}

// Kinds returns the names of the kinds of checks.
func Kinds() []string {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Summary says when a server passes a check of a kind.
func Summary(kind string) string { return kinds[kind].summary }

// takes lists the words that a kind takes.
func (k kind) takes() []string {
	if k.make == nil {
		return nil
	}
	list := k.words
	if k.words != "" {
		list = common + "," + k.words
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// probe makes the probe of a check, which must be of a known kind.
func (c Check) probe() (probe, error) {
	k, ok := kinds[c.Kind]
	if !ok {
		return nil, fmt.Errorf("%q is no kind of check; they are %s", c.Kind, strings.Join(Kinds(), ", "))
	}
	return k.make(c)
}

// fixedProbe is of the kinds on and off.
func fixedProbe(c Check) (probe, error) {
	return func(context.Context, netip.AddrPort) (string, error) {
		if c.Kind == "on" {
			return "it is not checked", nil
		}
		return "", errSwitchedOff
	}, nil
}
