package scheduler

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// drawState draws a state in the notation of parse.
func drawState(t *rapid.T) string {
	b := &strings.Builder{}
	var nodes, resources []string
	for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
		name := fmt.Sprintf("n%d", i+1)
		nodes = append(nodes, name)
		word := rapid.SampledFrom([]string{"online", "online", "online", "standby", "stopped", "gone", "new", "witness", "maintenance", "up=1m"}).Draw(t, "node")
		fmt.Fprintf(b, "%s %s %s,", name, word, rapid.SampledFrom([]string{"", "rack=1", "rack=2", "cpu:3", "cpu:1 rack=1", "master-r1=5 master-r2=1 master-r3=1", "master-r1=10 master-r2=5 rack=1"}).Draw(t, "node's own"))
	}
	state := strings.TrimSuffix(b.String(), ",")
	b.Reset()
	for i := range rapid.IntRange(1, 6).Draw(t, "resources") {
		name := fmt.Sprintf("r%d", i+1)
		resources = append(resources, name)
		fmt.Fprintf(b, "\n%s %s", name, drawWords(t, nodes))
	}
	if rapid.Bool().Draw(t, "grouped") && len(resources) > 2 {
		fmt.Fprintf(b, "\ngroup g r1 r2 r3")
		resources = append(resources, "g")
	}
	resources = append(resources, drawClones(t, b, &resources)...)
	for range rapid.IntRange(0, 5).Draw(t, "constraints") {
		fmt.Fprintf(b, "\n%s", drawConstraint(t, nodes, resources))
	}
	if rapid.Bool().Draw(t, "sticky") {
		fmt.Fprint(b, "\ndefault resource-stickiness=1")
	}
	fmt.Fprintf(b, "\nproperty placement-strategy=%s", rapid.SampledFrom([]string{"default", "default", "utilization", "balanced", "minimal"}).Draw(t, "strategy"))
	fmt.Fprintf(b, "\ndefault failback=%s", rapid.SampledFrom([]string{"score", "score", "manual", "auto", "delay 10m"}).Draw(t, "failback"))
	return state + b.String()
}

// drawClones draws clones, and takes what is in them from the names that
// constraints may use.
func drawClones(t *rapid.T, b *strings.Builder, names *[]string) []string {
	var clones []string
	for i, member := range *names {
		inGroup := slices.Contains(*names, "g") && i < 3
		if inGroup || rapid.IntRange(0, 3).Draw(t, "cloned") > 0 {
			continue
		}
		clone := "c" + member
		fmt.Fprintf(b, "\nclone %s %s %s", clone, member, rapid.SampledFrom([]string{
			"", "", "promotable=true", "promotable=true", "promotable=true promoted-max=2 interleave=true", "promotable=true target-role=Unpromoted", "promotable=true clone-max=2", "clone-max=1", "clone-max=2", "clone-max=0", "interleave=true", "ordered=true", "target-role=Stopped", "priority=5",
		}).Draw(t, "clone"))
		clones = append(clones, clone)
	}
	*names = slices.DeleteFunc(*names, func(n string) bool {
		return slices.Contains(clones, "c"+n) || slices.Contains(clones, "cg") && slices.Contains([]string{"r1", "r2", "r3"}, n)
	})
	return clones
}

func drawWords(t *rapid.T, nodes []string) string {
	words := []string{}
	used := map[string]bool{}
	for _, w := range []string{
		rapid.SampledFrom([]string{"", "on", "on", "found", "failed", "blocked", "lost", "owned", "ran", "changed", "restart", "starting", "stopping", "promoted", "failed-promoted", "promoting", "demoting"}).Draw(t, "where"),
		rapid.SampledFrom([]string{"", "", "found", "broken", "unknown", "probing", "found-promoted", "on"}).Draw(t, "also"),
	} {
		n := rapid.SampledFrom(nodes).Draw(t, "at")
		if w != "" && !used[n] {
			used[n] = true
			words = append(words, w, n)
		}
	}
	extra := rapid.SampledFrom([]string{
		"", "", "", "reloadable", "priority=5", "resource-stickiness=100", "resource-stickiness=INFINITY",
		"target-role=Stopped", "cpu:1", "cpu:2 priority=3", "critical=false", "is-managed=false", "deleting", "move=n1", "catch-up", "catch-up move=n1", "migration-threshold=2 fails=n1:2",
	}).Draw(t, "extra")
	return strings.Join(append(words, extra), " ")
}

