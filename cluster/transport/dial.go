package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	attemptTimeout = time.Second            // for one address: TCP and TLS
	stagger        = 150 * time.Millisecond // before the next address is tried as well
)

// Dial connects to a node, over whichever of its addresses answers first, and
// proves that it is the node. The connection is a *tls.Conn.
func (t *Transport) Dial(ctx context.Context, id, alpn string) (net.Conn, error) {
	c, err := t.dial(ctx, id, alpn)
	if err != nil {
		return nil, fmt.Errorf("dial node %s: %w", id, err)
	}
	return c, nil
}

func (t *Transport) dial(ctx context.Context, id, alpn string) (*tls.Conn, error) {
	addresses := t.preferred(id)
	if len(addresses) == 0 {
		return nil, errors.New("no address of it is known")
	}
	verify := t.verifyNode(id)
	c, err := race(ctx, addresses, func(ctx context.Context, address string) (*tls.Conn, error) {
		return t.attempt(ctx, address, alpn, verify)
	})
	if err == nil {
		t.peer(id).enlist(c)
	}
	return c, err
}

// preferred returns a node's addresses, those first that datagrams come from: on
// a link that is down, or has not been seen up, a stream would be waited for.
func (t *Transport) preferred(id string) []string {
	addresses := t.Addresses(id)
	if len(addresses) < 2 {
		return addresses
	}
	ways, now := t.ways(id), t.elapsed()
	rank := func(address string) int {
		switch l := to(ways, address); {
		case l == nil || l.heard.Load() == 0:
			return 2
		case !l.up(now):
			return 3
		case l.pings.loss() > lossy:
			return 1
		default:
			return 0
		}
	}
	return slices.SortedStableFunc(slices.Values(addresses), func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
}

// lossy is the share of lost pings from which on a link is dialed only after better ones.
const lossy = 0.05

// attempt is connect with the time that one address of several gets.
func (t *Transport) attempt(ctx context.Context, address, alpn string, verify func(tls.ConnectionState) error) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return t.connect(ctx, address, alpn, verify)
}

// DialHost connects to an address before its node is known: for auth, setup and
// join. verify decides whether the other end is accepted; see the identity
// package for the choices.
func (t *Transport) DialHost(ctx context.Context, address, alpn string, verify func(tls.ConnectionState) error) (net.Conn, error) {
	c, err := t.dialHost(ctx, address, alpn, verify)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (t *Transport) dialHost(ctx context.Context, address, alpn string, verify func(tls.ConnectionState) error) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	c, err := t.connect(ctx, address, alpn, verify)
	if err != nil {
		return nil, fmt.Errorf("dial %w", err)
	}
	return c, nil
}

// connect does TCP and TLS with one address. Its errors begin with the address.
func (t *Transport) connect(ctx context.Context, address, alpn string, verify func(tls.ConnectionState) error) (*tls.Conn, error) {
	raw, err := dialTCP(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, bare(err))
	}
	c := tls.Client(&stream{Conn: raw}, t.clientConfig(alpn, verify))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", address, explain(err, alpn))
	}
	return c, nil
}

// bare takes the address off an error of the net package.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

type result struct {
	conn *tls.Conn
	err  error
}

// race tries the addresses in order, the next one when the one before has failed
// or been slow, and returns the first connection that stands. It waits for all
// attempts to end and closes what came too late.
func race(ctx context.Context, addresses []string, connect func(context.Context, string) (*tls.Conn, error)) (*tls.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan result, len(addresses))
	var attempts sync.WaitGroup
	defer func() {
		cancel()
		attempts.Wait()
		close(results)
		for late := range results {
			if late.conn != nil {
				late.conn.Close()
			}
		}
	}()
	start := func(address string) {
		attempts.Go(func() {
			c, err := connect(ctx, address)
			results <- result{c, err}
		})
	}
	return collect(addresses, start, results)
}

func collect(addresses []string, start func(string), results <-chan result) (*tls.Conn, error) {
	next := time.NewTimer(0)
	defer next.Stop()
	var failures attemptErrors
	for started := 0; len(failures) < len(addresses); {
		select {
		case <-next.C:
			if started < len(addresses) {
				start(addresses[started])
				started++
				next.Reset(stagger)
			}
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			failures = append(failures, r.err)
			next.Reset(0)
		}
	}
	return nil, failures
}

// attemptErrors is why no address answered, on one line.
type attemptErrors []error

func (e attemptErrors) Unwrap() []error { return e }

func (e attemptErrors) Error() string {
	var words []string
	for _, err := range e {
		words = append(words, err.Error())
	}
	return strings.Join(words, "; ")
}
