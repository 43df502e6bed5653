package ipvs

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A pool is a service of two real servers that are up while a file of each is there,
// whose programs write down that they ran.
type quorumPool struct {
	t    *testing.T
	dir  string
	mu   sync.Mutex
	told []string
}

func newQuorumPool(t *testing.T) *quorumPool {
	t.Helper()
	p := &quorumPool{t: t, dir: t.TempDir()}
	if err := os.WriteFile(p.path("note"), []byte("#!/bin/sh\necho \"$@\" >> "+p.path("said")+"\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	p.up("21", "22")
	return p
}

func (p *quorumPool) path(name string) string { return filepath.Join(p.dir, name) }

func (p *quorumPool) up(servers ...string) {
	for _, s := range servers {
		if err := os.WriteFile(p.path(s), nil, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *quorumPool) down(server string) {
	if err := os.Remove(p.path(server)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *quorumPool) config(options string) string {
	real := func(n string) string {
		return fmt.Sprintf("real 10.0.0.%[1]s up=%[2]q down=%[3]q; check program command=\"/usr/bin/test -e %[4]s\" interval=100ms timeout=30s rise=1 fall=1\n",
			n, p.path("note")+" up "+n, p.path("note")+" down "+n, p.path(n))
	}
	return fmt.Sprintf("virtual 10.0.0.1:80 scheduler=rr %s up=%q down=%q\n", options, p.path("note")+" quorum", p.path("note")+" no quorum") +
		real("21") + real("22") + "sorry 10.0.0.30\n"
}

func (p *quorumPool) tell(e *pb.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, e.Kind)
}

// expect waits until the programs have said so much since it was last called.
func (p *quorumPool) expect(when string, lines ...string) {
	p.t.Helper()
	slices.Sort(lines)
	var got []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		said, _ := os.ReadFile(p.path("said"))
		got = strings.Split(strings.TrimSpace(string(said)), "\n")
		slices.Sort(got)
		if slices.Equal(got, lines) {
			_ = os.Remove(p.path("said"))
			return
		}
	}
	p.t.Fatalf("%s: the programs said %q, want %q", when, got, lines)
}

// events waits until these have been told.
func (p *quorumPool) events(want ...string) {
	p.t.Helper()
	var got []string
	for end := time.Now().Add(patience); time.Now().Before(end) && !slices.Equal(got, want); time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		got = slices.Clone(p.told)
		p.mu.Unlock()
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("events %q, want %q", got, want)
	}
}

// A program that weighs its server is believed at once, and an agent that is restarted
// keeps what the table says until it has asked again.
func TestAServerWeighsWhatItsCheckSays(t *testing.T) {
	k, dir := onKernel(t), t.TempDir()
	file := filepath.Join(dir, "load")
	r := resource(fmt.Sprintf("virtual 10.0.0.1:80 scheduler=wrr; real 10.0.0.21 weight=5; check file file=%s weight=-1 interval=100ms; real 10.0.0.22", file))
	first := newDirector(dir)
	if err := first.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	watching(t, first, r)
	table := func(weight string) string {
		return "tcp 10.0.0.1:80 wrr\n  10.0.0.21:80 nat " + weight + "\n  10.0.0.22:80 nat 1\n"
	}
	eventually(t, k, table("5"))
	if err := os.WriteFile(file, []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, k, table("2"))
	again := newDirector(dir)
	if err := again.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if changes := again.changed(); len(changes) > 0 {
		t.Errorf("adopting it changed %v", changes)
	}
	if err := os.WriteFile(file, []byte("300"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, k, "tcp 10.0.0.1:80 wrr\n  10.0.0.22:80 nat 1\n")
	if err := first.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func TestBelowItsQuorumAServiceIsServedByItsSorryServer(t *testing.T) {
	k, p := onKernel(t), newQuorumPool(t)
	d := &director{}
	d.Agent = New(Config{RunDir: t.TempDir(), Log: slog.New(d), Tell: p.tell})
	r := resource(p.config("quorum=2 omega=yes"))
	if err := d.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	watching(t, d, r)
	const serving = "tcp 10.0.0.1:80 rr\n  10.0.0.21:80 nat 1\n  10.0.0.22:80 nat 1\n"
	eventually(t, k, serving)
	p.down("22")
	eventually(t, k, "tcp 10.0.0.1:80 rr\n  10.0.0.30:80 nat 1\n")
	p.expect("one of two", "down 22", "no quorum")
	p.up("22")
	eventually(t, k, serving)
	p.expect("both", "up 22", "quorum")
	p.events("server-down", "server-quorum-lost", "server-up", "server-quorum-gained")
	if err := d.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	p.expect("stopped", "down 21", "down 22", "no quorum")
}

// An agent that is restarted while the sorry server serves runs nothing again, and what
// was down is up only when its check has said so.
func TestADirectorThatIsAdoptedBelowItsQuorumTellsNothingAgain(t *testing.T) {
	k, p, dir := onKernel(t), newQuorumPool(t), t.TempDir()
	p.down("21")
	p.down("22")
	r := resource(p.config("quorum=2 alpha=yes"))
	first := newDirector(dir)
	if err := first.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	const sorry = "tcp 10.0.0.1:80 rr\n  10.0.0.30:80 nat 1\n"
	eventually(t, k, sorry)
	again := newDirector(dir)
	if err := again.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	watching(t, again, r)
	if changes := again.changed(); len(changes) > 0 {
		t.Errorf("adopting it changed %v", changes)
	}
	if state, err := again.Monitor(t.Context(), r); state != resources.Running || err != nil {
		t.Errorf("it is %v, %v", state, err)
	}
	p.up("21", "22")
	p.expect("both", "up 21", "up 22", "quorum")
	eventually(t, k, "tcp 10.0.0.1:80 rr\n  10.0.0.21:80 nat 1\n  10.0.0.22:80 nat 1\n")
	if err := again.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}
