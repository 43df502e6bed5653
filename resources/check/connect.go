package check

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// dial connects, over TLS if the check says so. The connection ends with ctx:
// its deadline is that of every read and write.
func (c Check) dial(ctx context.Context, network string, at netip.AddrPort) (net.Conn, error) {
	if network == "udp" {
		return c.dialDatagrams(ctx, at)
	}
	conn, err := dialStream(ctx, c.Source, at)
	if err != nil || !c.TLS {
		return conn, err
	}
	secure := tls.Client(conn, c.tlsConfig(at))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

func (c Check) dialDatagrams(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if c.Source.IsValid() {
		d.LocalAddr = &net.UDPAddr{IP: c.Source.AsSlice()}
	}
	conn, err := d.DialContext(ctx, "udp", at.String())
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a connection that is refused it has ended
	}
	return conn, nil
}

// tlsConfig does not verify unless told to: a real server is asked by its address,
// and its certificate names the virtual service.
func (c Check) tlsConfig(at netip.AddrPort) *tls.Config {
	name := c.SNI
	if name == "" {
		name = hostOnly(c.Host)
	}
	if name == "" {
		name = at.Addr().String() // never sent, but verified
	}
	return &tls.Config{ServerName: name, InsecureSkipVerify: !c.Verify} //nolint:gosec // see above
}

// hostOnly is a host without the port that a Host header may have.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

func tcpProbe(c Check) (probe, error) {
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		conn, err := c.dial(ctx, "tcp", at)
		if err != nil {
			return "", err
		}
		return "it is connected", conn.Close()
	}, nil
}

var (
	errSwitchedOff = errors.New("it is switched off")
	errTimeout     = errors.New("it did not answer in time")
)

// plain says in few words what an error of the network is: the address is known
// to whoever reads it.
func plain(err error) error {
	var timeout net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return errTimeout
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		if number, ok := errors.AsType[syscall.Errno](err); ok {
			return number
		}
	}
	return err
}
