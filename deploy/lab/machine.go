package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"quorate/deploy/lab/vm"
)

// A Machine is an emulated one that has a lab in it, seen from outside. Commands
// of the lab are run in it by the same program, over the one line that it has.
type Machine struct {
	dir machineDir
}

// inMachine tells a program in a machine that it is there.
const inMachine = "QUORATE_LAB_MACHINE"

// InMachine reports whether this is a lab's machine.
func InMachine() bool { return os.Getenv(inMachine) != "" }

// slow is how long something may take that takes d at most on a machine of its own:
// where all is emulated, ten times as long.
func slow(d time.Duration) time.Duration {
	if InMachine() {
		return 10 * d
	}
	return d
}

// machineDir is where a machine keeps its files, outside of it.
type machineDir string

func machineOf(name string) machineDir { return machineDir(filepath.Join(root()+".vm", name)) }

func (d machineDir) file(name string) string { return filepath.Join(string(d), name) }

func (d machineDir) remove() error {
	err := os.RemoveAll(string(d))
	_ = os.Remove(filepath.Dir(string(d))) // if there is no other
	return err
}

// FindMachine returns the machine of the lab of that name, if it has one.
func FindMachine(name string) (*Machine, bool) {
	m := &Machine{machineOf(name)}
	if InMachine() || !hostName.MatchString(name) {
		return nil, false
	}
	conn, err := m.dial()
	if err != nil {
		return nil, false
	}
	_ = conn.Close()
	return m, true
}

func (m *Machine) dial() (*net.UnixConn, error) {
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: m.dir.file("callers"), Net: "unix"})
}

// UpMachine boots a machine for a lab, on the kernel of one of the folders or this
// machine's own, and returns when it takes commands. It goes on until Down.
func UpMachine(ctx context.Context, name string, kernels ...string) (*Machine, error) {
	if !hostName.MatchString(name) {
		return nil, fmt.Errorf("name %q: use small letters, digits and hyphens", name)
	}
	if _, ok := FindMachine(name); ok {
		return nil, fmt.Errorf("lab %s is up already; end it with `quorate lab down --name %s`", name, name)
	}
	d := machineOf(name)
	if err := errors.Join(d.remove(), os.MkdirAll(string(d), 0o700), owned(filepath.Dir(string(d)))); err != nil {
		return nil, fmt.Errorf("machine's directory: %w", err)
	}
	image, err := vm.BuildMirror(ctx, vm.Kernel(kernels...), string(d))
	if err == nil {
		err = d.boot(ctx, image)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lab %s: %w", name, err), d.remove())
	}
	return &Machine{d}, nil
}

// boot starts the machine's keeper and waits for the word that all is up.
func (d machineDir) boot(ctx context.Context, image vm.Image) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	args, err := image.Mirror(vm.Command{
		Args: []string{program, "lab", "guest"}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, Dir: "/",
	}, string(d))
	if err != nil {
		return err
	}
	ready, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	log, err := os.OpenFile(d.file("keeper.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, write.Close())
	}
	cmd := inside("machine", append([]string{string(d)}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir = "/"
	err = cmd.Start()
	closeAll([]*os.File{write, log})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(unix.SIGTERM) })()
	word, err := io.ReadAll(ready)
	if err == nil && string(word) == up && ctx.Err() == nil {
		return cmd.Process.Release()
	}
	said, _ := os.ReadFile(d.file("keeper.log"))
	_ = cmd.Process.Signal(unix.SIGTERM)
	_ = cmd.Wait() // its end was asked for; word says why
	return errors.Join(ctx.Err(), err, upError(strings.TrimSpace(string(word)+" "+string(said))))
}

// Down ends the machine, and the lab with it. Nothing of them is left then.
func (m *Machine) Down(ctx context.Context) error {
	conn, err := m.dial()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	keeper, err := watchPeer(conn)
	if err != nil {
		return err
	}
	defer keeper.Close()
	if err := unix.PidfdSendSignal(int(keeper.Fd()), unix.SIGTERM, nil, 0); err != nil {
		return fmt.Errorf("end the machine: %w", err)
	}
	if err := waitReadable(ctx, keeper); err != nil {
		return fmt.Errorf("the machine does not end: %w", err)
	}
	return m.dir.remove() // the keeper does the same
}

// Quorate runs this program in the machine, with the caller's own input, output
// and signals. Its end is an [*ExitError] if its exit status is not 0.
func (m *Machine) Quorate(ctx context.Context, args []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, _ := os.Getwd() // none: the machine takes another
	env := append(os.Environ(), inMachine+"=1", "XDG_STATE_HOME=/tmp/quorate-machine")
	order := guestOrder{Args: append([]string{program}, args...), Env: env, Dir: dir}
	order.Terminal = term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	conn, err := m.dial()
	if err != nil {
		return fmt.Errorf("the lab's machine: %w", err)
	}
	defer func() { _ = conn.Close() }()
	end, err := newCaller(conn).order(context.WithoutCancel(ctx), order) // an interrupt is the command's
	switch {
	case err != nil:
		return fmt.Errorf("the lab's machine has ended: %w", err)
	case end.Error != "":
		return errors.New(end.Error)
	case end.Code != 0:
		return &ExitError{Command: strings.Join(order.Args, " "), Code: end.Code}
	}
	return nil
}

// order has a command run at the other end, joined to this process's files.
func (c *caller) order(ctx context.Context, o guestOrder) (guestEnd, error) {
	if err := c.send(frame{Order: &o}); err != nil {
		return guestEnd{}, err
	}
	notices := []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}
	if o.Terminal {
		before, err := term.MakeRaw(int(os.Stdin.Fd()))
		if err != nil {
			return guestEnd{}, fmt.Errorf("terminal: %w", err)
		}
		defer func() { _ = term.Restore(int(os.Stdin.Fd()), before) }()
		notices = []os.Signal{unix.SIGWINCH}
		c.resize()
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, notices...)
	defer signal.Stop(signals)
	var joined sync.WaitGroup
	defer joined.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	joined.Go(func() {
		pump(ctx, os.Stdin, c.stream(0))
		_ = c.send(frame{Stream: 0}) // its end
	})
	joined.Go(func() { c.notify(ctx, signals) })
	for {
		f, err := c.receive()
		switch {
		case err != nil:
			return guestEnd{}, err
		case f.End != nil:
			return *f.End, nil
		case f.Stream == 2:
			_, _ = os.Stderr.Write(f.Data)
		default:
			_, _ = os.Stdout.Write(f.Data)
		}
	}
}

// notify passes signals on until ctx ends.
func (c *caller) notify(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			if number, ok := s.(unix.Signal); ok && number == unix.SIGWINCH {
				c.resize()
			} else if ok {
				_ = c.send(frame{Signal: number})
			}
		}
	}
}

func (c *caller) resize() {
	if size, err := unix.IoctlGetWinsize(int(os.Stdin.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = c.send(frame{Size: size})
	}
}
