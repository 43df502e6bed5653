package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Interactive runs a command on a host with the caller's own input, output and
// signals. On a terminal the command gets one of its own, so that a shell there
// has its job control.
func (l *Lab) Interactive(ctx context.Context, host string, args []string) error {
	ctx = context.WithoutCancel(ctx) // an interrupt is the command's
	signals := make(chan os.Signal, 8)
	c := Command{Args: args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals}
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
		signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
		defer signal.Stop(signals)
		return l.Exec(ctx, host, c)
	}
	t, err := openTerminal()
	if err != nil {
		return err
	}
	defer t.close()
	c.Stdin, c.Stdout, c.Stderr, c.Terminal = t.inner, t.inner, t.inner, true
	before, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer func() { _ = term.Restore(int(os.Stdin.Fd()), before) }()
	stop := t.join()
	err = l.Exec(ctx, host, c)
	return errors.Join(err, stop())
}

// A terminal is a pair of pseudo-terminals: a command uses the inner one, and
// the outer one is joined to the caller's.
type terminal struct{ outer, inner *os.File }

func openTerminal() (*terminal, error) {
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	fd := int(outer.Fd())
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	number, err2 := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err = errors.Join(err, err2); err != nil {
		return nil, errors.Join(fmt.Errorf("terminal: %w", err), outer.Close())
	}
	inner, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("terminal: %w", err), outer.Close())
	}
	return &terminal{outer, inner}, nil
}

func (t *terminal) close() { closeAll([]*os.File{t.outer, t.inner}) }

// join copies between the caller's terminal and this one until stop is called.
func (t *terminal) join() (stop func() error) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	t.resize()
	ctx, cancel := context.WithCancel(context.Background())
	var joining sync.WaitGroup
	joining.Go(func() { pump(ctx, os.Stdin, t.outer) })
	joining.Go(func() { pump(ctx, t.outer, os.Stdout) })
	joining.Go(func() {
		for {
			select {
			case <-resized:
				t.resize()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() error {
		signal.Stop(resized)
		err := t.inner.Close()
		cancel()
		joining.Wait()
		return err
	}
}

func (t *terminal) resize() {
	if size, err := unix.IoctlGetWinsize(int(os.Stdin.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(t.outer.Fd()), unix.TIOCSWINSZ, size)
	}
}

// pump copies what there is until ctx ends and nothing is left, or one end is gone.
func pump(ctx context.Context, from *os.File, to io.Writer) {
	buffer := make([]byte, 4096)
	for {
		ended := ctx.Err() != nil
		fds := []unix.PollFd{{Fd: int32(from.Fd()), Events: unix.POLLIN}}
		wait := 20
		if ended {
			wait = 0
		}
		n, err := unix.Poll(fds, wait)
		if n > 0 {
			if n, err = from.Read(buffer); err != nil || n == 0 {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
			continue
		}
		if ended || err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
