package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// A Simulation is what crm_simulate prints: how things are, what each node is
// worth, what would be done and where that ends.
type Simulation struct {
	Nodes      []NodeIs
	Before     []Placed
	NodeScores []Scored
	Forecast   *pb.Forecast

	Scores bool // print what nodes are worth
	Steps  bool // print each step and where everything ends
	Quiet  bool // print what would be done only
}

// NodeIs is a node and what it is: online, offline, standby and so on.
type NodeIs struct{ Name, State string }

// Placed is a resource and one of the places where it runs.
type Placed struct {
	Resource string
	Place    *pb.Place
}

// Scored is a resource, or an instance of it, and what each node is worth to it.
type Scored struct {
	Resource string
	Scores   []*pb.NodeScore
}

// PlacedAs says of a resource where it runs; nowhere is one without a place.
func PlacedAs(resource string, places []*pb.Place) []Placed {
	if len(places) == 0 {
		return []Placed{{Resource: resource}}
	}
	list := make([]Placed, len(places))
	for i, p := range places {
		list[i] = Placed{resource, p}
	}
	return list
}

// Write prints the simulation under the headings of Pacemaker's program.
func (s *Simulation) Write(w io.Writer, o Options) error {
	var b strings.Builder
	if !s.Quiet {
		section(&b, o, "Current cluster status:")
		s.drawNodes(&b)
		drawPlaced(&b, s.Before)
	}
	if s.Scores {
		section(&b, o, "Allocation scores:")
		s.drawScores(&b, o)
	}
	section(&b, o, "Transition Summary:")
	s.drawSummary(&b)
	if s.Steps {
		section(&b, o, "Executing Cluster Transition:")
		for _, step := range s.Forecast.GetSteps() {
			fmt.Fprintln(&b, "  * "+stepLine(step))
		}
	}
	if s.Steps && !s.Quiet {
		section(&b, o, "Revised Cluster Status:")
		drawPlaced(&b, s.after())
	}
	return write(w, &b)
}

// drawNodes lists the nodes by what they are.
func (s *Simulation) drawNodes(b *strings.Builder) {
	var states []string
	names := make(map[string][]string)
	for _, n := range s.Nodes {
		if names[n.State] == nil {
			states = append(states, n.State)
		}
		names[n.State] = append(names[n.State], n.Name)
	}
	for _, state := range states {
		fmt.Fprintf(b, "  * %s: [ %s ]\n", capital(state), strings.Join(names[state], " "))
	}
}

func capital(s string) string {
	if s == "" {
		return "Unknown"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// drawPlaced lists resources with their roles and nodes, a line each.
func drawPlaced(b *strings.Builder, list []Placed) {
	t := Table{Indent: "  * "}
	for i := 0; i < len(list); {
		id := list[i].Resource
		roles := make(map[string][]string)
		for ; i < len(list) && list[i].Resource == id; i++ {
			if p := list[i].Place; p.GetNode() != "" {
				roles[p.GetRole()] = append(roles[p.GetRole()], p.GetNode())
			}
		}
		var where []string
		for _, role := range []string{"Promoted", "Unpromoted", "Started"} {
			if at := roles[role]; len(at) > 0 {
				slices.Sort(at)
				where = append(where, role+" "+strings.Join(at, " "))
			}
		}
		if len(where) == 0 {
			where = []string{"Stopped"}
		}
		t.Row(Text(id, strings.Join(where, ", "))...)
	}
	_ = t.Write(b, Palette{}) // a strings.Builder takes everything
}

func (s *Simulation) after() []Placed {
	var list []Placed
	for _, p := range s.Forecast.GetPlacements() {
		list = append(list, PlacedAs(p.GetResource(), p.GetPlaces())...)
	}
	return list
}

// drawScores draws a line for each resource and node, the best node first, with
// the parts of the score.
func (s *Simulation) drawScores(b *strings.Builder, o Options) {
	t := Table{Indent: "  * "}
	for _, r := range s.NodeScores {
		scores := slices.Clone(r.Scores)
		slices.SortStableFunc(scores, func(a, b *pb.NodeScore) int { return int(b.GetScore() - a.GetScore()) })
		for _, n := range scores {
			t.Row(Cell{Text: r.Resource}, Cell{Text: "on " + n.GetNode()}, Cell{scoreText(n.GetScore()), Strong}, Cell{parts(n), Faint})
		}
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func parts(n *pb.NodeScore) string {
	var list []string
	for _, r := range n.GetReasons() {
		list = append(list, fmt.Sprintf("%s %s", r.GetSource(), scoreText(r.GetScore())))
	}
	return strings.Join(list, ", ")
}

func scoreText(n int64) string {
	const infinity = 1_000_000
	switch {
	case n >= infinity:
		return "INFINITY"
	case n <= -infinity:
		return "-INFINITY"
	}
	return fmt.Sprint(n)
}

func (s *Simulation) drawSummary(b *strings.Builder) {
	t := Table{Indent: "  * "}
	for _, node := range s.Forecast.GetFenced() {
		t.Row(Text("Fence", node)...)
	}
	for _, a := range s.Forecast.GetActions() {
		if a.GetNode() != "" {
			continue // a fencing
		}
		verb := capital(a.GetAction())
		if a.GetBlocked() {
			verb += " (blocked)"
		}
		reason := ""
		if a.GetReason() != "" {
			reason = "due to " + a.GetReason()
		}
		t.Row(Text(verb, actor(a), "( "+strings.TrimPrefix(way(a), "on ")+" )", reason)...)
	}
	_ = t.Write(b, Palette{}) // a strings.Builder takes everything
}

func stepLine(s *pb.PlannedStep) string {
	kind := "Resource action:"
	switch {
	case s.GetOperation() == "fence":
		return fmt.Sprintf("Fencing %s", s.GetNode())
	case s.GetPseudo():
		kind = "Pseudo action:"
	}
	return strings.TrimSpace(fmt.Sprintf("%-16s %s %s %s", kind, s.GetResource(), s.GetOperation(), onNode(s.GetNode())))
}
