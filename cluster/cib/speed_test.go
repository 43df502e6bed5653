package cib_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
)

var (
	speed  = flag.Bool("speed", false, "measure how fast decisions are, beside crm_simulate")
	binary = flag.String("binary", "", "`PATH` of quorate, to measure the whole program as well")

	pacemaker = flag.String("crm_simulate", "crm_simulate", "`PATH` of Pacemaker's")
	patience  = flag.Duration("patience", time.Minute, "`TIME` that is waited for one program")
)

// attempts is how often things are measured; the median counts.
const attempts = 9

// The time of one decision about generated clusters of 16 nodes, one of them
// lost, beside Pacemaker's own: go test ./cluster/cib -run TestSpeed -v -speed.
func TestSpeed(t *testing.T) {
	if !*speed {
		t.Skip("takes minutes: asked for with -speed, or make bench")
	}
	list := []*size{{n: 100}, {n: 1000}, {n: 5000}}
	for _, s := range list { // before this process grows: a child's memory counts from its parent's
		s.programs(t)
	}
	for _, s := range list {
		data := generate(s.n)
		s.decide = median(func() took { return decideOnce(t, data) })
	}
	t.Logf("16 nodes, one lost; each primitive has a location and a colocation; medians of %d; memory: the most in use\n%s", attempts, tableOf(t, list))
}

// A size is a number of primitives, and what was measured of it.
type size struct {
	n            int
	decide       took
	ours, theirs run
}

