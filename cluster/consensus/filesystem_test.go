package consensus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// Names of environment variables of this test binary's other lives.
const (
	envMounts = "QUORATE_TEST_MOUNTS" // set in a mount namespace of its own
	envServe  = "QUORATE_TEST_SERVE"  // SOURCE:TARGET of a file system in user space
)

func TestMain(m *testing.M) {
	if source, target, ok := strings.Cut(os.Getenv(envServe), ":"); ok {
		serveFiles(source, target)
		return
	}
	os.Exit(m.Run())
}

// serveFiles makes a directory appear at another place until it is killed. While
// this process is stopped, all that is done there hangs. Each sync makes the file
// beside the source longer by a byte.
func serveFiles(source, target string) {
	root, err := newCounted(source)
	if err == nil {
		var server *fuse.Server
		server, err = fs.Mount(target, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true}})
		if err == nil {
			fmt.Println("ready")
			server.Wait()
			return
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// inOwnMounts runs the test that calls it once more, in a mount namespace of its
// own, and reports whether this is that run.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(envMounts) != "" {
		return true
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	self.Env = append(os.Environ(), envMounts+"=1")
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := self.CombinedOutput()
	t.Logf("%s", out)
	switch {
	case strings.Contains(string(out), "--- SKIP"):
		t.Skip("the test skipped itself in its namespaces")
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS):
		t.Skipf("user namespaces are not available: %v", err)
	case err != nil:
		t.Error(err)
	}
	return false
}

// A slowable is a directory whose file system can be made to hang.
type slowable struct {
	dir    string
	source string // what it shows
	server *os.Process
}

func newSlowable(t *testing.T) *slowable {
	t.Helper()
	s := &slowable{dir: t.TempDir(), source: t.TempDir()}
	self := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	self.Env = append(os.Environ(), envServe+"="+s.source+":"+s.dir)
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Skipf("no file system in user space: %s %v", line, err)
	}
	s.server = self.Process
	t.Cleanup(func() {
		s.let(t, syscall.SIGCONT)
		if err := unix.Unmount(s.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		s.let(t, syscall.SIGKILL)
		_ = self.Wait() // it was killed
	})
	return s
}

// let sends a signal to the server: SIGSTOP hangs the file system.
func (s *slowable) let(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := s.server.Signal(signal); err != nil {
		t.Error(err)
	}
}

// A record is an FSM that remembers in which order it applied what.
type record struct {
	mu      sync.Mutex
	applied map[string]int // position
}

func (r *record) Apply(l *raft.Log) any {
	c := &pb.Command{}
	if err := proto.Unmarshal(l.Data, c); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied[c.Actor] = len(r.applied)
	return nil
}

func (r *record) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("not used") }
func (r *record) Restore(io.ReadCloser) error         { return errors.New("not used") }

// missing is how many of the acknowledged commands were not applied.
func (r *record) missing(acknowledged []string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, a := range acknowledged {
		if _, ok := r.applied[a]; !ok {
			n++
		}
	}
	return n
}

// A shelf is three voters in real time, whose stores are on real directories.
type shelf struct {
	t     *testing.T
	nodes []*Node
	fsms  []*record

	mu           sync.Mutex
	acknowledged []string
	slowest      time.Duration // between two acknowledgements
	last         time.Time
}

func newShelf(t *testing.T, dirs []string) *shelf {
	t.Helper()
	s := &shelf{t: t, last: time.Now()}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	transports := make([]*raft.InmemTransport, len(dirs))
	for i := range dirs {
		_, transports[i] = raft.NewInmemTransport(raft.ServerAddress(fmt.Sprint("n", i)))
	}
	for i, dir := range dirs {
		for j := range dirs {
			transports[i].Connect(raft.ServerAddress(fmt.Sprint("n", j)), transports[j])
		}
		stores, err := OpenStores(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		fsm := &record{applied: map[string]int{}}
		n, err := Start(Config{
			ID: fmt.Sprint("n", i), FSM: fsm, Transport: func(<-chan struct{}) Transport { return transports[i] }, Stores: stores, Timing: LAN,
			Patience: patience, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { _ = n.Lead(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) })
		s.nodes, s.fsms = append(s.nodes, n), append(s.fsms, fsm)
	}
	t.Cleanup(func() {
		cancel()
		for _, n := range s.nodes {
			_ = n.Shutdown() // the last one finds nobody to hand over to
		}
		running.Wait()
	})
	if err := s.nodes[0].Bootstrap(); err != nil {
		t.Fatal(err)
	}
	s.await("a leader", func() bool { return s.nodes[0].raft().State() == raft.Leader })
	for _, n := range s.nodes[1:] { // this machine may stand still until nobody leads
		s.await(n.id+" to vote", func() bool {
			leader := s.leader(-1)
			return leader >= 0 && s.nodes[leader].AddVoter(n.id) == nil
		})
	}
	running.Go(func() { s.load(ctx) })
	return s
}

// load has numbered commands committed, one after the other, by whoever leads.
func (s *shelf) load(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprint(i)
		n := s.nodes[i%len(s.nodes)]
		if leader, ok := n.Leader(); !ok || leader != n.id {
			time.Sleep(time.Millisecond) // a pause of the client
			continue
		}
		asking, cancel := context.WithTimeout(ctx, patience)
		_, err := n.Propose(asking, &pb.Command{Actor: name})
		cancel()
		if err != nil {
			continue
		}
		s.mu.Lock()
		s.acknowledged = append(s.acknowledged, name)
		s.slowest, s.last = max(s.slowest, time.Since(s.last)), time.Now()
		s.mu.Unlock()
	}
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acknowledged)
}

