package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// ldapProbe binds, anonymously unless a login is set, and reads the entry
// request= (or the root of the directory), whose attributes the pattern is
// looked for in, one "name: value" a line.
func ldapProbe(c Check) (probe, error) {
	receive, err := pattern(c.Receive)
	if err != nil {
		return nil, err
	}
	if c.Login != "" && c.Password == "" {
		return nil, errors.New("login= is there without password=: a server takes that for anonymous (RFC 4513, section 5.1.2)")
	}
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		raw, err := c.dial(ctx, "tcp", at)
		if err != nil {
			return "", err
		}
		defer during(ctx, raw)()
		conn := ldap.NewConn(raw, c.TLS)
		conn.Start()
		defer conn.Close() //nolint:errcheck // the answer is known by then
		if err := bind(conn, c.Login, c.Password); err != nil {
			return "", ldapError(ctx, err)
		}
		found, err := conn.Search(ldap.NewSearchRequest(c.Request, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
			1, 0, false, "(objectClass=*)", nil, nil))
		if err != nil {
			return "", ldapError(ctx, err)
		}
		return entryMatches(found, receive)
	}, nil
}

func bind(conn *ldap.Conn, login, password string) error {
	if login == "" {
		return conn.UnauthenticatedBind("")
	}
	return conn.Bind(login, password)
}

func entryMatches(found *ldap.SearchResult, receive *regexp.Regexp) (string, error) {
	if len(found.Entries) == 0 {
		return "", errors.New("the entry is not there")
	}
	if receive == nil {
		return "the entry is there", nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "dn: %s\n", found.Entries[0].DN)
	for _, a := range found.Entries[0].Attributes {
		for _, v := range a.Values {
			fmt.Fprintf(&b, "%s: %s\n", a.Name, v)
		}
	}
	if !receive.MatchString(b.String()) {
		return "", fmt.Errorf("the entry does not match %q", receive)
	}
	return "the entry matches", nil
}

// ldapError tells a timeout, which ends the connection, from an answer.
func ldapError(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return errTimeout
	}
	if e, ok := errors.AsType[*ldap.Error](err); ok && e.ResultCode != ldap.ErrorNetwork {
		return fmt.Errorf("it answered: %s", clip(e.Error()))
	}
	return errors.New("it closed the connection")
}
