package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Torture is a cluster at the mercy of a nemesis, under the eyes of a client
// that probes, a meter that asks who answers, the kernels' own words of who may,
// and a writer who insists on what was acknowledged.
//
// By default the nemesis keeps a majority able: it strikes one node at a time,
// and another one only when all are well again. So whatever the client misses
// is a failover's, or its own network's.
type Torture struct {
	Spec     Spec // its name is not used
	Shape    Shape
	Profile  string // of the timing; empty: as it is
	Seed     uint64
	For      time.Duration
	Reckless bool     // strike any number of nodes, at any time
	Without  []string // deeds of the nemesis that are left out
	HAProxy  bool     // serve a page too, and have the client ask for it
	JSON     bool
}

// DiskOfTortured is the size of a tortured node's own disk, in MiB.
const DiskOfTortured = 64

// Run tortures a cluster in a lab of its own, and reports. progress gets a line
// for every act. The error says what was violated.
func (t Torture) Run(ctx context.Context, out, progress io.Writer) error {
	report, err := t.run(ctx, progress)
	if err != nil {
		return err
	}
	if err := report.print(out, t.JSON); err != nil {
		return err
	}
	return report.verdict()
}

func (t Torture) run(ctx context.Context, progress io.Writer) (report TortureReport, err error) {
	for _, name := range t.Without {
		if !slices.Contains(Deeds(), name) {
			return report, fmt.Errorf("without %q: use one of %s", name, strings.Join(Deeds(), ", "))
		}
	}
	spec := t.Spec.OnDisks(DiskOfTortured)
	spec.Name, spec.Tied = fmt.Sprintf("torture-%d", os.Getpid()), true
	if t.HAProxy {
		spec = spec.WithWebServers()
	}
	l, err := Up(ctx, spec)
	if err != nil {
		return report, err
	}
	c := newChamber(t, l, progress)
	defer func() {
		if err != nil || len(report.Violations) > 0 {
			report.Logs, _ = c.saveLogs() // what there is
		}
		err = errors.Join(err, c.cluster.Close(), l.Down(context.WithoutCancel(ctx)))
	}()
	if err := c.build(ctx); err != nil {
		return report, err
	}
	return c.torture(ctx)
}

// A chamber is a torture under way.
type chamber struct {
	Torture
	lab      *Lab
	cluster  *Cluster
	q        *quorate
	nemesis  *nemesis
	tale     *chronicle
	writer   *writer
	progress io.Writer
	began    time.Duration
	struck   []struck
	open     []string // nodes that were struck and, for all that is known, are not well yet

	mu         sync.Mutex
	violations []string
}

// struck is what befell one node, and from when until when.
type struck struct {
	act      string
	node     string
	troubles []Trouble
	from, to time.Duration
}

func newChamber(t Torture, l *Lab, progress io.Writer) *chamber {
	c := &Cluster{Lab: l}
	return &chamber{
		Torture: t, lab: l, cluster: c, nemesis: newNemesis(t.Seed, l.Spec, t.Reckless, t.Without),
		tale: newChronicle(c, 250*time.Millisecond), writer: &writer{c, newLedger()}, progress: progress,
	}
}

// build makes the cluster and all that it keeps.
func (c *chamber) build(ctx context.Context) (err error) {
	shape := c.Shape
	shape.Profile = c.Profile
	if c.q, err = newQuorate(ctx, c.cluster, shape); err != nil {
		return err
	}
	if c.HAProxy {
		if err := c.cluster.CreateHAProxy(ctx); err != nil {
			return err
		}
	}
	if err := c.writer.create(ctx); err != nil {
		return err
	}
	_, err = c.cluster.Settled(ctx)
	return err
}

// torture goes on for as long as it is to last, and looks what is left then.
func (c *chamber) torture(ctx context.Context) (TortureReport, error) {
	page := ""
	if c.HAProxy {
		page = "http://" + VIP.String() + "/"
	}
	watch, err := c.lab.observe(ctx, c.q.vip, page, nil)
	if err != nil {
		return TortureReport{}, err
	}
	c.began = now()
	for _, n := range c.lab.Spec.Nodes() {
		c.tale.look(ctx, n) // where the counters begin
	}
	err = c.strike(ctx)
	if err == nil {
		err = c.recover(ctx)
	}
	seen, stopErr := watch.stop()
	if err = errors.Join(err, stopErr); err != nil {
		return TortureReport{}, err
	}
	report := c.report(seen)
	c.leave(ctx)
	report.Violations = append(report.Violations, c.violations...)
	return report, nil
}

// strike lets the nemesis loose.
func (c *chamber) strike(ctx context.Context) error {
	busy, stop := context.WithCancel(ctx)
	defer stop()
	g, busy := errgroup.WithContext(busy)
	g.Go(func() error { return c.tale.Run(busy) })
	g.Go(func() error { c.writer.Run(busy); return nil })
	g.Go(func() error {
		defer stop()
		for end := now() + c.For; now() < end && ctx.Err() == nil; {
			if !c.perform(ctx, c.nemesis.next()) {
				return ctx.Err()
			}
		}
		return ctx.Err()
	})
	return g.Wait()
}

