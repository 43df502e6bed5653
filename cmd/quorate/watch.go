package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	pb "quorate/proto/quorate/v1"
)

const (
	refresh   = time.Second // ages on the screen are told anew this often
	reconnect = time.Second
)

// watch draws every answer of the agent until ctx ends. On a terminal it also
// asks every second, so that ages go on and an agent that is frozen is noticed:
// then the last picture stays, under a line that says so.
func (a *app) watch(ctx context.Context, draw drawing, servers pb.ServerDetail) error {
	first, err := a.getWith(ctx, &pb.GetRequest{Servers: servers}) // tells at once when there is nothing to watch
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	answers, g := make(chan *pb.GetResponse), new(errgroup.Group)
	g.Go(func() error { return a.follow(ctx, answers) })
	s := &screen{app: a, draw: draw, servers: servers, live: a.output == "table" && isTerminal(a.out), resp: first, at: a.now()}
	err = s.run(ctx, answers)
	cancel()
	return errors.Join(err, g.Wait())
}

// follow sends every answer of Status.Watch, and connects again when it ends.
func (a *app) follow(ctx context.Context, answers chan<- *pb.GetResponse) error {
	for ctx.Err() == nil {
		_ = a.followOnce(ctx, func(r *pb.GetResponse) {
			select {
			case answers <- r:
			case <-ctx.Done():
			}
		}) // the screen's own questions tell why there is no answer
		select {
		case <-ctx.Done():
		case <-time.After(reconnect):
		}
	}
	return nil
}

// followOnce calls got for every answer until the stream ends.
func (a *app) followOnce(ctx context.Context, got func(*pb.GetResponse)) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.close()
	s, err := c.Watch(ctx, &pb.WatchRequest{})
	if err != nil {
		return err
	}
	for {
		resp, err := s.Recv()
		if err != nil {
			return c.cause(a, err)
		}
		got(resp)
	}
}

// A screen shows the newest answer.
type screen struct {
	*app
	draw    drawing
	servers pb.ServerDetail
	live    bool // drawn in place, on a terminal
	resp    *pb.GetResponse
	at      time.Time // of the newest answer
	failed  error     // of the newest question
}

func (s *screen) run(ctx context.Context, answers <-chan *pb.GetResponse) error {
	var tick <-chan time.Time
	if s.live {
		ticker := time.NewTicker(refresh)
		defer ticker.Stop()
		tick = ticker.C
		fmt.Fprint(s.out, "\x1b[2J")
		if err := s.show(); err != nil {
			return err
		}
	}
	for {
		select {
		case resp := <-answers:
			if s.live { // a watch does not tell of servers
				resp.Balances = s.resp.GetBalances()
			}
			s.resp, s.at, s.failed = resp, s.now(), nil
		case <-tick:
			s.question(ctx)
		case <-ctx.Done():
			return nil
		}
		if err := s.show(); err != nil {
			return err
		}
	}
}

// question asks for what Watch does not tell: ages, and whether the agent lives.
func (s *screen) question(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refresh)
	defer cancel()
	resp, err := s.getWith(ctx, &pb.GetRequest{Servers: s.servers})
	if s.failed = err; err == nil {
		s.resp, s.at = resp, s.now()
	}
}

func (s *screen) show() error {
	if !s.live {
		return s.printEach(s.resp, func(w io.Writer) error {
			defer fmt.Fprintln(w)
			return s.draw(w, s.resp, s.now(), s.options())
		})
	}
	var b bytes.Buffer
	if s.failed != nil {
		fmt.Fprintf(&b, "No answer from the agent for %s: %s\n", s.now().Sub(s.at).Round(time.Second), s.explain(s.failed))
	}
	if err := s.draw(&b, s.resp, s.at, s.options()); err != nil {
		return err
	}
	text := strings.ReplaceAll(b.String(), "\n", "\x1b[K\n") // to the end of the line
	_, err := fmt.Fprint(s.out, "\x1b[H", text, "\x1b[J")
	return err
}
