package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The e2e tests run the real binary on the nodes of a lab, and type at it what
// people do. A scene is one such lab; what is typed there and what shall come of
// it is a script, see [scene.play].

// programVariable names the program that was built already, for a test that
// another user runs.
const programVariable = "LAB_TEST_PROGRAM"

// building is where [program] is built; TestMain removes it.
var building string

// program is Quorate, built once a run where all users may run it.
var program = sync.OnceValues(func() (string, error) {
	if built := os.Getenv(programVariable); built != "" {
		return built, nil
	}
	dir, err := os.MkdirTemp("", "lab-program-")
	if err != nil {
		return "", err
	}
	building = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	built := filepath.Join(dir, "quorate")
	build := exec.Command("go", "build", "-o", built, "quorate/cmd/quorate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return built, nil
})

func quorateProgram(t *testing.T) string {
	t.Helper()
	built, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

type scene struct {
	*testing.T
	*Lab
	cluster *Cluster
	said    string // what the last command printed
}

// newScene brings up a lab whose nodes run the real agent. It is taken down
// with the test, however that ends.
func newScene(t *testing.T, nodes ...string) *scene {
	t.Helper()
	return newWiredScene(t, 1, nodes...)
}

// newWiredScene is newScene with all nodes on several networks.
func newWiredScene(t *testing.T, networks int, nodes ...string) *scene {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: whole clusters take their time")
	}
	spec := NewSpec("e2e", nodes, AgentCommand).Wired(networks).WithWebServers()
	spec.Program = quorateProgram(t)
	return dress(t, start(t, spec))
}

// dress makes a scene of a lab, and waits until its agents answer.
func dress(t *testing.T, l *Lab) *scene {
	t.Helper()
	s := &scene{T: t, Lab: l}
	s.cluster = &Cluster{Lab: s.Lab}
	t.Cleanup(s.end)
	if err := s.cluster.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// end tells what the agents know if the test failed.
func (s *scene) end() {
	if s.Failed() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context()), patienceTime)
		defer cancel()
		for _, n := range s.Spec.Nodes() {
			log, _ := os.ReadFile(s.Log(n))
			lines := strings.Split(strings.TrimSpace(string(log)), "\n")
			s.Logf("the agent of %s said last:\n%s", n, strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
		for _, command := range []string{"status", "events"} {
			out, err := s.Output(ctx, s.Spec.Nodes()[1], "quorate", command)
			s.Logf("%s (%v):\n%s", command, err, out)
		}
	}
	if err := s.cluster.Close(); err != nil {
		s.Error(err)
	}
}

// play performs a script, a line at a time:
//
//	lvsm# COMMAND    a shell on lvsm runs it, and it exits 0
//	says TEXT        the last command printed that
//	goes to lvss     in the end all resources run on lvss, by its own word
//	all on lvss      likewise, and they stay there, and it alone answers
//	power-off lvsm   or another fault, with its options as "quorate lab fault" has
//	                 them; after "heal" all nodes are at work again
//
// $VIP is the lab's address, and $SHARED a directory that all hosts see.
func (s *scene) play(script string) {
	s.Helper()
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := s.perform(s.expand(line)); err != nil {
			s.Fatalf("%s\n%v", line, err)
		}
	}
}

// powerOff takes a node's power, and returns when nobody could hear it any more.
func (s *scene) powerOff(node string) time.Duration {
	s.Helper()
	steps, err := s.Fault(s.Context(), PowerOff, node)
	if err != nil {
		s.Fatal(err)
	}
	return steps[0].At
}

// says waits until the page that a daemon serves at the address says a text: a daemon
// that runs may not listen yet.
func (s *scene) says(text string) {
	s.Helper()
	s.eventually("client", s.expand(get("$VIP/8000", "GET /page HTTP/1.0")), text)
}

func (s *scene) expand(text string) string {
	return strings.NewReplacer("$VIP", VIP.String(), "$SHARED", s.Shared()).Replace(text)
}

func (s *scene) perform(line string) error {
	if host, command, ok := strings.Cut(line, "# "); ok {
		return s.types(host, command)
	}
	if text, ok := strings.CutPrefix(line, "says "); ok {
		if !strings.Contains(s.said, text) {
			return fmt.Errorf("it said:\n%s", s.said)
		}
		return nil
	}
	if text, ok := strings.CutPrefix(line, "never says "); ok {
		if strings.Contains(s.said, text) {
			return fmt.Errorf("it said:\n%s", s.said)
		}
		return nil
	}
	if node, ok := strings.CutPrefix(line, "goes to "); ok {
		return s.await(node)
	}
	if node, ok := strings.CutPrefix(line, "all on "); ok {
		return s.allOn(node)
	}
	t, err := parseTrouble(strings.Fields(line))
	if err != nil {
		return err
	}
	if _, err := s.Strike(s.Context(), t); err != nil || t.Fault != Heal || t.Network != "" {
		return err
	}
	_, err = s.cluster.Settled(s.Context())
	return err
}

