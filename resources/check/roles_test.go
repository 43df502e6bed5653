package check

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// roleEnv makes this test's binary something else: words, the first of which says what.
const roleEnv = "QUORATE_TEST_ROLE"

func TestMain(m *testing.M) {
	role, rest, _ := strings.Cut(os.Getenv(roleEnv), " ")
	var err error
	switch role {
	case "":
		os.Exit(m.Run())
	case "contest":
		err = contest(rest)
	case "serve":
		err = serve()
	case "ask":
		err = askAll(rest)
	case "keepalived":
		err = keepalived(rest)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// serve is a web server on a port of all addresses. It says how often it was asked
// between "begin" and "end", and how long an address was not asked at most.
func serve() error {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}
	fmt.Println(port)
	s := &attendance{last: make(map[string]time.Time)}
	go s.obey(bufio.NewScanner(os.Stdin))
	return http.Serve(l, s)
}

// An attendance knows when each address was asked.
type attendance struct {
	mu   sync.Mutex
	last map[string]time.Time
	gaps []time.Duration
}

func (s *attendance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.note(r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
	fmt.Fprintln(w, "alive")
}

func (s *attendance) note(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[address]; ok {
		s.gaps = append(s.gaps, time.Since(last))
	}
	s.last[address] = time.Now()
}

func (s *attendance) obey(orders *bufio.Scanner) {
	for orders.Scan() {
		s.mu.Lock()
		if orders.Text() == "end" {
			fmt.Printf("%d servers, %.0f questions a second, from one to the next: %s\n",
				len(s.last), float64(len(s.gaps))/measured.Seconds(), quantiles(s.gaps))
		} else {
			fmt.Println("ok")
		}
		s.gaps = nil
		s.mu.Unlock()
	}
}

// askAll asks every server each second, and says how late the attempts began since
// it was asked that last.
func askAll(port string) error {
	var list []Target
	for _, addr := range targets() {
		at, err := netip.ParseAddrPort(addr.String() + ":" + port)
		if err != nil {
			return err
		}
		list = append(list, Target{ID: addr.String(), Server: at, Check: Check{Kind: "http", Path: "/alive", Interval: time.Second}})
	}
	r := New(Config{})
	if err := r.Set(list); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = r.Run(ctx) }()
	var mu sync.Mutex
	var late []time.Duration
	failing := 0
	go func() {
		for range time.Tick(time.Second) {
			mu.Lock()
			failing = 0
			for _, s := range r.Status() {
				late = append(late, s.Late)
				if s.State != Up {
					failing++
				}
			}
			mu.Unlock()
		}
	}()
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		mu.Lock()
		fmt.Printf("late: %s; %d not up\n", quantiles(late), failing)
		late = nil
		mu.Unlock()
	}
	return nil
}

// keepalived becomes keepalived's checker for the configuration in a folder. Where
// the kernel has no IPVS it checks nothing, so the kernel is made to say that each
// change of the table was done: the checks are what is measured.
func keepalived(dir string) error {
	if err := feignIPVS(); err != nil {
		return err
	}
	args := []string{"keepalived", "--dont-fork", "--check", "--use-file", filepath.Join(dir, "keepalived.conf"),
		"--pid", filepath.Join(dir, "pid"), "--checkers_pid", filepath.Join(dir, "checkers.pid")}
	for _, path := range []string{"/usr/sbin/keepalived", "/usr/local/sbin/keepalived"} {
		if _, err := os.Stat(path); err == nil {
			return unix.Exec(path, args, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
		}
	}
	return os.ErrNotExist
}

// feignIPVS lets the socket options of IPVS (linux/ip_vs.h, IP_VS_BASE_CTL and 64
// numbers on) succeed without effect in this process and its children (seccomp(2)).
func feignIPVS() error {
	const (
		number, option      = 0, 32 // offsets in struct seccomp_data: nr, and the third argument
		first, beyond       = 1024 + 64, 1024 + 64 + 192
		allowed, succeeding = 0x7fff0000, 0x00050000 // SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with 0
	)
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: number, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_GETSOCKOPT, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SETSOCKOPT, SkipTrue: 4},
		bpf.LoadAbsolute{Off: option, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: first, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: beyond, SkipTrue: 1},
		bpf.RetConstant{Val: succeeding},
		bpf.RetConstant{Val: allowed},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	return setFilter(filter)
}

// setFilter takes a filter for this thread, which is the one that becomes another program.
func setFilter(filter []unix.SockFilter) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
