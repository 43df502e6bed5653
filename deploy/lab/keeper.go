package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The files that a keeper and a supervisor are started with.
const (
	fdReady    = 3 // the caller reads from it: "up", or why not
	fdLifeline = 4 // ends with the keeper
	fdMapped   = 5 // ends once the user ids are mapped
)

const up = "up"

// Up starts a lab and returns once all its hosts run. Unless it is tied to the
// calling process, the lab goes on when that ends, until Down.
func Up(ctx context.Context, s Spec) (*Lab, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	if _, err := Open(s.Name); err == nil {
		return nil, fmt.Errorf("lab %s is up already; end it with `quorate lab down --name %s`", s.Name, s.Name)
	}
	d, err := create(s)
	if err != nil {
		return nil, err
	}
	if err := startKeeper(ctx, d); err != nil {
		return nil, errors.Join(fmt.Errorf("lab %s: %w", s.Name, err), d.remove())
	}
	return &Lab{Spec: s, dir: d}, nil
}

// startKeeper starts the keeper and waits for the word that all is up.
func startKeeper(ctx context.Context, d directory) error {
	ready, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	log, err := os.OpenFile(d.log("supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, write.Close())
	}
	cmd := inside("keep", string(d))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // outlives the caller's terminal
	cmd.Dir = "/"
	err = cmd.Start()
	closeAll([]*os.File{write, log})
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	word, err := io.ReadAll(ready)
	if err == nil && string(word) == up && ctx.Err() == nil {
		return cmd.Process.Release()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // its death was asked for; word says why
	return errors.Join(ctx.Err(), err, upError(string(word)))
}

func upError(word string) error {
	if word == "" {
		word = "ended before it was up"
	}
	return errors.New(word)
}

// inside is this program as one of a lab's own processes; see [Inside].
func inside(verb string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{"quorate", "lab", verb}, args...)
	return cmd
}

// Inside is the main function of a lab's own processes: `quorate lab VERB ARGS`.
func Inside(verb string, args []string) error {
	if len(args) == 0 && verb != "node" && verb != "guest" {
		return fmt.Errorf("lab %s: started by the lab itself only", verb)
	}
	switch verb {
	case "keep":
		return keep(directory(args[0]))
	case "supervise":
		return supervise(directory(args[0]), len(args) > 1)
	case "node":
		return runNode()
	case "machine":
		return keepMachine(machineDir(args[0]), args[1:])
	case "guest":
		return runGuest()
	case "prober":
		return runProber(args)
	case "visitor":
		return runVisitor(args)
	case "downloader":
		return runDownloader(args)
	case "web":
		return runWeb(args)
	case "burn":
		return runBurn(args)
	}
	return fmt.Errorf("lab %s: unknown", verb)
}

// Verbs are the words that [Inside] knows.
var Verbs = []string{"keep", "supervise", "node", "machine", "guest", "prober", "visitor", "downloader", "web", "burn"}

// keep starts the supervisor, waits for its end and removes the lab's files.
func keep(d directory) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	caller := os.Getppid()
	ready := os.NewFile(fdReady, "ready")
	unix.CloseOnExec(fdReady)
	spec, err := d.read()
	if err != nil {
		return err
	}
	supervisor, lifeline, err := startSupervisor(d, ready)
	if err != nil {
		_, _ = io.WriteString(ready, explain(err, os.DirFS("/proc/sys")).Error())
		return errors.Join(err, d.remove())
	}
	defer lifeline.Close()
	_ = ready.Close()
	defer context.AfterFunc(ctx, func() { _ = supervisor.Process.Kill() })()
	var watching sync.WaitGroup
	watching.Go(func() {
		if spec.Tied {
			awaitEnd(ctx, caller)
			stop()
		}
	})
	err = supervisor.Wait()
	stop()
	watching.Wait()
	return errors.Join(err, d.remove())
}

// awaitEnd returns when a process has ended, or ctx has.
func awaitEnd(ctx context.Context, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it has ended
	}
	f := os.NewFile(uintptr(fd), "process")
	defer f.Close()
	_ = waitReadable(ctx, f) // no error but that of ctx is known
}

// startSupervisor makes the lab's namespaces, with the supervisor in them.
func startSupervisor(d directory, ready *os.File) (_ *exec.Cmd, lifeline *os.File, err error) {
	alive, lifeline, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer alive.Close()
	cmd := inside("supervise", string(d))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{ready, alive}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS |
		unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	if err := startMapped(cmd); err != nil {
		return nil, nil, errors.Join(err, lifeline.Close())
	}
	return cmd, lifeline, nil
}

// startMapped starts cmd as root of a user namespace, unless it is root anyway.
func startMapped(cmd *exec.Cmd) error {
	if os.Geteuid() == 0 {
		return cmd.Start()
	}
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
	if uids, gids, ok := subordinate(); ok {
		return startRange(cmd, uids, gids)
	}
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	return cmd.Start()
}

// startRange maps root to this user and the rest to the ids that the system
// lends this user, so that an HAProxy may change to a user of its own.
func startRange(cmd *exec.Cmd, uids, gids idRange) error {
	mapped, done, err := os.Pipe()
	if err != nil {
		return err
	}
	defer done.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, mapped)
	cmd.Args = append(cmd.Args, "mapped") // wait for it, on fdMapped
	err = cmd.Start()
	_ = mapped.Close()
	if err != nil {
		return err
	}
	for _, m := range []struct {
		program string
		self    int
		lent    idRange
	}{{"newuidmap", os.Getuid(), uids}, {"newgidmap", os.Getgid(), gids}} {
		args := fmt.Sprintf("%d 0 %d 1 1 %d %d", cmd.Process.Pid, m.self, m.lent.first, m.lent.count)
		if out, err := exec.Command(m.program, strings.Fields(args)...).CombinedOutput(); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return fmt.Errorf("%s: %w: %s", m.program, err, out)
		}
	}
	_, err = done.WriteString(up)
	return err
}