func drawConstraint(t *rapid.T, nodes, resources []string) string {
	pick := func(label string) string { return rapid.SampledFrom(resources).Draw(t, label) }
	score := rapid.SampledFrom([]string{"INFINITY", "INFINITY", "100", "1", "-1", "-100", "-INFINITY"}).Draw(t, "score")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 3:
		return "constraint " + drawWordy(t, pick, parseScore(score, 0))
	case 0:
		return fmt.Sprintf("%s prefers %s=%s", pick("resource"), rapid.SampledFrom(nodes).Draw(t, "node"), score)
	case 1:
		return fmt.Sprintf("%s with %s %s", pick("dependent"), pick("primary"), score)
	default:
		return fmt.Sprintf("%s then %s %s", pick("first"), pick("then"), rapid.SampledFrom([]string{"", "optional", "serialize", "asymmetrical"}).Draw(t, "order"))
	}
}

// drawWordy draws a constraint that only prototext can say.
func drawWordy(t *rapid.T, pick func(string) string, score int64) string {
	a, b, c := pick("first"), pick("second"), pick("third")
	set := fmt.Sprintf(`sets{resources:[%q,%q] parallel:%t} sets{resources:%q}`, a, b, rapid.Bool().Draw(t, "parallel"), c)
	said := rapid.SampledFrom([]string{
		fmt.Sprintf(`location{resource:%q score:%d rule{conditions{attribute{attribute:"rack" comparison:COMPARISON_EQ value:"1"}}}}`, a, score),
		fmt.Sprintf(`location{resource:%q score:%d discovery:DISCOVERY_EXCLUSIVE rule{conditions{attribute{attribute:"rack" comparison:COMPARISON_DEFINED}}}}`, a, score),
		fmt.Sprintf(`location{resource:%q score_attribute:"rack" rule{conditions{date{operation:DATE_OPERATION_GT start:"2026-01-01"}}}}`, a),
		fmt.Sprintf(`colocation{score:%d %s}`, score, set),
		fmt.Sprintf(`colocation{resource:%q with:%q score:%d node_attribute:"rack" influence:false}`, a, b, score),
		fmt.Sprintf(`order{%s}`, set),
		fmt.Sprintf(`order{kind:ORDER_KIND_OPTIONAL %s}`, set),
		fmt.Sprintf(`order{sets{resources:[%q,%q] any:true} sets{resources:%q}}`, a, b, c),
		fmt.Sprintf(`order{first:%q then:%q first_action:ORDER_ACTION_STOP asymmetrical:true}`, a, b),
		fmt.Sprintf(`location{resource:%q node:"n2" score:%d role:INSTANCE_ROLE_PROMOTED}`, a, score),
		fmt.Sprintf(`colocation{resource:%q with:%q score:%d with_role:INSTANCE_ROLE_PROMOTED}`, a, b, score),
		fmt.Sprintf(`colocation{resource:%q with:%q score:%d role:INSTANCE_ROLE_PROMOTED}`, a, b, score),
		fmt.Sprintf(`order{first:%q then:%q first_action:ORDER_ACTION_PROMOTE}`, a, b),
		fmt.Sprintf(`order{first:%q then:%q then_action:ORDER_ACTION_PROMOTE}`, a, b),
	}).Draw(t, "wordy")
	return fmt.Sprintf("id:%q %s", strings.ReplaceAll(said, `"`, "'"), said) // what differs has another id
}

