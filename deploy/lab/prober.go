package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// probeOrder is what the prober in the client's namespace is told to do.
type probeOrder struct {
	Address netip.Addr
	URL     string // empty: ICMP only
}

// probeLine is one line of its output.
type probeLine struct {
	Ready bool    `json:"ready,omitempty"` // all kinds of probe were answered once
	Gap   *Gap    `json:"gap,omitempty"`
	Tally []Tally `json:"tally,omitempty"` // the last line
}

// runProber probes until its standard input ends.
func runProber(args []string) error {
	var order probeOrder
	if err := json.Unmarshal([]byte(args[0]), &order); err != nil {
		return fmt.Errorf("prober: %w", err)
	}
	debug.SetGCPercent(400) // little garbage, and nothing here may wait for its collection
	g, ctx := errgroup.WithContext(context.Background())
	ctx, stop := context.WithCancel(ctx)
	g.Go(func() error {
		defer stop()
		if err := waitReadable(ctx, os.Stdin); ctx.Err() == nil {
			return err // nothing is ever written: it has ended
		}
		return nil
	})
	g.Go(func() error {
		defer stop()
		return probeAll(ctx, order, json.NewEncoder(os.Stdout))
	})
	return g.Wait()
}

// probeAll probes in every way that was ordered until ctx ends, and writes
// what it sees.
func probeAll(ctx context.Context, order probeOrder, out *json.Encoder) error {
	var mu sync.Mutex // guards out
	write := func(l probeLine) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(l) // nobody reads any more: then nobody needs it
	}
	report := func(g Gap) { write(probeLine{Gap: &g}) }
	echo, err := newEchoer(order.Address, newTrack("icmp", report))
	if err != nil {
		return err
	}
	tracks := []*track{echo.track}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return echo.run(ctx) })
	if order.URL != "" {
		get, err := newGetter(order.URL, newTrack("http", report))
		if err != nil {
			return err
		}
		tracks = append(tracks, get.track)
		g.Go(func() error { return get.run(ctx) })
	}
	g.Go(func() error { judge(ctx, tracks, func() { write(probeLine{Ready: true}) }); return nil })
	err = g.Wait()
	var tallies []Tally
	for _, t := range tracks {
		tallies = append(tallies, t.end())
	}
	write(probeLine{Tally: tallies})
	return err
}

// judge settles the tracks as time goes by, and calls ready when all have
// had an answer.
func judge(ctx context.Context, tracks []*track, ready func()) {
	said := false
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		answering := true
		for _, t := range tracks {
			t.settle(now(), false)
			answering = answering && t.answering()
		}
		if answering && !said {
			said = true
			ready()
		}
	}
}

// A getter asks for a page, on a new connection each time.
type getter struct {
	track   *track
	address string
	request []byte
	asking  sync.WaitGroup
}

func newGetter(page string, t *track) (*getter, error) {
	u, err := url.Parse(page)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("url %q: use http://ADDRESS/PATH", page)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", u.RequestURI(), u.Host)
	return &getter{track: t, address: net.JoinHostPort(u.Hostname(), port), request: []byte(request)}, nil
}

func (g *getter) run(ctx context.Context) error {
	defer g.asking.Wait()
	return pace(ctx, func() {
		number, at := g.track.send()
		g.asking.Go(func() {
			status, err := g.get(at)
			switch {
			case err == nil:
				g.track.answer(number, now(), status == http.StatusOK, strconv.Itoa(status))
			case errors.Is(err, unix.ECONNREFUSED):
				g.track.answer(number, now(), false, "refused")
			case errors.Is(err, unix.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF):
				g.track.answer(number, now(), false, "broken off")
			}
		})
	})
}

// withRequest has a connection's first acknowledgement leave with the request (TCP_QUICKACK,
// tcp(7)). Else two processors may take the two at the same moment: while a kernel before
// Linux 6.19 puts the new connection in the place of the request for it, whoever looks finds
// neither, and resets ("inet: Avoid ehash lookup race in inet_ehash_insert()").
func withRequest(_, _ string, c syscall.RawConn) error {
	return set(c, unix.TCP_QUICKACK, 0)
}

// set sets an option of TCP.
func set(c syscall.RawConn, option, value int) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value) })
	return errors.Join(err, failed)
}

// getTime is how long a page is waited for: longer than until its probe is judged, as the
// programs that answer may stand still for as long, and not until a kernel asks for the
// connection once more.
const getTime = 900 * time.Millisecond

// get asks once, and waits longer than ProbeDeadline, to tell a late answer
// from none. A connection that is closed is reset, so that thousands of
// them do not use up the client's ports.
func (g *getter) get(sent time.Duration) (status int, err error) {
	left := getTime - (now() - sent)
	if left <= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	deadline := time.Now().Add(left)
	dialer := net.Dialer{Deadline: deadline, KeepAlive: -1, Control: withRequest}
	c, err := dialer.Dial("tcp", g.address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	if err := c.SetDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := c.Write(g.request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(c, 1024), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}