// parseTrouble reads FAULT HOST [--OPTION VALUE]...
func parseTrouble(words []string) (Trouble, error) {
	if len(words) < 2 || len(words)%2 != 0 {
		return Trouble{}, errors.New("this is neither a command nor a fault")
	}
	t := Trouble{Fault: Fault(words[0]), Host: words[1]}
	for option := range slices.Chunk(words[2:], 2) {
		var err error
		switch value := option[1]; option[0] {
		case "--network":
			t.Network = value
		case "--way":
			t.Way = Way(value)
		case "--peer":
			t.Peer = value
		case "--percent":
			t.Percent, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("%s is unknown", option[0])
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

func (s *scene) types(host, command string) (err error) {
	s.said, err = s.Output(s.Context(), host, "sh", "-c", command)
	s.Logf("%s# %s\n%s", host, command, s.said[:min(len(s.said), 2000)])
	return err
}

// allOn waits until all runs on a node, by its own word and by who answers for
// the address, and goes on only if that stays so.
func (s *scene) allOn(node string) error {
	if err := s.await(node); err != nil {
		return err
	}
	stop, err := s.Meter(VIP)
	if err != nil {
		return err
	}
	err = pause(s.Context(), calm)
	seen, meterErr := stop()
	if err = errors.Join(err, meterErr); err != nil {
		return err
	}
	for _, span := range seen.Answered {
		if span.Node != node {
			return fmt.Errorf("%s answers for the address: %+v", span.Node, seen.Answered)
		}
	}
	if len(seen.Answered) == 0 {
		return errors.New("nobody answers for the address")
	}
	return s.allSaidOn(node)
}

// await waits until all runs on a node, by its own word.
func (s *scene) await(node string) error {
	return await(s.Context(), "all on "+node, func() error { return s.allSaidOn(node) })
}

func (s *scene) allSaidOn(node string) error {
	v, err := s.cluster.View(s.Context(), node)
	if err != nil {
		return err
	}
	for _, r := range v.GetState().GetResources() {
		if v.Owners[r.GetId()] != node {
			return fmt.Errorf("%s runs on %q", r.GetId(), v.Owners[r.GetId()])
		}
	}
	return nil
}

// until waits until a command says something.
func (s *scene) until(host, what, command, text string) {
	s.Helper()
	err := await(s.Context(), what, func() error {
		out, err := s.Output(s.Context(), host, "sh", "-c", command)
		if err == nil && !strings.Contains(out, text) {
			err = fmt.Errorf("%s said:\n%s", command, out)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}

// fails types a command that must exit with a status, and returns the one line
// of error that it prints.
func (s *scene) fails(status int, host, command string) string {
	s.Helper()
	err := s.types(host, command)
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Code != status {
		s.Errorf("%s# %s\nended with %v, want exit status %d", host, command, err, status)
		return ""
	}
	s.Logf("%s", exit.Stderr)
	if line := strings.TrimSpace(exit.Stderr); line == "" || strings.Contains(line, "\n") {
		s.Errorf("%s# %s\nsaid %q, want one line", host, command, line)
	}
	return exit.Stderr
}

// A client asks for the address, and perhaps a page, all the time; a meter
// looks who answers.
type client struct {
	*scene
	watch *observation
}

func (s *scene) client(page string) *client {
	s.Helper()
	watch, err := s.observe(s.Context(), VIP, s.expand(page), nil)
	if err != nil {
		s.Fatal(err)
	}
	return &client{s, watch}
}

// ends stops the client, checks that no two nodes ever answered it and that
// the last to do so is the owner, and logs what it saw.
func (c *client) ends(owner string) observed {
	c.Helper()
	seen, err := c.watch.stop()
	if err != nil {
		c.Fatal(err)
	}
	if seen.meter.Double != 0 || seen.meter.Shared != 0 {
		c.Errorf("two nodes answered for %v: %+v; two served it for %v: %+v", seen.meter.Double, seen.meter.Answered, seen.meter.Shared, seen.meter.Served)
	}
	if len(seen.meter.Served) == 0 || seen.meter.Missed > 0 {
		c.Errorf("the kernels tell of %+v, and had %d times more to say than was read", seen.meter.Served, seen.meter.Missed)
	}
	end := slices.MaxFunc(seen.meter.Present, func(a, b Span) int { return int(a.To - b.To) }).To
	for _, span := range seen.meter.Present {
		if span.To == end && span.Node != owner {
			c.Errorf("in the end %s has the address, want %s: %+v", span.Node, owner, seen.meter.Present)
		}
	}
	for _, t := range seen.tallies {
		c.Logf("%s: %d probes, %d lost (%d of them late)%s, gaps %v", t.Kind, t.Sent, t.Lost, t.Late, statuses(t), t.Gaps)
	}
	return seen
}

// unanswered returns the gaps that were an owner's, and not the busy machine's.
func unanswered(t Tally, since time.Duration) []Gap {
	return slices.DeleteFunc(slices.Clone(t.Gaps), func(g Gap) bool { return g.To <= since || g.Lost == g.Late })
}

// file makes a file, as of $SHARED.
func (s *scene) file(path, text string, mode os.FileMode) {
	s.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		s.Fatal(err)
	}
}

// form makes a cluster that keeps the address on the first node.
func (s *scene) form() {
	s.Helper()
	s.formAs(Shape{})
}

// formAs does so with a cluster of another shape, as [Pair].
func (s *scene) formAs(shape Shape) {
	s.Helper()
	err := s.cluster.Form(s.Context(), shape)
	if err == nil {
		err = s.cluster.CreateVIP(s.Context())
	}
	if err == nil {
		_, err = s.cluster.Settled(s.Context())
	}
	if err != nil {
		s.Fatal(err)
	}
}

// in is the scene for a part of its test.
func (s *scene) in(t *testing.T) *scene {
	t.Helper()
	part := *s
	part.T = t
	return &part
}
