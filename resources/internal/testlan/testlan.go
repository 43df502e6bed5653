// Package testlan gives tests a LAN of their own: the test process in network,
// user and PID namespaces made for it, and hosts in further ones, joined to it
// by virtual cables. Nothing outside is seen or touched, and the kernel removes
// it all with the process. No privileges are needed where user namespaces are
// allowed.
package testlan

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inside marks the process that Main started in the namespaces.
const inside = "QUORATE_TEST_LAN"

// The main thread is kept out of Host's hands: its namespace is what the
// kernel takes for the process's.
func init() { runtime.LockOSThread() }

// Main runs a package's tests in fresh namespaces. Where these cannot be had
// it runs them as they are, and [Need] skips those that need a LAN.
func Main(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = namespaces()
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "testlan: no namespaces here, tests on a LAN are skipped:", err)
		os.Exit(m.Run())
	}
}

// namespaces are those of the test process. A user namespace is entered only
// without root's rights, since it takes away other users' ids.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 || os.Getenv("QUORATE_TEST_ROOTLESS") != "" {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// Need skips a test that cannot have a LAN. The first test that can have one
// brings up the loopback device and mounts the PID namespace's own /proc.
func Need(tb testing.TB) {
	tb.Helper()
	if os.Getenv(inside) == "" {
		tb.Skip("needs network namespaces: root, or user namespaces that this system allows")
	}
	lo, err := netlink.LinkByName("lo")
	must(tb, err)
	if lo.Attrs().Flags&unix.IFF_UP != 0 {
		return
	}
	must(tb, netlink.LinkSetUp(lo))
	must(tb, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(tb, unix.Mount("proc", "/proc", "proc", 0, ""))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal("testlan:", err)
	}
}

// A Host is another machine: a thread in a network namespace of its own.
type Host struct {
	work chan func()
}

// NewHost makes a machine that lasts as long as the test.
func NewHost(tb testing.TB) *Host {
	tb.Helper()
	Need(tb)
	h := &Host{work: make(chan func())}
	ready := make(chan error)
	var thread sync.WaitGroup
	thread.Go(func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range h.work {
			f()
		}
	})
	must(tb, <-ready)
	tb.Cleanup(func() {
		close(h.work)
		thread.Wait()
	})
	return h
}

// Do runs f on the host. Sockets that f opens stay on the host.
func (h *Host) Do(f func()) {
	done := make(chan struct{})
	h.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

var cables atomic.Int32

// Cable joins the test process to the host and gives both ends addresses with
// prefix lengths; it returns the name of this end. The host's end is called
// eth0, eth1 and so on.
func (h *Host) Cable(tb testing.TB, here, there []string) string {
	tb.Helper()
	n := cables.Add(1)
	name := fmt.Sprintf("lan%d", n)
	h.Do(func() {
		far := fmt.Sprintf("eth%d", countCables(tb))
		other := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: far}, PeerName: name, PeerNamespace: netlink.NsPid(os.Getpid())}
		must(tb, netlink.LinkAdd(other))
		setUp(tb, far, there)
	})
	setUp(tb, name, here)
	tb.Cleanup(func() {
		if link, err := netlink.LinkByName(name); err == nil {
			_ = netlink.LinkDel(link)
		}
	})
	return name
}

// countCables counts the cables that the host has: a kernel may give each namespace
// links of its own, such as tunl0.
func countCables(tb testing.TB) int {
	links, err := netlink.LinkList()
	must(tb, err)
	n := 0
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, "eth") {
			n++
		}
	}
	return n
}

func setUp(tb testing.TB, name string, addresses []string) {
	tb.Helper()
	link, err := netlink.LinkByName(name)
	must(tb, err)
	must(tb, netlink.LinkSetUp(link))
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a)
		must(tb, err)
		addr.Flags = unix.IFA_F_NODAD
		must(tb, netlink.AddrAdd(link, addr))
	}
}
