package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "quorate/proto/quorate/v1"
)

// ask calls f with a client and a deadline.
func (a *app) ask(ctx context.Context, timeout time.Duration, f func(context.Context, *client) error) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.close()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return f(ctx, c)
}

// get reads what the agent knows.
func (a *app) get(ctx context.Context) (resp *pb.GetResponse, err error) {
	return a.getWith(ctx, &pb.GetRequest{})
}

// getWith reads what the agent knows, and what else the request asks for.
func (a *app) getWith(ctx context.Context, r *pb.GetRequest) (resp *pb.GetResponse, err error) {
	err = a.ask(ctx, readTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.StatusClient.Get(ctx, r)
		return err
	})
	return resp, err
}

func (a *app) printChange(resp *pb.ChangeResponse) error {
	return a.print(resp, func(w io.Writer) error {
		for _, text := range resp.GetWarnings() {
			a.warn("%s", text)
		}
		for _, text := range resp.GetNotes() {
			fmt.Fprintln(w, text)
		}
		return nil
	})
}

// progress is the stream of lines of a long work; a starter begins one.
type (
	progress = grpc.ServerStreamingClient[pb.Progress]
	starter  func(context.Context, *client) (progress, error)
)

// work prints the lines of a long work as they come, and waits for what it led
// to if --wait was given. It fails if a line says so.
func (a *app) work(ctx context.Context, start starter) error {
	return a.workWithin(ctx, lineTimeout, start)
}

// workWithin gives up when no line comes for so long.
func (a *app) workWithin(ctx context.Context, patience time.Duration, start starter) error {
	index, err := a.runWork(ctx, patience, start)
	if err != nil {
		return err
	}
	return a.waitFor(ctx, index)
}

// runWork starts a work and prints its lines to the end.
func (a *app) runWork(ctx context.Context, patience time.Duration, start starter) (index uint64, err error) {
	c, err := a.connect()
	if err != nil {
		return 0, err
	}
	defer c.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(patience, func() { cancel(errSilent) })
	defer silent.Stop()
	s, err := start(ctx, c)
	if err != nil {
		return 0, err
	}
	failed, index, err := a.lines(s, func() { silent.Reset(patience) })
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		return 0, errSilent
	case err != nil && failed:
		return 0, failedError{c.cause(a, err)}
	case err != nil:
		return 0, c.cause(a, err)
	case failed:
		return 0, errSaid
	}
	return index, nil
}

var errSilent = errors.New("the agent says nothing any more; what was asked may or may not be done")

// lines prints a stream of progress; got is called for each line.
func (a *app) lines(s progress, got func()) (failed bool, index uint64, err error) {
	for {
		p, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return failed, index, nil
		}
		if err != nil {
			return failed, index, err
		}
		got()
		failed = failed || p.GetFailed()
		index = max(index, p.GetIndex())
		if err := a.printProgress(p); err != nil {
			return failed, index, err
		}
	}
}

func (a *app) printProgress(p *pb.Progress) error {
	return a.printEach(p, func(w io.Writer) error {
		text := p.GetText()
		if p.GetNode() != "" {
			text = p.GetNode() + ": " + text
		}
		if p.GetFailed() {
			_, err := fmt.Fprintf(a.err, "%s: %s\n", a.name, text)
			return err
		}
		if text == "" {
			return nil
		}
		_, err := fmt.Fprintln(w, text)
		return err
	})
}

// notFound is the client's own NOT_FOUND, for what it looked up itself.
func notFound(format string, args ...any) error {
	return status.Errorf(codes.NotFound, format, args...)
}
