package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A Scene is something that people build, built in a lab and put to the test: what it
// promises is checked, and what it does is measured.
type Scene struct {
	Name, Summary string
	play          func(context.Context, *stage) error
}

// Scenes lists them. They need IPVS, and so a machine with a kernel that has it.
var Scenes = []Scene{
	{"ldirectord", "the director pair of the ldirectord tutorial, from its ldirectord.cf", playLdirectord},
	{"keepalived", "two machines that both balance and serve, from their keepalived.conf", playMachines},
	{"proxies", "HAProxy on both nodes behind a director that runs on one of them", playProxies},
	{"connections", "open downloads through a director that loses its power, and returns", playConnections},
	{"drain", "a real server that is drained under open downloads and steady visits", playDrain},
}

// FindScene finds a scene by its name.
func FindScene(name string) (Scene, error) {
	var names []string
	for _, s := range Scenes {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scene{}, fmt.Errorf("scene %q: use one of %s", name, strings.Join(names, ", "))
}

// A Play is scenes to be played one after the other in one lab.
type Play struct {
	Scenes      []Scene
	Requests    int  // of a benchmark
	Concurrency int  // of them at a time
	Connections int  // that are open when a director fails
	Brief       bool // what only tells figures, or is much like another part, is left out
	JSON        bool
}

// A Figure is something that a scene measured.
type Figure struct {
	Scene string  `json:"scene"`
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	Want  string  `json:"want,omitempty"` // what was promised; empty: nothing
}

// A stage is the lab in which scenes are played: lvsm and lvss may be directors, web1
// is their witness, and www1 and www2 are web servers.
type stage struct {
	*Lab
	Play
	cluster *Cluster
	out     io.Writer
	scene   string
	webs    []string                      // hosts that serve pages
	running map[string]context.CancelFunc // web servers beside agents, and what ends them
	started sync.WaitGroup
	figures []Figure
	broken  []error // promises
}

// webServers are the hosts of a stage that do nothing but serve pages.
var webServers = []string{"www1", "www2"}

// Run plays the scenes, and prints what they measured. The error says which promises
// were not kept.
func (p Play) Run(ctx context.Context, out, progress io.Writer) (err error) {
	spec := NewSpec(fmt.Sprintf("scene-%d", os.Getpid()), []string{"lvsm", "lvss", "web1"}, AgentCommand).WithWebServers()
	spec.Tied = true
	l, err := Up(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Down(context.WithoutCancel(ctx))) }()
	s := &stage{Lab: l, Play: p, out: progress, webs: webServers}
	s.cluster = &Cluster{Lab: l, Said: s.typed}
	defer func() { err = errors.Join(err, s.cluster.Close()) }()
	if err := s.cluster.Form(ctx, Shape{Witness: "web1", Profile: "wan"}); err != nil {
		return err
	}
	for _, scene := range p.Scenes {
		s.scene = scene.Name
		s.say("\n== %s", scene.Summary)
		if err := errors.Join(scene.play(ctx, s), s.clear(ctx)); err != nil {
			s.logs()
			return fmt.Errorf("scene %s: %w", scene.Name, err)
		}
	}
	if err := s.late(ctx); err != nil {
		return err
	}
	return errors.Join(s.print(out), errors.Join(s.broken...))
}

// late notes how late the agents' beats were at worst, and how often one lost its lease
// for that: on a machine that stood still no cluster keeps what it promises.
func (s *stage) late(ctx context.Context) error {
	s.scene = "all"
	var worst time.Duration
	var lapses uint64
	for _, n := range s.Spec.Nodes() {
		var l *pb.LeaseStatus
		err := await(ctx, "the word of "+n, func() error {
			r, err := s.cluster.Get(ctx, n)
			l = r.GetLease()
			return err
		})
		if err != nil {
			return err
		}
		worst = max(worst, l.GetWorstBeatDelay().AsDuration())
		lapses += l.GetLapses()
	}
	s.measured("the latest beat of the agents that run", worst.Seconds(), "s")
	s.measured("leases that they lost", float64(lapses), "")
	return nil
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *stage) typed(host, command string) { s.say("%s# %s", host, command) }

// types has a shell on a host run a line, and returns what it printed.
func (s *stage) types(ctx context.Context, host, line string) (string, error) {
	s.typed(host, line)
	return s.Output(ctx, host, "sh", "-c", line)
}

// script types lines on the first node, one after the other.
func (s *stage) script(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		if _, err := s.types(ctx, s.Spec.Nodes()[0], line); err != nil {
			return err
		}
	}
	return nil
}

// measured notes a figure.
func (s *stage) measured(what string, value float64, unit string) {
	s.promised(what, value, unit, "", true)
}

// promised notes a figure of which something was promised, and whether that was kept.
func (s *stage) promised(what string, value float64, unit, want string, kept bool) {
	f := Figure{s.scene, what, round(value), unit, want}
	s.figures = append(s.figures, f)
	s.say("-- %s: %v %s", what, f.Value, unit)
	if !kept {
		s.broken = append(s.broken, fmt.Errorf("%s: %s: %v %s, promised was %s", s.scene, what, f.Value, unit, want))
	}
}

// clear takes the scene's resources away. The cluster stays for the next one.
func (s *stage) clear(ctx context.Context) error {
	v, err := s.cluster.Settled(ctx)
	if err != nil {
		return err
	}
	var names, grouped []string
	for _, g := range v.GetState().GetGroups() {
		names, grouped = append(names, g.Id), append(grouped, g.Members...)
	}
	for _, r := range v.GetState().GetResources() {
		if !slices.Contains(grouped, r.Id) {
			names = append(names, r.Id)
		}
	}
	for _, name := range names {
		if err := s.script(ctx, "quorate resource delete "+name+" --force --wait=60"); err != nil {
			return err
		}
	}
	return nil
}

// logs prints the end of what the agents wrote, for whoever must find out why.
func (s *stage) logs() {
	for _, n := range s.Spec.Nodes() {
		if text, err := os.ReadFile(s.Log(n)); err == nil {
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			s.say("\n-- the agent of %s said last:\n%s", n, strings.Join(lines[max(0, len(lines)-25):], "\n"))
		}
	}
}

func (s *stage) print(out io.Writer) error {
	if s.JSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(s.figures)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range s.figures {
		want := ""
		if f.Want != "" {
			want = "promised: " + f.Want
		}
		fmt.Fprintf(t, "%s\t%s\t%v %s\t%s\n", f.Scene, f.What, f.Value, f.Unit, want)
	}
	return t.Flush()
}
