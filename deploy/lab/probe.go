package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"
)

// A Prober asks for an address, and perhaps a page, from the lab's client.
type Prober struct {
	input   *os.File // its end is the prober's
	running sync.WaitGroup

	mu    sync.Mutex
	tally []Tally
	err   error
}

// Probe starts to probe an address by ICMP and, unless page is empty, a page by HTTP,
// each every ProbeEvery, until Stop or the end of ctx. It returns once both were
// answered. seen, if not nil, is called for every noticeable gap soon after its end.
func (l *Lab) Probe(ctx context.Context, address netip.Addr, page string, seen func(Gap)) (*Prober, error) {
	order, err := json.Marshal(probeOrder{Address: address, URL: page})
	if err != nil {
		return nil, err
	}
	in, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	output, out, err := os.Pipe()
	if err != nil {
		closeAll([]*os.File{in, input})
		return nil, err
	}
	p := &Prober{input: input}
	ready, ended := make(chan struct{}), make(chan struct{})
	p.running.Go(func() {
		defer close(ended)
		p.read(output, ready, seen)
		_ = output.Close()
	})
	p.running.Go(func() {
		err := l.Exec(ctx, ClientName, Command{
			Args: []string{"quorate", "lab", "prober", string(order)}, Stdin: in, Stdout: out, Stderr: os.Stderr,
		})
		closeAll([]*os.File{in, out})
		p.fail(err)
	})
	select {
	case <-ready:
		return p, nil
	case <-ended:
	case <-time.After(patienceTime):
	case <-ctx.Done():
	}
	_, err = p.Stop()
	return nil, errors.Join(fmt.Errorf("no answer from %s", address), ctx.Err(), err)
}

func (p *Prober) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, err)
}

// read takes what the prober says until its output ends, and closes ready when
// it is. What it says last, of a long run, is long.
func (p *Prober) read(output io.Reader, ready chan<- struct{}, seen func(Gap)) {
	for lines := json.NewDecoder(output); ; {
		var l probeLine
		err := lines.Decode(&l)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			p.fail(fmt.Errorf("prober: %w", err))
			return
		}
		if l.Ready {
			close(ready)
		}
		if l.Gap != nil && seen != nil {
			seen(*l.Gap)
		}
		if l.Tally != nil {
			p.mu.Lock()
			p.tally = l.Tally
			p.mu.Unlock()
		}
	}
}

// Stop ends the probing and returns what became of all probes, by kind.
func (p *Prober) Stop() ([]Tally, error) {
	_ = p.input.Close()
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && p.tally == nil {
		return nil, errors.New("prober ended without a result")
	}
	return p.tally, p.err
}
