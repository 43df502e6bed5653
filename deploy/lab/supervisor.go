package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// A supervisor owns a lab from within: its network and its hosts.
type supervisor struct {
	dir     directory
	spec    Spec
	log     *slog.Logger
	kernels *kernels
	ports   *portTable
	hosts   map[string]*host
	down    context.CancelCauseFunc
}

// errDown is why a supervisor ends when it is asked to.
var errDown = errors.New("asked to go down")

// supervise is the first process in a lab's namespaces. When it ends the kernel
// ends all others.
func supervise(dir directory, unmapped bool) error {
	if unmapped {
		return awaitMapping()
	}
	unix.CloseOnExec(fdReady)
	unix.CloseOnExec(fdLifeline)
	if err := unix.SetNonblock(fdLifeline, true); err != nil { // so that Close ends a Read
		return err
	}
	ready, lifeline := os.NewFile(fdReady, "ready"), os.NewFile(fdLifeline, "lifeline")
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	s := &supervisor{
		dir: dir, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		ports: &portTable{byIndex: map[int]port{}}, hosts: map[string]*host{},
	}
	listener, err := s.build()
	if err != nil {
		_, _ = io.WriteString(ready, explain(err, os.DirFS("/proc/sys")).Error())
		return err
	}
	if _, err := io.WriteString(ready, up); err != nil {
		return err // nobody waits any more
	}
	_ = ready.Close()
	return s.run(ctx, listener, lifeline)
}

// build makes the network and powers all hosts on.
func (s *supervisor) build() (*net.UnixListener, error) {
	var err error
	if s.spec, err = s.dir.read(); err != nil {
		return nil, err
	}
	if err := mountLab(s.log, s.dir); err != nil {
		return nil, err
	}
	if err := mountDisks(s.dir, s.spec); err != nil {
		return nil, err
	}
	if s.kernels, err = newKernels(newPresence()); err != nil {
		return nil, err
	}
	bridges, err := newBridges(s.spec.networks())
	if err != nil {
		return nil, err
	}
	lost := &drops{ports: s.port}
	var g errgroup.Group
	for _, h := range s.spec.Hosts {
		machine := &host{
			Host: h, dir: s.dir, log: s.log, bridges: bridges, drops: lost,
			kernels: s.kernels, ports: s.ports,
		}
		s.hosts[h.Name] = machine
		g.Go(machine.powerOn)
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return s.dir.listen()
}

// run serves callers until it is asked to go down or the keeper is gone.
func (s *supervisor) run(ctx context.Context, listener *net.UnixListener, lifeline *os.File) error {
	ctx, s.down = context.WithCancelCause(ctx)
	defer s.down(nil)
	defer context.AfterFunc(ctx, func() { _ = errors.Join(listener.Close(), lifeline.Close()) })()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, _ = lifeline.Read(make([]byte, 1)) // nothing is ever written
		s.down(errors.New("the keeper is gone"))
		return nil
	})
	g.Go(func() error { return s.kernels.Run(ctx) })
	g.Go(func() error { return s.accept(ctx, listener) })
	err := g.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, errDown) {
		return nil
	}
	return errors.Join(err, context.Cause(ctx))
}

func (s *supervisor) accept(ctx context.Context, listener *net.UnixListener) error {
	var callers sync.WaitGroup
	defer callers.Wait()
	for {
		conn, err := listener.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		callers.Go(func() {
			defer func() { _ = conn.Close() }()
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			s.serve(ctx, conn)
		})
	}
}

// serve answers one request; a connection carries no more.
func (s *supervisor) serve(ctx context.Context, conn *net.UnixConn) {
	var r request
	files, err := receive(conn, &r)
	defer func() { closeAll(files) }()
	if errors.Is(err, io.EOF) {
		return // only looked whether we are there
	}
	var answer response
	if err == nil {
		switch r.Verb {
		case verbExec, verbDial:
			if err = s.pass(conn, r, files); err == nil {
				return // the host answers
			}
		default:
			answer, err = s.answer(ctx, conn, r)
		}
	}
	if err != nil {
		s.log.Warn("request not done", "verb", r.Verb, "node", cmp.Or(r.Host, r.Trouble.Host), "err", err)
		answer.Error = err.Error()
	}
	if err := send(conn, answer); err != nil {
		s.log.Info("caller did not wait", "verb", r.Verb, "err", err)
	}
}

func (s *supervisor) answer(ctx context.Context, conn *net.UnixConn, r request) (response, error) {
	switch r.Verb {
	case verbStatus:
		return s.status(), nil
	case verbFault:
		return s.fault(r.Trouble)
	case verbMeter:
		report, err := s.meter(ctx, conn, r.Address)
		return response{Meter: report}, err
	case verbDown:
		s.down(errDown)
		return response{}, nil
	}
	return response{}, fmt.Errorf("verb %q: unknown", r.Verb)
}

func (s *supervisor) host(name string) (*host, error) {
	h, ok := s.hosts[name]
	if !ok {
		return nil, fmt.Errorf("host %q: not in lab %s", name, s.spec.Name)
	}
	return h, nil
}

func (s *supervisor) pass(conn *net.UnixConn, r request, files []*os.File) error {
	h, err := s.host(r.Host)
	if err != nil {
		return err
	}
	return h.pass(conn, r, files)
}

func (s *supervisor) fault(t Trouble) (response, error) {
	h, err := s.host(t.Host)
	if err == nil && t.Peer != "" {
		_, err = s.host(t.Peer)
	}
	if err != nil {
		return response{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	done, err := h.apply(t)
	return response{Steps: done}, err
}

// port is the name of the bridge's end of a host's cable to a network.
func (s *supervisor) port(host string, network int) string {
	h, _ := s.spec.Host(host)
	return h.port(network)
}

func (s *supervisor) status() response {
	var answer response
	for _, h := range s.spec.Hosts {
		answer.Hosts = append(answer.Hosts, s.hosts[h.Name].status())
	}
	return answer
}