// legal takes from a drawn state what no cluster can come to: what nodes that
// are not admitted own, do, or are known to run, and constraints of a thing on
// itself or of a group on its member, which are refused.
func legal(s *pb.State) *pb.State {
	s.Constraints = slices.DeleteFunc(s.Constraints, func(c *pb.Constraint) bool {
		names := constraint.Names(c)
		for _, g := range s.Groups {
			if slices.Contains(names, g.Id) && slices.ContainsFunc(names, func(n string) bool { return slices.Contains(g.Members, n) }) {
				return true
			}
		}
		return len(slices.Compact(slices.Sorted(slices.Values(names)))) < len(names)
	})
	reachable := make(map[string]bool)
	for _, n := range s.Nodes {
		reachable[n.Id] = (&node{Node: n}).reachable()
	}
	s.Assignments = slices.DeleteFunc(s.Assignments, func(a *pb.Assignment) bool { return !reachable[a.Node] })
	s.Operations = slices.DeleteFunc(s.Operations, func(o *pb.Operation) bool { return !reachable[o.Node] })
	for _, i := range s.Instances {
		if !reachable[i.Node] {
			i.State = stopped
		}
		i.Promoted = i.Promoted && i.State != stopped && promotedMax(s, i.Resource) > 0
	}
	owners := make(map[string]int)
	s.Assignments = slices.DeleteFunc(s.Assignments, func(a *pb.Assignment) bool {
		owners[a.Resource]++
		return owners[a.Resource] > max(1, copies(s, a.Resource))
	})
	return legalPromotions(s)
}

// legalPromotions takes away what nobody had a right to: being promoted where
// nothing is promotable, or on more nodes than may.
func legalPromotions(s *pb.State) *pb.State {
	s.Operations = slices.DeleteFunc(s.Operations, func(o *pb.Operation) bool {
		return (o.Kind == promote || o.Kind == demote) && promotedMax(s, o.Resource) == 0
	})
	for _, a := range s.Assignments {
		a.Promoted = a.Promoted && promotedMax(s, a.Resource) > 0
	}
	return s
}

// describe prints everything a plan says.
func describe(p *Plan) string {
	b := &strings.Builder{}
	for _, s := range p.Steps {
		fmt.Fprintf(b, "%+v\n", s)
	}
	for _, pl := range p.Placements {
		fmt.Fprintf(b, "%s on %q, is on %q: %s %q\n", pl.Resource, pl.Node, pl.Current, pl.Reason(), pl.Blocked)
		for _, n := range pl.Scores() {
			fmt.Fprintf(b, "  %s %d", n.Node, n.Score)
			for _, r := range n.Reasons {
				fmt.Fprintf(b, " %d %s %q;", r.Score, r.Source, r.Text)
			}
			fmt.Fprintln(b)
		}
	}
	fmt.Fprintf(b, "%v %q", p.Next, p.Problems)
	return b.String()
}

func TestSameInputSamePlan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawState(rt)
		s := legal(parse(t, text))
		before := proto.CloneOf(s)
		want := describe(Schedule(s, noon))
		if !proto.Equal(s, before) {
			rt.Fatalf("Schedule changed the state\n%s", text)
		}
		shuffle(s, rand.New(rand.NewSource(rapid.Int64().Draw(rt, "seed"))))
		if got := describe(Schedule(s, noon)); got != want {
			rt.Errorf("%s\nshuffled, got\n%s\nwant\n%s", text, got, want)
		}
	})
}

func shuffle(s *pb.State, r *rand.Rand) {
	mix(r, s.Nodes)
	mix(r, s.Resources)
	mix(r, s.Groups)
	mix(r, s.Constraints)
	mix(r, s.Assignments)
	mix(r, s.Instances)
	mix(r, s.Operations)
}

func mix[E any](r *rand.Rand, list []E) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// S4 by a second, naive reading of the state: what is dispatched at once.
func TestS4OfEveryReadyStart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawState(rt)
		s := legal(parse(t, text))
		for _, step := range Schedule(s, noon).Ready() {
			if step.Kind == start {
				mayStart(rt, s, step, text)
			}
		}
	})
}