// programs measures whole programs.
func (s *size) programs(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cib.xml")
	if err := os.WriteFile(file, generate(s.n), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ours = program(t, *binary, "simulate", "--cib", file, "-o", "json")
	s.theirs = program(t, *pacemaker, "-S", "-x", file)
}

func tableOf(t *testing.T, list []*size) string {
	t.Helper()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "primitives\tdecide\tCPU\tper n log n\tquorate simulate\tCPU\tmemory\tcrm_simulate -S\tmemory\ttimes as long\t")
	for _, s := range list {
		fmt.Fprintf(w, "%d\t%s\t%s\t%.0f ns\t%s\t%s\t%s\t%s\t%s\t%s\t\n", s.n, inMS(s.decide.wall), inMS(s.decide.cpu),
			float64(s.decide.cpu)/(float64(s.n)*math.Log2(float64(s.n))), s.ours.wallText(), inMS(s.ours.cpu), s.ours.memoryText(),
			s.theirs.wallText(), s.theirs.memoryText(), ratio(s.theirs, s.ours, s.decide.wall))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return table.String()
}

// A took is how long something took by the clock, which other work stretches,
// and in time of the processors, its collection of garbage included.
type took struct{ wall, cpu time.Duration }

// median returns the medians of either.
func median(measure func() took) took {
	var walls, cpus []time.Duration
	for range attempts {
		m := measure()
		walls, cpus = append(walls, m.wall), append(cpus, m.cpu)
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	return took{walls[attempts/2], cpus[attempts/2]}
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// decideOnce measures the decision alone, without reading XML.
func decideOnce(t *testing.T, data []byte) took {
	t.Helper()
	d, err := cib.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.Input(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC() // what was measured before is not to be paid here
	began, spent := time.Now(), cpuTime(t)
	if out := engine.Run(in); len(out.Actions) == 0 {
		t.Fatal("a node was lost, and nothing is done about it")
	}
	return took{time.Since(began), cpuTime(t) - spent}
}

// A run is what a program took, start and end included.
type run struct {
	wall, cpu time.Duration // zero: it is not there
	memory    int64         // KiB, at most
	cut       bool          // patience ended first
}

// program measures a program: the median of a few runs, of one that takes its
// time the only one.
func program(t *testing.T, name string, args ...string) run {
	t.Helper()
	path, err := exec.LookPath(name)
	if name == "" || err != nil {
		return run{}
	}
	list := []run{programOnce(t, path, args)}
	for list[0].wall < 10*time.Second && len(list) < attempts {
		list = append(list, programOnce(t, path, args))
	}
	slices.SortFunc(list, func(a, b run) int { return cmp.Compare(a.wall, b.wall) })
	return list[len(list)/2]
}

func programOnce(t *testing.T, path string, args []string) run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	began := time.Now()
	err := c.Run() // what it says goes nowhere: that would be measured, too
	r := run{wall: time.Since(began), cut: errors.Is(ctx.Err(), context.DeadlineExceeded)}
	if err != nil && !r.cut {
		t.Fatalf("%s %v: %v", path, args, err)
	}
	r.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.memory = usage.Maxrss
	}
	return r
}

func (r run) wallText() string {
	switch {
	case r.wall == 0:
		return "not there"
	case r.cut:
		return fmt.Sprintf("over %.0f s", patience.Seconds())
	}
	return inMS(r.wall)
}

func (r run) memoryText() string {
	if r.wall == 0 {
		return ""
	}
	return fmt.Sprintf("%d MiB", r.memory/1024)
}

// ratio says how many times as long theirs took as ours, or as the decision
// alone where the program was not measured; at least, if theirs was cut off.
func ratio(theirs, ours run, decide time.Duration) string {
	if theirs.wall == 0 {
		return ""
	}
	if ours.wall > 0 {
		decide = ours.wall
	}
	times := fmt.Sprintf("%.0f", theirs.wall.Seconds()/decide.Seconds())
	if theirs.cut {
		return "> " + times
	}
	return times
}

func inMS(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

const (
	nodes = 16
	lost  = 5
)

// generate writes the CIB of a cluster of 16 nodes, of which one is lost, with
// so many primitives that ran. Each prefers the node where it ran. Of two that
// ran there one must run with the other, which would like to run with an earlier one.
// Where nothing ran nothing is looked for: 75,000 probes would hide the decision.
func generate(primitives int) []byte {
	var b bytes.Buffer
	b.WriteString(`<cib validate-with="pacemaker-3.0" admin_epoch="0" epoch="1" num_updates="1" have-quorum="1" crm_feature_set="3.1.0" dc-uuid="1">
<configuration><crm_config><cluster_property_set id="options"><nvpair id="options-stonith" name="stonith-enabled" value="false"/><nvpair id="options-probes" name="enable-startup-probes" value="false"/></cluster_property_set></crm_config>
<nodes>`)
	for n := 1; n <= nodes; n++ {
		fmt.Fprintf(&b, `<node id="%d" uname="node%02d"/>`, n, n)
	}
	b.WriteString("</nodes>\n<resources>\n")
	for i := range primitives {
		fmt.Fprintf(&b, `<primitive id="r%04d" class="ocf" provider="pacemaker" type="Dummy"/>`+"\n", i)
	}
	b.WriteString("</resources>\n<constraints>\n")
	for i := range primitives {
		fmt.Fprintf(&b, `<rsc_location id="l%04d" rsc="r%04d" node="node%02d" score="100"/>`+"\n", i, i, home(i))
		if i == 0 {
			continue // there is no earlier one
		}
		with, score := partner(i)
		fmt.Fprintf(&b, `<rsc_colocation id="c%04d" rsc="r%04d" with-rsc="r%04d" score="%s"/>`+"\n", i, i, with, score)
	}
	b.WriteString("</constraints>\n</configuration>\n<status>\n")
	for n := 1; n <= nodes; n++ {
		writeNodeState(&b, n, primitives)
	}
	b.WriteString("</status></cib>\n")
	return b.Bytes()
}

// home is the node on which a primitive ran.
func home(i int) int { return i/2%nodes + 1 }

func partner(i int) (with int, score string) {
	if i%2 == 1 {
		return i - 1, "INFINITY"
	}
	return i / 4 * 2, "10"
}

func writeNodeState(b *bytes.Buffer, n, primitives int) {
	state := `in_ccm="true" crmd="online" join="member" expected="member"`
	if n == lost {
		state = `in_ccm="false" crmd="offline" join="down" expected="down"`
	}
	fmt.Fprintf(b, `<node_state id="%d" uname="node%02d" %s><lrm id="%d"><lrm_resources>`+"\n", n, n, state, n)
	for i := range primitives {
		if home(i) == n {
			fmt.Fprintf(b, `<lrm_resource id="r%04d" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="r%04d_last_0" operation_key="r%04d_start_0" operation="start"`+
				` crm_feature_set="3.1.0" transition-key="1:1:0:11111111-1111-1111-1111-111111111111" transition-magic="0:0;1:1:0:11111111-1111-1111-1111-111111111111"`+
				` call-id="%d" rc-code="0" op-status="0" interval="0" last-rc-change="1700000000" exec-time="10" queue-time="0" op-digest="%s"/></lrm_resource>`+"\n",
				i, i, i, i+1, digestOfNone)
		}
	}
	b.WriteString("</lrm_resources></lrm></node_state>\n")
}

// digestOfNone is Pacemaker's digest of an operation without parameters.
const digestOfNone = "f2317cad3d54cec5d7d7aa7d0bf35cf8"
