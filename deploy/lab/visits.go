package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// visitOrder is what the visitor in a client's namespace is told: `visitor ORDER`.
type visitOrder struct {
	URL   string
	Every time.Duration
}

// A Visit is one request, on a connection of its own.
type Visit struct {
	From, To time.Duration // on the machine's monotonic clock
	Server   string        // who answered, by the answer's last word
	Problem  string        // why nobody did; empty: somebody did
}

// visitTime is what one visit may take. Where a host has fallen silent, the kernel
// tries again after one and three seconds.
const visitTime = 20 * time.Second

// runVisitor makes visits until its standard input ends, and writes each as a line.
func runVisitor(args []string) error {
	var order visitOrder
	if err := json.Unmarshal([]byte(args[0]), &order); err != nil {
		return fmt.Errorf("visitor: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stop()
		_ = waitReadable(ctx, os.Stdin) // nothing is ever written: it has ended
		return nil
	})
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	var visits sync.WaitGroup
	defer visits.Wait()
	tick := time.NewTicker(slow(order.Every))
	defer tick.Stop()
	for {
		visits.Go(func() {
			v := visit(order.URL)
			mu.Lock()
			defer mu.Unlock()
			_ = out.Encode(v)
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return g.Wait()
		}
	}
}

// visit asks once. A connection that is closed is reset, so that thousands of them
// do not use up the client's ports.
func visit(url string) Visit {
	v := Visit{From: now()}
	dialer := net.Dialer{Timeout: visitTime, KeepAlive: -1, Control: withRequest}
	client := http.Client{Timeout: visitTime, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}}
	answer, err := client.Get(url)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if words := strings.Fields(string(body)); len(words) > 0 {
			v.Server = words[len(words)-1]
		}
		if err == nil && answer.StatusCode != http.StatusOK {
			err = errors.New(answer.Status)
		}
	}
	if v.To = now(); err != nil {
		v.Problem = err.Error()
	}
	return v
}

// Visits are those of a client, so far.
type Visits struct {
	input   *os.File // its end is the visitor's
	running sync.WaitGroup

	mu   sync.Mutex
	list []Visit
	err  error
}

// Visit has the client ask for a page at a pace until Stop.
func (l *Lab) Visit(ctx context.Context, url string, every time.Duration) (*Visits, error) {
	order, err := json.Marshal(visitOrder{url, every})
	if err != nil {
		return nil, err
	}
	v := &Visits{}
	v.input, err = l.stream(ctx, &v.running, v.fail, []string{"quorate", "lab", "visitor", string(order)}, func(d *json.Decoder) error {
		var one Visit
		if err := d.Decode(&one); err != nil {
			return err
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.list = append(v.list, one)
		return nil
	})
	return v, err
}

func (v *Visits) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = errors.Join(v.err, err)
}

// Since returns the visits that began at a time or later and have ended.
func (v *Visits) Since(from time.Duration) []Visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []Visit
	for _, one := range v.list {
		if one.From >= from {
			list = append(list, one)
		}
	}
	return list
}

// Stop ends the visits, when those under way have ended.
func (v *Visits) Stop() ([]Visit, error) {
	_ = v.input.Close()
	v.running.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.list, v.err
}

// stream runs a program on the client, whose lines are read until its output ends.
// It ends when its input does, which is returned.
func (l *Lab) stream(ctx context.Context, running *sync.WaitGroup, fail func(error), args []string, read func(*json.Decoder) error) (*os.File, error) {
	in, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	output, out, err := os.Pipe()
	if err != nil {
		closeAll([]*os.File{in, input})
		return nil, err
	}
	running.Go(func() {
		defer output.Close()
		for lines := json.NewDecoder(output); ; {
			if err := read(lines); err != nil {
				if !errors.Is(err, io.EOF) {
					fail(err)
				}
				return
			}
		}
	})
	running.Go(func() {
		fail(l.Exec(ctx, ClientName, Command{Args: args, Stdin: in, Stdout: out, Stderr: os.Stderr}))
		closeAll([]*os.File{in, out})
	})
	return input, nil
}
