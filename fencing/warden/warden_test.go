package warden

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/cluster/clock"
)

// TestMain is a warden, or a file system, when it is called as one.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) > 3 && os.Args[1] == "warden":
		err = Run(context.Background(), Config{RunDir: os.Args[3], Harden: len(os.Args) > 4, Log: os.Stderr})
	case len(os.Args) > 3 && os.Args[1] == "serve":
		err = serve(os.Args[2], os.Args[3])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		panic(err)
	}
}

// A guarded is a run directory with a warden at work and the agent's end of its table.
type guarded struct {
	*testing.T
	*Link
	dir   string
	until time.Duration // end of the lease, on the clock of leases
}

func guard(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{T: t, dir: t.TempDir()}
	g.attach()
	g.warden()
	return g
}

// attach makes this process the agent.
func (g *guarded) attach() {
	g.Helper()
	var err error
	g.Link, err = Attach(LinkConfig{RunDir: g.dir, Lease: func() (time.Duration, bool) { return g.until, true }})
	if err != nil {
		g.Fatal(err)
	}
}

// warden starts one, and ends it with the test.
func (g *guarded) warden() {
	g.Helper()
	ctx, cancel := context.WithCancel(g.Context())
	var work sync.WaitGroup
	work.Go(func() {
		if err := Run(ctx, Config{RunDir: g.dir, Log: g.Output()}); err != nil {
			g.Error(err)
		}
	})
	g.Cleanup(func() { cancel(); work.Wait() })
	eventually(g, "a warden", g.Alive)
}

// lease is held for some time from now.
func (g *guarded) lease(d time.Duration) time.Time {
	end := time.Now().Add(d) // first: it is not later than the other
	g.until = clock.Raw{}.Now() + d
	g.Extend(1 << 62)
	return end
}

// agent makes another process the agent.
func (g *guarded) agent(pid int) {
	f := file{data: make([]byte, page)}
	_, birth := f.stat(pid)
	g.table.set(wordBirth, birth)
	g.table.set(wordAgent, int64(pid))
}

// dead makes a process the agent that has ended.
func (g *guarded) dead() {
	g.Helper()
	c := exec.CommandContext(g.Context(), "true")
	if err := c.Run(); err != nil {
		g.Fatal(err)
	}
	g.agent(c.Process.Pid)
}

func (g *guarded) hold(e Entry) {
	g.Helper()
	if err := g.Hold(g.Context(), e); err != nil {
		g.Fatal(err)
	}
}

// A service is a process that something runs.
type service struct {
	pid   int
	ended chan struct{}
}