// await waits until something is so, and returns for how long it did.
func (s *shelf) await(what string, so func() bool) time.Duration {
	s.t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > 30*time.Second {
			s.t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// more waits for further acknowledged commands.
func (s *shelf) more(n int) {
	s.t.Helper()
	want := s.count() + n
	s.await("acknowledged commands", func() bool { return s.count() >= want })
}

// leader is the place of who leads now, other than one; -1: nobody.
func (s *shelf) leader(other int) int {
	for i, n := range s.nodes {
		if i != other && n.raft().State() == raft.Leader {
			return i
		}
	}
	return -1
}

// anyLeader waits until somebody leads.
func (s *shelf) anyLeader() (at int) {
	s.t.Helper()
	s.await("a leader", func() bool { at = s.leader(-1); return at >= 0 })
	return at
}

// survives lets the leader's disk go bad under load, and get well again.
func (s *shelf) survives(bad, well func(leader int)) {
	s.t.Helper()
	s.more(100)
	old := s.anyLeader()
	bad(old)
	s.await("a hang", func() bool { return s.nodes[old].Hang() != nil })
	hung := s.nodes[old].Hang()
	took := s.await("another leader", func() bool { return s.leader(old) >= 0 })
	s.t.Logf("%v; another led %v after it was noticed", hung, took.Round(time.Millisecond))
	if took > 5*time.Second { // how soon it is: TestALeaderWhoseDiskHangsIsReplacedAndComesBackAsAFollower
		s.t.Errorf("another led only %v after the hang was noticed", took)
	}
	s.more(100)
	well(old)
	s.await("the old leader to follow", func() bool {
		return s.nodes[old].raft().State() == raft.Follower && s.nodes[old].Hang() == nil
	})
	s.more(10)
	s.mu.Lock()
	acknowledged := s.acknowledged
	s.t.Logf("%d commands acknowledged, at most %v between two", len(acknowledged), s.slowest.Round(time.Millisecond))
	s.mu.Unlock()
	for i, fsm := range s.fsms {
		s.await(fmt.Sprintf("node %d to catch up", i), func() bool { return fsm.missing(acknowledged) == 0 })
	}
}

func TestALeaderOnAFileSystemThatHangsIsReplaced(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	var disks []*slowable
	var dirs []string
	for range 3 {
		d := newSlowable(t)
		disks, dirs = append(disks, d), append(dirs, d.dir)
	}
	newShelf(t, dirs).survives(
		func(leader int) { disks[leader].let(t, syscall.SIGSTOP) },
		func(leader int) { disks[leader].let(t, syscall.SIGCONT) },
	)
}

func TestALeaderOnAFullDiskIsReplaced(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		mountSmall(t, dir, "4m") // too small for the reserve
	}
	newShelf(t, dirs).survives(
		func(leader int) { fill(t, dirs[leader]) },
		func(leader int) {
			if err := os.Remove(filepath.Join(dirs[leader], "filler")); err != nil {
				t.Error(err)
			}
		},
	)
}

func TestTheReserveOutlastsAFullDisk(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		mountSmall(t, dir, "40m")
	}
	s := newShelf(t, dirs)
	s.more(100)
	for _, dir := range dirs {
		fill(t, dir)
	}
	s.more(500)
	for i, n := range s.nodes {
		if hang := n.Hang(); hang != nil {
			t.Errorf("node %d: %v", i, hang)
		}
	}
}

func mountSmall(t *testing.T, dir, size string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no tmpfs here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill leaves no room on a disk.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; size /= 2 {
		for err = error(nil); err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