func mayStart(t *rapid.T, s *pb.State, step Step, text string) {
	others := map[string]string{}
	for _, a := range s.Assignments {
		if a.Resource == step.Resource {
			others[a.Node] = "owns it"
		}
	}
	for _, o := range s.Operations {
		if o.Resource == step.Resource {
			others[o.Node] = fmt.Sprintf("has a %v under way", o.Kind)
		}
	}
	for _, n := range s.Nodes {
		if n.Id == step.Node || n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Role == pb.Role_ROLE_WITNESS {
			continue
		}
		known := slices.ContainsFunc(s.Instances, func(i *pb.Instance) bool {
			return i.Resource == step.Resource && i.Node == n.Id && i.Epoch == n.Epoch && i.State == stopped
		})
		if !known {
			others[n.Id] = "may run it"
		}
	}
	if why, busy := others[step.Node]; busy {
		t.Errorf("%s\nstart %s on %s, which %s", text, step.Resource, step.Node, why)
	}
	if len(others) >= copies(s, step.Resource) {
		t.Errorf("%s\nstart %s on %s: %v", text, step.Resource, step.Node, others)
	}
}

func TestStepsComeAfterWhatTheyWaitFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawState(rt)
		p := Schedule(legal(parse(t, text)), noon)
		for i, s := range p.Steps {
			if len(s.After) > 0 && slices.Max(s.After) >= i {
				rt.Errorf("%s\nstep %d waits for %v", text, i, s.After)
			}
			if s.Reason == "" {
				rt.Errorf("S6: %s\nstep %d has no reason", text, i)
			}
		}
	})
}

// S7: plans come to an end, and then everything is where it belongs.
func TestAFinishedPlanIsFollowedByNone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawState(rt)
		m := newModel(rt, legal(parse(t, text)))
		rt.Log(text)
		m.forgets = rapid.Bool().Draw(rt, "forgets") && !dependsOnWhatRuns(text)
		p := m.settle(rand.New(rand.NewSource(rapid.Int64().Draw(rt, "seed"))).Intn)
		if len(p.Steps) > 0 {
			rt.Fatalf("%s\nfinished, and yet to do:\n%s", text, p)
		}
		for _, pl := range p.Placements {
			checkSettled(rt, m, pl, text)
		}
		for _, r := range m.s.Resources {
			if on := len(m.really[r.Id]); on > copies(m.s, r.Id) && !leftAlone(p, r.Id) {
				rt.Errorf("S1: %s\n%s runs on %d nodes", text, r.Id, on)
			}
			if on := len(m.promoted[r.Id]); on > promotedMax(m.s, r.Id) && !leftAlone(p, r.Id) {
				rt.Errorf("S1: %s\n%s is promoted on %d nodes", text, r.Id, on)
			}
		}
	})
}

// dependsOnWhatRuns reports whether a dependent has no say about a primary that
// runs, but has one before ("influence" and "critical", Pacemaker Explained): then
// where a primary belongs depends on where it ran last, which must be known. So it does
// where members of a limited clone are left alone on more nodes than it may run on: whether
// another member has a place beside one of them depends on whether it runs there.
func dependsOnWhatRuns(text string) bool {
	has := func(word string) bool { return strings.Contains(text, word) }
	leftAlone := has("is-managed=false") || has("maintenance") || has("blocked")
	return has("critical=false") || has("influence:false") || has("clone-max") && leftAlone
}

func checkSettled(t *rapid.T, m *model, pl Placement, text string) {
	if len(pl.Blocked) > 0 || strings.Contains(pl.Reason(), " is left ") {
		return
	}
	var at []string
	for n := range m.really[pl.Resource] {
		if pl.Instance == "" || pl.Instance == n {
			at = append(at, n)
		}
	}
	if promoted := m.promoted[pl.Resource][pl.Instance]; promoted != pl.Promoted {
		t.Errorf("%s\n%s on %q: it is to be promoted: %t; it is: %t", text, pl.Resource, pl.Node, pl.Promoted, promoted)
	}
	if pl.Node == "" && len(at) > 0 || pl.Node != "" && !slices.Equal(at, []string{pl.Node}) {
		t.Errorf("%s\n%s belongs on %q and runs on %q: %s", text, pl.Resource, pl.Node, at, pl.Reason())
	}
}

// leftAlone reports whether some of a resource is left alone where it is.
func leftAlone(p *Plan, resource string) bool {
	return slices.ContainsFunc(p.Placements, func(pl Placement) bool {
		return pl.Resource == resource && (len(pl.Blocked) > 0 || strings.Contains(pl.Reason(), " is left "))
	})
}