// run starts a process with a variable in its environment.
func run(t *testing.T, mark string, args ...string) *service {
	t.Helper()
	c := exec.Command("sleep", append(args, "60")...)
	c.Env = append(os.Environ(), "ZERO=", mark, "LAST=1")
	if len(args) > 0 {
		c = exec.Command("sh", append([]string{"-c", "sleep 60; :", "sh"}, args...)...)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s := &service{c.Process.Pid, make(chan struct{})}
	go func() { _ = c.Wait(); close(s.ended) }()
	t.Cleanup(func() { _ = c.Process.Kill(); <-s.ended })
	return s
}

func (s *service) runs() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// endsAt checks that a service ends after a moment, and not long after.
func (s *service) endsAt(t *testing.T, when time.Time) {
	t.Helper()
	for time.Now().Before(when) {
		if !s.runs() && time.Until(when) > time.Millisecond {
			t.Fatalf("it ended %v too early", time.Until(when))
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case <-s.ended:
		t.Logf("it ended %v after its time", time.Since(when).Round(time.Microsecond))
	case <-time.After(10 * time.Second):
		t.Fatal("it runs 10 s after its time")
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func environment(resource, mark string) Entry {
	return Entry{Resource: resource, Traces: []Trace{{Environment, mark}}}
}

func TestWhatADeadAgentRanEndsWithTheLeaseAndNotBefore(t *testing.T) {
	g := guard(t)
	mine, other := run(t, "MARK="+t.Name()), run(t, "MARK="+t.Name()+"2")
	byArgument, byAnother := run(t, "A=b", t.Name()+"/socket,mode"), run(t, "A=b", t.Name()+"/socket")
	end := g.lease(300 * time.Millisecond)
	g.hold(environment("db", "MARK="+t.Name()))
	g.hold(Entry{Resource: "web", Traces: []Trace{{Argument, t.Name() + "/socket,mode"}}, Lapse: time.Hour})
	g.dead()
	mine.endsAt(t, end)
	byArgument.endsAt(t, end)
	if !other.runs() || !byAnother.runs() {
		t.Error("a process was killed that bears another mark")
	}
	eventually(t, "the warden's word", func() bool { return g.Last().Number > 0 })
	if last := g.Last(); last.Resources != "db, web" || last.Processes < 2 {
		t.Errorf("killed %+v, want db and web, of two processes", last)
	}
}

func TestAStoppedAgentIsNotWaitedFor(t *testing.T) {
	g := guard(t)
	mine, agent := run(t, "MARK="+t.Name()), run(t, "A=b")
	end := g.lease(200 * time.Millisecond)
	g.hold(Entry{Resource: "db", Traces: []Trace{{Environment, "MARK=" + t.Name()}}, Lapse: time.Hour})
	g.agent(agent.pid)
	if err := unix.Kill(agent.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	mine.endsAt(t, end)
}

func TestALivingAgentHasTimeToStopItItself(t *testing.T) {
	g := guard(t)
	silent, told, released := run(t, "MARK=1"+t.Name()), run(t, "MARK=2"+t.Name()), run(t, "MARK=3"+t.Name())
	g.lease(time.Minute)
	for i, name := range []string{"silent", "told", "released"} {
		g.hold(Entry{Resource: name, Traces: []Trace{{Environment, "MARK=" + strconv.Itoa(i+1) + t.Name()}}, Lapse: time.Hour})
	}
	halted := time.Now().Add(time.Second)
	g.Halting("told", time.Second)
	g.Release("released")
	end := g.lease(100 * time.Millisecond)
	silent.endsAt(t, end.Add(mostPatience))
	told.endsAt(t, halted)
	if !released.runs() {
		t.Error("it was killed although it is not on the list any more")
	}
}

// The warden is told of the agent's end as the kernel knows it, and does not have to
// look again.
func TestTheWardenNoticesTheAgentsDeathAtOnce(t *testing.T) {
	w, err := newWarden(newTable(t), Config{})
	if err != nil {
		t.Fatal(err)
	}
	agent := run(t, "A=b")
	_, birth := w.file.stat(agent.pid)
	w.table.set(wordBirth, birth)
	w.table.set(wordAgent, int64(agent.pid))
	if w.follow(w.clock.Now()); !w.able() {
		t.Fatal("a living agent counts as unable")
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = unix.Kill(agent.pid, unix.SIGKILL) })
	began := time.Now()
	w.wait(time.Minute)
	w.follow(w.clock.Now())
	if took := time.Since(began); took > 30*time.Second || !w.agent.dead || w.able() {
		t.Errorf("after %v the agent is dead: %v, able: %v", took, w.agent.dead, w.able())
	}
}

func TestALeaseThatIsRenewedKillsNothing(t *testing.T) {
	g := guard(t)
	mine := run(t, "MARK="+t.Name())
	g.hold(environment("db", "MARK="+t.Name()))
	g.dead()
	var end time.Time
	for range 80 {
		end = g.lease(2 * time.Second) // longer than this machine stands still
		time.Sleep(30 * time.Millisecond)
	}
	mine.endsAt(t, end)
}

func TestAnAgentThatIsBackInTimeTakesOver(t *testing.T) {
	g := guard(t)
	mine := run(t, "MARK="+t.Name())
	g.lease(5 * time.Second)
	g.hold(environment("db", "MARK="+t.Name()))
	g.dead()
	if g.attach(); !g.Kept() {
		t.Error("what the earlier agent left counts as kept: false")
	}
	g.hold(environment("db", "MARK="+t.Name()))
	if g.Kept() {
		t.Error("what was taken over counts as kept: true")
	}
	end := g.lease(1500 * time.Millisecond)
	mine.endsAt(t, end.Add(leastPatience))
}

func TestAWardenThatIsStartedLateDoesWhatIsDue(t *testing.T) {
	g := &guarded{T: t, dir: t.TempDir()}
	g.attach()
	mine := run(t, "MARK="+t.Name())
	g.lease(0)
	g.hold(environment("db", "MARK="+t.Name()))
	g.dead()
	g.warden()
	mine.endsAt(t, time.Now())
}

func TestNothingStartsWhileTheWardenKills(t *testing.T) {
	g := guard(t)
	g.dead()
	g.hold(environment("db", "MARK="+t.Name()))
	g.lease(0)
	g.table.set(wordWorking, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	eventually(t, "an end of the killing", func() bool { return g.Hold(t.Context(), environment("db", "MARK=a")) == nil })
	g.table.set(wordWarden, 0) // so that it does not end
	defer g.table.set(wordWarden, int64(os.Getpid()))
	if err := g.Hold(ctx, environment("db", "MARK=b")); err != nil {
		t.Errorf("without a warden: %v; want it held, for the next one", err)
	}
}

func TestAResourceThatNeedsAWatchdogDoesNotStartWithoutOne(t *testing.T) {
	g := guard(t)
	err := g.Hold(t.Context(), Entry{Resource: "db", Traces: []Trace{{Environment, "A=b"}}, Watchdog: 10 * time.Second})
	if _, there := os.Stat("/dev/watchdog"); there == nil {
		t.Skip("this machine has a watchdog")
	}
	if !errors.Is(err, ErrNoWatchdog) {
		t.Errorf("hold: %v, want %v", err, ErrNoWatchdog)
	}
	if s := g.Status(); s.Held != 0 {
		t.Errorf("%d resources are on the list, want none", s.Held)
	}
}

func TestAWardenThatDiesOrStandsStillIsReplaced(t *testing.T) {
	g := &guarded{T: t, dir: t.TempDir()}
	g.attach()
	program, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told := &tales{}
	var work sync.WaitGroup
	work.Go(func() { _ = g.Watch(ctx, program, told) })
	var last int
	for _, how := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP, unix.SIGKILL} {
		eventually(t, "a new warden", func() bool { pid := g.Status().PID; return pid != 0 && pid != last })
		last = g.Status().PID
		if err := unix.Kill(last, how); err != nil {
			t.Fatal(err)
		}
		g.table.set(wordBeat, g.table.get(wordBeat)-int64(staleBeat)) // it has stood long enough
	}
	eventually(t, "the last warden", func() bool { pid := g.Status().PID; return pid != 0 && pid != last })
	cancel()
	work.Wait()
	if err := unix.Kill(g.Status().PID, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if told.lost != 3 || told.absent != nil {
		t.Errorf("told of %d lost wardens and of %v, want 3 and nothing", told.lost, told.absent)
	}
}

// tales counts what it is told.
type tales struct {
	lost   int
	absent error
}

func (t *tales) Lost(int, string) { t.lost++ }
func (t *tales) Killed(Execution) {}
func (t *tales) Absent(err error) { t.absent = err }
