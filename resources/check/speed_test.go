package check

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

var speed = flag.Bool("speed", false, "measure 2,000 checks a second, keepalived's beside ours")

// TestSpeed asks 2,000 web servers every second, with a Runner and then with
// keepalived, and prints what each costs: make bench-checks.
func TestSpeed(t *testing.T) {
	if !*speed {
		t.Skip("a measurement; run it with -speed")
	}
	for _, name := range []string{"quorate", "keepalived"} {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
		cmd.Env = append(os.Environ(), roleEnv+"=contest "+name)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
			continue
		}
		t.Logf("%s: %s", name, out)
	}
}

// Of a contest.
const (
	servers  = 2000
	measured = 20 * time.Second
)

// targets are the addresses of the loopback that one server listens on.
func targets() []netip.Addr {
	list := make([]netip.Addr, servers)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(i%250 + 1)})
	}
	return list
}

// contest measures one contestant, and the web server asks it to, in a network
// namespace of their own. It is a role of this test's binary.
func contest(name string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	web, err := enact("serve")
	if err != nil {
		return err
	}
	port, err := web.line()
	if err != nil {
		return err
	}
	asker, err := enter(name, strings.TrimSpace(port))
	if err != nil {
		return err
	}
	time.Sleep(4 * time.Second) // all have been asked, and those that began late are in step
	if _, err := web.ask("begin"); err != nil {
		return err
	}
	before, began := asker.used(), time.Now()
	time.Sleep(measured)
	used, took := asker.used()-before, time.Since(began)
	memory := asker.resident()
	seen, err := web.ask("end")
	if err != nil {
		return err
	}
	fmt.Printf("%.1f %% of a core, %d MiB; %s", 100*used.Seconds()/took.Seconds(), memory>>20, seen)
	if name == "quorate" {
		late, err := asker.ask("late")
		if err != nil {
			return err
		}
		fmt.Print("; ", late)
	}
	return nil
}

// enter starts a contestant.
func enter(name, port string) (*actor, error) {
	if name == "quorate" {
		return enact("ask " + port)
	}
	if _, err := exec.LookPath("keepalived"); err != nil {
		return nil, errors.New("NOT MEASURED: keepalived is not installed")
	}
	dir, err := os.MkdirTemp("", "contest")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "keepalived.conf"), []byte(keepalivedConf(port)), 0o600); err != nil {
		return nil, err
	}
	return enact("keepalived " + dir)
}

// keepalivedConf asks the same question as ask does.
func keepalivedConf(port string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "virtual_server 127.0.0.1 %s {\n delay_loop 1\n lb_algo rr\n lb_kind NAT\n protocol TCP\n", port)
	for _, addr := range targets() {
		fmt.Fprintf(&b, " real_server %s %s {\n  HTTP_GET {\n   url {\n    path /alive\n    status_code 200\n   }\n   connect_timeout 3\n  }\n }\n", addr, port)
	}
	b.WriteString("}\n")
	return b.String()
}

// An actor is a process of this binary in a role, which answers lines with lines.
type actor struct {
	cmd *exec.Cmd
	in  *os.File
	out *bufio.Reader
}

// enact starts one, which dies with this process.
func enact(role string) (*actor, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &actor{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (a *actor) line() (string, error) { return a.out.ReadString('\n') }

func (a *actor) ask(word string) (string, error) {
	if _, err := fmt.Fprintln(a.in, word); err != nil {
		return "", err
	}
	line, err := a.line()
	return strings.TrimSpace(line), err
}

// tree is the process and those that it started.
func (a *actor) tree() []string {
	list := []string{strconv.Itoa(a.cmd.Process.Pid)}
	for i := 0; i < len(list); i++ {
		children, _ := os.ReadFile(filepath.Join("/proc", list[i], "task", list[i], "children")) // none if it has ended
		list = append(list, strings.Fields(string(children))...)
	}
	return list
}

// used is the processor time that the tree has used (proc_pid_stat(5), utime and stime).
func (a *actor) used() (sum time.Duration) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Go runs on
	for _, f := range a.stats() {
		for _, field := range f[11:13] {
			n, _ := strconv.Atoi(field)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// resident is the tree's memory in bytes.
func (a *actor) resident() (sum int) {
	for _, f := range a.stats() {
		pages, _ := strconv.Atoi(f[21])
		sum += pages * os.Getpagesize()
	}
	return sum
}

// stats are the fields of /proc/PID/stat after the name, of each process.
func (a *actor) stats() (all [][]string) {
	for _, pid := range a.tree() {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if _, rest, ok := strings.Cut(string(text), ") "); ok && err == nil {
			all = append(all, strings.Fields(rest))
		}
	}
	return all
}

// quantiles writes the median and the ends of a list.
func quantiles(list []time.Duration) string {
	if len(list) == 0 {
		return "none"
	}
	slices.Sort(list)
	return fmt.Sprintf("median %v, 99.9 %% %v, at most %v", list[len(list)/2], list[len(list)*999/1000], list[len(list)-1])
}
