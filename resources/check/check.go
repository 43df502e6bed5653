// Package check finds out whether real servers serve.
//
// A [Runner] asks each [Target] on a timer of its own, with jitter and a
// deadline, never twice at once, and so many at once at most. It tells of changes
// of a target's [State] only, after as many equal answers in a row as [Check]
// says (rise, fall). What a change leads to (weight 0, removal, a sorry server)
// is the director's business; nothing here is committed to the log.
//
// How a server is asked is the kind's: a [Check] is written as words, "http
// path=/alive status=200-299 interval=1s". [Kinds] describes them. An answer
// is a reason in words and whether it was the wanted one; there is no third
// outcome, since a server that cannot be asked cannot be used either.
package check

import (
	"errors"
	"net/netip"
	"time"
)

// A Check says how a real server is asked. Zero fields stand for the defaults of
// the words of the same name; it is comparable, and [Check.String] writes it.
type Check struct {
	Kind     string        // a name in [Kinds]
	Interval time.Duration // from the start of one attempt to that of the next
	Timeout  time.Duration // of one attempt, from beginning to end
	Retry    time.Duration // the interval after a failure, until the server is down
	Rise     int           // successes in a row that bring a server up
	Fall     int           // failures in a row that bring it down

	Address netip.Addr // to ask; the real server's, unless set
	Port    uint16     // to ask; the real server's, else the kind's
	Source  netip.Addr // to ask from; the kernel's choice, unless set
	TLS     bool       // speak TLS from the first byte
	SNI     string     // server's name in the TLS handshake; Host, unless set
	Verify  bool       // the certificate, against the system's authorities and SNI

	Path    string // http: what is asked for
	Method  string // http: GET, HEAD or OPTIONS
	Host    string // http: the virtual host; smtp: the name to say HELO with
	Status  string // http: the wanted status codes, "200-299,301"
	Digest  string // http: MD5 of the body, as keepalived's genhash prints it
	Request string // what is sent or asked for: a name, a query, a line
	Type    string // dns: type of the records asked for
	Receive string // regular expression that the answer matches somewhere
	Absent  string // http: regular expression that the page must not match

	Login, Password, Database string

	Command     string // program and arguments, split at blanks outside of quotes
	Least, Most int    // process: of how many; 0: 1, and no limit
	Dynamic     bool   // program: its status says the server's weight, too
	File        string // file: that has a number
	Weight      int    // file: what a 1 in it adds to the server's weight; 0: it takes the server out
	Reverse     bool   // file: what is 0 is as what is not, and adds become subtractions
}

// The defaults of every kind.
const (
	DefaultInterval = 2 * time.Second
	DefaultTimeout  = 3 * time.Second
	DefaultRise     = 2
	DefaultFall     = 2
)

// withDefaults fills in what every kind has.
func (c Check) withDefaults() Check {
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Retry == 0 {
		c.Retry = c.Interval
	}
	if c.Rise == 0 {
		c.Rise = DefaultRise
	}
	if c.Fall == 0 {
		c.Fall = DefaultFall
	}
	return c
}

// Suits says what keeps the check from asking a server.
func (c Check) Suits(server netip.AddrPort) error {
	_, err := c.endpoint(server)
	return err
}

// endpoint is where the check of a server asks. The port is 0 where none is used.
func (c Check) endpoint(server netip.AddrPort) (netip.AddrPort, error) {
	addr, port := server.Addr().Unmap(), server.Port()
	if c.Address.IsValid() {
		addr = c.Address
	}
	k := kinds[c.Kind]
	if port == 0 {
		port = k.port
	}
	if c.Port != 0 {
		port = c.Port
	}
	switch {
	case k.needs == needsNothing:
	case !addr.IsValid():
		return netip.AddrPort{}, errors.New("it has no address to ask")
	case k.needs == needsPort && port == 0:
		return netip.AddrPort{}, errors.New("it has no port to ask; add port=… to the check")
	}
	return netip.AddrPortFrom(addr, port), nil
}
