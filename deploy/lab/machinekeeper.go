package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// keepMachine runs an emulated machine, passes callers on to it, and removes its
// files when it has ended. It ends the machine when it is asked to end itself.
func keepMachine(d machineDir, command []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	ready := os.NewFile(fdReady, "ready")
	unix.CloseOnExec(fdReady)
	runtime.LockOSThread() // the machine dies with the thread that starts it
	machine := exec.Command(command[0], command[1:]...)
	machine.Stdout, machine.Stderr = os.Stdout, os.Stderr
	machine.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := machine.Start(); err != nil {
		_, _ = io.WriteString(ready, err.Error())
		return errors.Join(err, d.remove())
	}
	defer context.AfterFunc(ctx, func() { _ = machine.Process.Kill() })()
	ctx, cancel := context.WithCancel(ctx)
	var passing sync.WaitGroup
	passing.Go(func() {
		if err := d.pass(ctx, ready); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, err)
		}
		stop()
	})
	err := machine.Wait()
	if ctx.Err() != nil {
		err = nil // it was killed
	}
	cancel()
	passing.Wait()
	return errors.Join(err, d.remove())
}

// bootTime is what a machine may take to boot, where there is much else to do.
const bootTime = 3 * time.Minute

// pass waits for the machine, tells that it is ready and passes callers on until
// ctx ends.
func (d machineDir) pass(ctx context.Context, ready *os.File) error {
	defer ready.Close()
	session, err := d.join(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.file("callers"), Net: "unix"})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = errors.Join(listener.Close(), session.Close()) })()
	if _, err := io.WriteString(ready, up); err != nil {
		return err // nobody waits any more
	}
	_ = ready.Close()
	var callers sync.WaitGroup
	defer callers.Wait()
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return err
		}
		stream, err := session.Open()
		if err != nil {
			return errors.Join(err, conn.Close())
		}
		callers.Go(func() { splice(conn, stream) })
	}
}

// join waits until the machine greets, and shares the one line to it.
func (d machineDir) join(ctx context.Context) (*yamux.Session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, bootTime, fmt.Errorf("it did not boot in %v", bootTime))
	defer cancel()
	for {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", d.file("line"))
		if err == nil {
			return greet(ctx, conn)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(dialPause):
		}
	}
}

// dialPause is how often a socket is looked for that is yet to be made.
const dialPause = 20 * time.Millisecond

func greet(ctx context.Context, conn net.Conn) (*yamux.Session, error) {
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	heard, err := bufio.NewReaderSize(conn, len(greeting)).ReadString('\n') // what follows waits for us
	if err == nil && heard != greeting {
		err = fmt.Errorf("it said %q", heard)
	}
	if err != nil {
		return nil, errors.Join(context.Cause(ctx), err, conn.Close())
	}
	return yamux.Client(conn, lineConfig())
}

// splice copies between two connections until both directions have ended.
func splice(a, b net.Conn) {
	var g errgroup.Group
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		g.Go(func() error {
			_, err := io.Copy(way[1], way[0])
			return errors.Join(err, way[0].Close(), way[1].Close())
		})
	}
	_ = g.Wait() // a caller that left is no error
}