// perform does one act, and tells whether to go on.
func (c *chamber) perform(ctx context.Context, a act) bool {
	victims := c.victims(ctx, a)
	fmt.Fprintf(c.progress, "+%7.1f s  %s; of %v\n", (now() - c.began).Seconds(), a, victims)
	hog := c.startHog(ctx, a, victims[0])
	var begun []struck
	for _, node := range victims {
		begun = append(begun, c.hurt(ctx, a, node))
	}
	_ = pause(ctx, a.Hold) // ctx is looked at by the caller
	hog()
	for i, node := range victims {
		c.mend(ctx, a, node)
		begun[i].to = now()
	}
	c.struck = append(c.struck, begun...)
	_ = pause(ctx, a.Rest)
	c.open = victims
	if !a.Settle {
		return true
	}
	if _, err := c.cluster.Settled(ctx); err != nil {
		c.violated("after %s of %v: %v", a.Name, victims, err)
		return false
	}
	c.open = nil
	return true
}

// victims are whom an act means. While not all are well, only those that were
// struck last are struck again: a majority stays able.
func (c *chamber) victims(ctx context.Context, a act) []string {
	if len(c.open) > 0 && !c.Reckless {
		return c.open
	}
	if a.Whom != "" {
		if node := c.holder(ctx, a.Whom); node != "" {
			return []string{node}
		}
	}
	return a.Nodes
}

// holder asks who is in a role; empty: nobody says.
func (c *chamber) holder(ctx context.Context, r Role) string {
	for _, n := range c.lab.Spec.Nodes() {
		v, err := c.cluster.View(ctx, n)
		if err != nil {
			continue
		}
		if node := map[Role]string{Owner: v.Owners[c.q.resource], Leader: v.Leader}[r]; node != "" {
			return node
		}
	}
	return ""
}

// hurt does to a node what an act says.
func (c *chamber) hurt(ctx context.Context, a act, node string) struck {
	s := struck{act: a.Name, node: node, from: now()}
	for _, t := range a.What {
		t.Host = node
		if t.Peer == node {
			t.Peer = c.q.other(node)
		}
		if i := slices.Index(Networks, t.Network); i > 0 {
			if h, _ := c.lab.Spec.Host(node); i >= h.networks() {
				t.Network = "" // as a witness, which is not on all
			}
		}
		if _, err := c.lab.Strike(ctx, t); err != nil {
			c.violated("%s: %v", t, err)
			continue
		}
		s.troubles = append(s.troubles, t)
	}
	return s
}

// mend heals a node, and looks before whether its agent ended without being made to.
func (c *chamber) mend(ctx context.Context, a act, node string) {
	hosts, err := c.lab.Status(ctx)
	if err != nil {
		c.violated("status of %s: %v", node, err)
		return
	}
	i := slices.IndexFunc(hosts, func(h HostStatus) bool { return h.Name == node })
	made := slices.ContainsFunc(a.What, func(t Trouble) bool { return slices.Contains([]Fault{PowerOff, Kill, End}, t.Fault) })
	if agent := hosts[i].Agent; agent.State == agentEnded && !made {
		c.violated("the agent of %s ended by itself during %s: %s", node, a.Name, agent.Ended)
	}
	if _, err := c.lab.Fault(context.WithoutCancel(ctx), Heal, node); err != nil {
		c.violated("heal %s: %v", node, err)
	}
}

// startHog takes all the machine's time until the returned function is called.
func (c *chamber) startHog(ctx context.Context, a act, node string) (stop func()) {
	if !a.Hog {
		return func() {}
	}
	hogging, stopHog := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		threads := fmt.Sprint(2 * runtime.NumCPU())
		err := c.lab.Exec(hogging, node, Command{Args: []string{"quorate", "lab", "burn", threads}})
		if hogging.Err() == nil {
			c.violated("hog on %s: %v", node, err)
		}
	})
	return func() { stopHog(); running.Wait() }
}

func (c *chamber) violated(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
	fmt.Fprintf(c.progress, "VIOLATED: %s\n", c.violations[len(c.violations)-1])
}

// recover waits until all is well in the end, and checks that nothing is lost.
func (c *chamber) recover(ctx context.Context) error {
	for _, n := range c.lab.Spec.Nodes() {
		if _, err := c.lab.Fault(ctx, Heal, n); err != nil {
			return err
		}
	}
	if _, err := c.cluster.Settled(ctx); err != nil {
		c.violated("in the end: %v", err)
	}
	for _, n := range c.lab.Spec.Nodes() {
		v, err := c.cluster.View(ctx, n)
		if err != nil {
			c.violated("in the end: %v", err)
			continue
		}
		for _, lost := range c.writer.check(v, n) {
			c.violated("lost: %s", lost)
		}
		c.tale.look(ctx, n)
	}
	return pause(ctx, calm)
}

// leave ends the cluster and its agents, and looks what they left behind.
func (c *chamber) leave(ctx context.Context) {
	nodes := c.lab.Spec.Nodes()
	if _, err := c.cluster.Type(ctx, nodes[0], "pcs cluster stop --all"); err != nil {
		c.violated("stop: %v", err)
	}
	for _, n := range nodes {
		if _, err := c.lab.Fault(ctx, End, n); err != nil {
			c.violated("end of the agent of %s: %v", n, err)
			continue
		}
		strays, err := c.lab.strays(ctx, n)
		if err != nil {
			c.violated("%v", err)
		}
		for _, s := range strays {
			c.violated("left behind on %s", s)
		}
	}
}

// saveLogs copies the agents' logs to where they outlive the lab.
func (c *chamber) saveLogs() (dir string, err error) {
	dir = filepath.Join(os.TempDir(), fmt.Sprintf("quorate-torture-%d-%d", c.Seed, os.Getpid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, n := range append(c.lab.Spec.Nodes(), "supervisor") {
		data, readErr := os.ReadFile(c.lab.Log(n))
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(dir, n+".log"), data, 0o600))
	}
	return dir, err
}
