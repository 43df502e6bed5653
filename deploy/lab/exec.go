package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A Command runs on a host of a lab as if it were typed there.
type Command struct {
	Args                  []string
	Env                   []string // nil: the caller's
	Dir                   string   // empty: the caller's
	Stdin, Stdout, Stderr *os.File // nil: /dev/null
	Terminal              bool     // Stdin is a terminal that the command shall control
	Signals               <-chan os.Signal
}

// An ExitError says that a command ran and how it ended.
type ExitError struct {
	Command string
	Code    int    // as a shell reports it
	Stderr  string // of [Lab.Output]
}

func (e *ExitError) Error() string {
	if text := strings.TrimSpace(e.Stderr); text != "" {
		return fmt.Sprintf("%s: exit status %d: %s", e.Command, e.Code, text)
	}
	return fmt.Sprintf("%s: exit status %d", e.Command, e.Code)
}

// ExitCode is what a program that only ran the command should exit with.
func (e *ExitError) ExitCode() int { return e.Code }

// ErrNoPower says that a host lost its power while a command ran there.
var ErrNoPower = errors.New("the host lost its power")

// Exec runs a command on a host and waits for its end, which is an [*ExitError]
// if its exit status is not 0. When ctx ends first the command is killed.
func (l *Lab) Exec(ctx context.Context, host string, c Command) error {
	if err := l.knows(host); err != nil {
		return err
	}
	files, err := c.files()
	defer closeAll(files.ours)
	if err != nil {
		return err
	}
	conn, err := l.connect()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	order := &execOrder{Args: c.Args, Env: c.Env, Dir: c.Dir, Terminal: c.Terminal}
	if c.Env == nil {
		order.Env = os.Environ()
	}
	if c.Dir == "" {
		order.Dir, _ = os.Getwd()
	}
	if err := send(conn, request{Verb: verbExec, Host: host, Exec: order}, files.all...); err != nil {
		return fmt.Errorf("%s on %s: %w", c.Args[0], host, err)
	}
	code, err := c.await(conn)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
		return fmt.Errorf("%s on %s: %w", c.Args[0], host, ErrNoPower)
	case err != nil:
		return fmt.Errorf("%s: %w", host, err)
	case code != 0:
		return &ExitError{Command: strings.Join(c.Args, " "), Code: code}
	}
	return nil
}

// await passes signals on until the command has ended.
func (c Command) await(conn *net.UnixConn) (code int, err error) {
	var passing sync.WaitGroup
	defer passing.Wait()
	ended := make(chan struct{})
	defer close(ended)
	passing.Go(func() {
		for {
			select {
			case <-ended:
				return
			case s, ok := <-c.Signals:
				if number, isUnix := s.(unix.Signal); ok && isUnix {
					_ = send(conn, request{Verb: verbSignal, Signal: number})
				}
				if !ok {
					<-ended
					return
				}
			}
		}
	})
	var answer response
	files, err := receive(conn, &answer)
	closeAll(files)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	return answer.Exit, err
}

// commandFiles are what a command gets, and those of them to close after.
type commandFiles struct{ all, ours []*os.File }

func (c Command) files() (commandFiles, error) {
	f := commandFiles{all: []*os.File{c.Stdin, c.Stdout, c.Stderr}}
	for i := range f.all {
		if f.all[i] != nil {
			continue
		}
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return f, err
		}
		f.all[i], f.ours = null, append(f.ours, null)
	}
	return f, nil
}

// Output runs a command on a host and returns what it wrote to its standard
// output. What it wrote to its standard error is in the [*ExitError].
func (l *Lab) Output(ctx context.Context, host string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	err := l.ExecIO(ctx, host, args, nil, &stdout, &stderr)
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Stderr = stderr.String()
	}
	return stdout.String(), err
}

// ExecIO is Exec for a command whose input and output are no files.
func (l *Lab) ExecIO(ctx context.Context, host string, args []string, in io.Reader, stdout, stderr io.Writer) error {
	var copying sync.WaitGroup
	c := Command{Args: args}
	var files []*os.File
	if in != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		files, c.Stdin = append(files, r), r
		copying.Go(func() { _, _ = io.Copy(w, in); _ = w.Close() })
	}
	for _, out := range []struct {
		to   io.Writer
		file **os.File
	}{{stdout, &c.Stdout}, {stderr, &c.Stderr}} {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(files)
			copying.Wait()
			return err
		}
		files, *out.file = append(files, w), w
		copying.Go(func() { _, _ = io.Copy(out.to, r); _ = r.Close() })
	}
	err := l.Exec(ctx, host, c)
	closeAll(files)
	copying.Wait()
	return err
}

// Dial connects to a unix socket on a host, as root there.
func (l *Lab) Dial(ctx context.Context, host, path string) (net.Conn, error) {
	conn, err := l.connect()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := send(conn, request{Verb: verbDial, Host: host, Path: path}); err != nil {
		return nil, fmt.Errorf("dial %s on %s: %w", path, host, err)
	}
	var answer response
	files, err := receive(conn, &answer)
	if err == nil && (answer.Error != "" || len(files) != 1) {
		closeAll(files)
		err = errors.New(answer.Error)
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s on %s: %w", path, host, err)
	}
	defer closeAll(files)
	return net.FileConn(files[0])
}
