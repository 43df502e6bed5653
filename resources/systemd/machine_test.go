package systemd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/deploy/lab/vm/vmtest"
	pb "quorate/proto/quorate/v1"
)

// Tests that need systemd run in namespaces of their own, of which a real systemd
// is the first process; that takes root. Where this user is not root, or may not make
// them, they do so in an emulated machine.

// inside marks the test program that runs there. Its value is what it is to do
// instead of the tests, if anything.
const inside = "QUORATE_TEST_SYSTEMD"

var (
	mu    sync.Mutex
	asked []string // tests that need systemd, at the top
)

func TestMain(m *testing.M) {
	switch os.Getenv(inside) {
	case "":
		code := vmtest.Main(m)
		if code == 0 && len(asked) > 0 {
			code = boot()
		}
		os.Exit(code)
	case "tests":
		report(m)
	default:
		os.Exit(act(os.Getenv(inside)))
	}
}

// report runs the tests when systemd is ready, and tells who started it how they went.
func report(m *testing.M) {
	for {
		c, err := dial()
		if err == nil {
			c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprint(os.NewFile(3, "result"), m.Run())
	time.Sleep(time.Hour) // until all of it is killed
}

// need skips a test that is not under systemd.
func need(t *testing.T) {
	t.Helper()
	switch {
	case os.Getenv(inside) != "":
		return
	case testing.Short():
		t.Skip("-short: a boot takes its time")
	case !mayBoot():
		vmtest.Need(t)
	}
	mu.Lock()
	defer mu.Unlock()
	name, _, _ := strings.Cut(t.Name(), "/")
	if !slices.Contains(asked, name) {
		asked = append(asked, name)
	}
	t.Skip("runs under a systemd of its own, after the others")
}

// program is systemd.
const program = "/lib/systemd/systemd"

var mayBoot = sync.OnceValue(func() bool {
	if _, err := os.Stat(program); err != nil {
		return false
	}
	return exec.Command("unshare", append(slices.Clone(namespaces), "mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")...).Run() == nil
})

var namespaces = []string{"--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net", "--fork", "--kill-child=SIGKILL"}

// machine prepares the namespaces, leaves the tests running, and becomes systemd,
// with no units but theirs.
const machine = `
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for dir in /etc/systemd/system /lib/systemd/system /lib/systemd/system-generators; do mount -t tmpfs tmpfs $dir; done
printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n' | tee /etc/systemd/system/up.target > /etc/systemd/system/down.target
` + inside + `=tests "$@" &
exec 3>&-
container=test exec ` + program + ` --system --unit=up.target --log-target=null --show-status=no
`

// boot runs the tests that asked for it under a systemd.
func boot() int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	reader, writer, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	self := append([]string{os.Args[0]}, flags()...)
	self = append(self, "-test.run=^("+strings.Join(asked, "|")+")$")
	cmd := exec.CommandContext(ctx, "unshare", slices.Concat(namespaces, []string{"sh", "-ec", machine, "sh"}, self)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := errors.Join(cmd.Start(), writer.Close()); err != nil {
		fmt.Println(err)
		return 1
	}
	var said [4]byte
	n, err := reader.Read(said[:])
	cancel()
	_ = cmd.Wait() // killed
	if err != nil && !errors.Is(err, io.EOF) || string(said[:n]) != "0" {
		fmt.Printf("under systemd: exit status %q, %v\n", said[:n], err)
		return 1
	}
	return 0
}

// flags are those of this run that mean the same there.
func flags() []string {
	var all []string
	flag.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"test.run", "test.testlogfile", "test.coverprofile", "test.gocoverdir"}, f.Name) {
			all = append(all, "-"+f.Name+"="+f.Value.String())
		}
	})
	return all
}

// act does one thing, in a unit of the tests' own: "stop UNIT".
func act(what string) int {
	verb, unit, _ := strings.Cut(what, " ")
	a := New(Config{}).Find("systemd:" + unit).(*Agent)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := map[string]func(context.Context, *pb.Resource) error{"start": a.Start, "stop": a.Stop}[verb](ctx, nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
