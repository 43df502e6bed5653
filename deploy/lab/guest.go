package lab

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"

	"quorate/deploy/lab/vm"
)

// A frame is what passes between the two ends of a command in a machine. The
// first is the order; the last, from within, is the end.
type frame struct {
	Order  *guestOrder
	Stream int    // that Data is of: 0, 1, 2
	Data   []byte // none: the stream ends
	Signal unix.Signal
	Size   *unix.Winsize // of the caller's terminal
	End    *guestEnd
}

// A guestOrder is a command to run in a machine.
type guestOrder struct {
	Args, Env []string
	Dir       string
	Terminal  bool // it gets one of its own
}

// A guestEnd is how a command ended.
type guestEnd struct {
	Code  int
	Error string // why it did not run
}

// greeting is what a machine says when it takes orders.
const greeting = "ready\n"

// runGuest takes orders in a machine, over the one line to its outside.
func runGuest() error {
	line, err := os.OpenFile(vm.Port, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(line, greeting); err != nil {
		return err
	}
	session, err := yamux.Server(line, lineConfig())
	if err != nil {
		return err
	}
	var callers sync.WaitGroup
	defer callers.Wait()
	for {
		conn, err := session.Accept()
		if err != nil {
			return err
		}
		callers.Go(func() {
			defer func() { _ = conn.Close() }()
			newCaller(conn).serve()
		})
	}
}

// lineConfig suits a line that loses nothing and may stand still.
func lineConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.EnableKeepAlive, c.LogOutput = false, io.Discard
	c.ConnectionWriteTimeout, c.StreamOpenTimeout = orderTime*6, 0
	return c
}

// A caller is one end of a command in a machine: in it, or outside.
type caller struct {
	conn net.Conn
	in   *gob.Decoder

	mu  sync.Mutex // held over a sending
	out *gob.Encoder
}

func newCaller(conn net.Conn) *caller {
	return &caller{conn: conn, in: gob.NewDecoder(conn), out: gob.NewEncoder(conn)}
}

func (c *caller) send(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Encode(f)
}

func (c *caller) receive() (f frame, err error) {
	err = c.in.Decode(&f)
	return f, err
}

// stream is where to write what the other end is to get as a stream.
func (c *caller) stream(n int) io.Writer { return frameWriter{c, n} }

type frameWriter struct {
	to     *caller
	stream int
}

func (w frameWriter) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return len(b), w.to.send(frame{Stream: w.stream, Data: b})
}

// serve runs one command.
func (c *caller) serve() {
	f, err := c.receive()
	if err != nil || f.Order == nil {
		return // only looked whether we are there
	}
	end := guestEnd{}
	if end.Code, err = c.run(*f.Order); err != nil {
		end.Error = err.Error()
	}
	_ = c.send(frame{End: &end}) // a caller that left needs no answer
}

func (c *caller) run(o guestOrder) (int, error) {
	program, err := lookup(o.Args[0], o.Env)
	if err != nil {
		return 0, err
	}
	cmd := &exec.Cmd{Path: program, Args: o.Args, Env: o.Env, Dir: o.Dir, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if info, err := os.Stat(o.Dir); err != nil || !info.IsDir() {
		cmd.Dir = "/"
	}
	if o.Terminal {
		return c.runOnTerminal(cmd)
	}
	cmd.Stdout, cmd.Stderr = c.stream(1), c.stream(2)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	return c.attend(cmd, in, func(*unix.Winsize) {})
}

func (c *caller) runOnTerminal(cmd *exec.Cmd) (int, error) {
	t, err := openTerminal()
	if err != nil {
		return 0, err
	}
	defer t.close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.inner, t.inner, t.inner
	cmd.SysProcAttr.Setctty = true
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var showing sync.WaitGroup
	showing.Go(func() { pump(ctx, t.outer, c.stream(1)) })
	code, err := c.attend(cmd, t.outer, func(size *unix.Winsize) {
		_ = unix.IoctlSetWinsize(int(t.outer.Fd()), unix.TIOCSWINSZ, size)
	})
	cancel()
	showing.Wait()
	return code, err
}

// attend passes on what the caller sends until the command ends. It is killed
// when the caller goes away.
func (c *caller) attend(cmd *exec.Cmd, in io.WriteCloser, resize func(*unix.Winsize)) (int, error) {
	var listening sync.WaitGroup
	defer listening.Wait()
	ended := make(chan struct{})
	listening.Go(func() {
		for {
			f, err := c.receive()
			select {
			case <-ended:
				return
			default:
			}
			switch {
			case err != nil:
				_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
				return
			case f.Signal != 0:
				_ = unix.Kill(-cmd.Process.Pid, f.Signal)
			case f.Size != nil:
				resize(f.Size)
			case len(f.Data) == 0:
				_ = in.Close()
			default:
				_, _ = in.Write(f.Data) // it may have closed its input
			}
		}
	})
	err := cmd.Wait()
	close(ended)
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // ends the listening
	exit := (*exec.ExitError)(nil)
	if errors.As(err, &exit) {
		status, _ := exit.Sys().(syscall.WaitStatus)
		return exitCode(unix.WaitStatus(status)), nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return 0, nil
}
