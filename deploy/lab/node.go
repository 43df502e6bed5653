package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A bootOrder tells a host's init what it is.
type bootOrder struct {
	Directory string
	Host      Host
}

// An execOrder tells a host's init to run a command. Its standard input, output
// and error come with it.
type execOrder struct {
	Args     []string
	Env      []string
	Dir      string
	Terminal bool // standard input becomes its controlling terminal
}

// fdOrders is the socket on which a host's init gets its orders.
const fdOrders = 3

// A node is a host from within: its init, the first process of its namespaces.
type node struct {
	log       *slog.Logger
	processes *processes
	agent     *agent
	warden    *wardenService
	dir       directory
	host      Host
}

// runNode serves the supervisor's orders. It does not return before the
// supervisor is gone, and ends all processes of the host when it returns.
func runNode() error {
	unix.CloseOnExec(fdOrders)
	orders, err := packetConn(os.NewFile(fdOrders, "orders"))
	if err != nil {
		return err
	}
	n := &node{log: slog.New(slog.NewTextHandler(os.Stderr, nil)), processes: newProcesses()}
	n.agent, n.warden = &agent{processes: n.processes}, &wardenService{processes: n.processes}
	var work sync.WaitGroup
	work.Go(func() {
		if err := n.processes.Run(context.Background()); err != nil {
			n.log.Error("orphans are not collected", "err", err)
		}
	})
	for {
		var r request
		files, err := receive(orders, &r)
		if errors.Is(err, io.EOF) {
			return nil // the supervisor is gone, and we go now with all that runs here
		}
		if err != nil {
			return fmt.Errorf("orders: %w", err)
		}
		if len(files) == 0 {
			continue // nobody to answer
		}
		conn, err := packetConn(files[0])
		if err != nil {
			closeAll(files[1:])
			continue
		}
		work.Go(func() {
			defer func() { _ = conn.Close() }()
			defer closeAll(files[1:])
			n.serve(conn, r, files[1:])
		})
	}
}

func (n *node) serve(conn *net.UnixConn, r request, files []*os.File) {
	var answer response
	var err error
	switch r.Verb {
	case verbBoot:
		err = n.boot(r.Boot)
	case verbAgent:
		answer.Agent, err = n.agent.control(r.Agent)
	case verbWarden:
		err = n.warden.control(r.Warden)
	case verbExec:
		answer.Exit, err = n.exec(conn, r.Exec, files)
	case verbDial:
		n.dial(conn, r.Path)
		return
	default:
		err = fmt.Errorf("verb %q: unknown", r.Verb)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	_ = send(conn, answer) // a caller that left needs no answer
}

// boot makes this process's namespaces a host and starts its agent.
func (n *node) boot(b *bootOrder) error {
	n.dir, n.host = directory(b.Directory), b.Host
	if err := unix.Sethostname([]byte(b.Host.Name)); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if err := mountHost(n.log, n.dir, b.Host.Name); err != nil {
		return err
	}
	env := []string{"HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "PATH=" + n.path(os.Getenv("PATH"))}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "QUORATE_") {
			env = append(env, e)
		}
	}
	if needsWarden(b.Host.Command) {
		if err := n.warden.boot(env, n.dir.log(b.Host.Name)); err != nil {
			return err
		}
	}
	return n.agent.boot(b.Host.Command, env, n.dir.log(b.Host.Name))
}

// path puts this program, under its names, first on a PATH, and the
// directories last in which an ordinary user does not look for programs.
func (n *node) path(given string) string {
	dirs := []string{n.dir.bin()}
	for _, d := range append(filepath.SplitList(given), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin") {
		if !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return strings.Join(dirs, ":")
}

// exec runs a command until it ends, and kills it when the caller goes away.
func (n *node) exec(conn *net.UnixConn, x *execOrder, files []*os.File) (int, error) {
	if x == nil || len(x.Args) == 0 || len(files) != 3 {
		return 0, errors.New("exec: needs a command, and its input, output and error")
	}
	env := n.commandEnv(x.Env)
	program, err := lookup(x.Args[0], env)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
			return 0, err
		}
	}
	dir := x.Dir
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = "/"
	}
	pid, exited, err := n.processes.start(program, x.Args, &os.ProcAttr{
		Dir: dir, Env: env, Files: files,
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: x.Terminal},
	})
	if err != nil {
		return 0, err
	}
	closeAll(files) // so that a reader sees the end of output when the command ends
	return n.attend(conn, pid, exited), nil
}

// attend passes the caller's signals on to a command until it ends.
func (n *node) attend(conn *net.UnixConn, pid int, exited <-chan unix.WaitStatus) int {
	var listening sync.WaitGroup
	defer listening.Wait()
	ended := make(chan struct{})
	listening.Go(func() {
		for {
			var r request
			files, err := receive(conn, &r)
			closeAll(files)
			select {
			case <-ended:
				return
			default:
			}
			if err != nil {
				_ = unix.Kill(-pid, unix.SIGKILL)
				return
			}
			_ = unix.Kill(-pid, r.Signal) // it may have ended
		}
	})
	code := exitCode(<-exited)
	close(ended)
	_ = conn.SetReadDeadline(time.Unix(1, 0)) // ends the listening
	return code
}

func (n *node) commandEnv(given []string) []string {
	env := []string{"QUORATE_LAB_HOST=" + n.host.Name}
	path := ""
	for _, e := range given {
		if p, ok := strings.CutPrefix(e, "PATH="); ok {
			path = p
		} else {
			env = append(env, e)
		}
	}
	return append(env, "PATH="+n.path(path))
}

// dial connects to a unix socket of this host and answers with the connection.
func (n *node) dial(conn *net.UnixConn, path string) {
	c, err := net.Dial("unix", path)
	if err != nil {
		_ = send(conn, failure(err))
		return
	}
	defer c.Close()
	socket, ok := c.(*net.UnixConn)
	if !ok {
		_ = send(conn, failure(io.ErrUnexpectedEOF))
		return
	}
	f, err := socket.File()
	if err != nil {
		_ = send(conn, failure(err))
		return
	}
	defer f.Close()
	_ = send(conn, response{}, f)
}
