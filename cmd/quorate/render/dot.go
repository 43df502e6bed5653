package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// DOT writes a plan for Graphviz: a lane (there a cluster) for each node, and an
// arrow from each step to those that wait for it.
func DOT(w io.Writer, f *pb.Forecast) error {
	var b strings.Builder
	b.WriteString("digraph plan {\n  rankdir=LR\n  node [shape=box style=rounded fontname=\"sans-serif\"]\n")
	for lane, node := range lanes(f) {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s\n", lane, strconv.Quote(laneName(node)))
		for i, s := range f.GetSteps() {
			if s.GetNode() == node {
				fmt.Fprintf(&b, "    s%d [label=%s%s tooltip=%s]\n", i, strconv.Quote(stepText(s)), dashed(s, " style=\"rounded,dashed\""), strconv.Quote(s.GetReason()))
			}
		}
		b.WriteString("  }\n")
	}
	for i, s := range f.GetSteps() {
		for _, before := range s.GetAfter() {
			fmt.Fprintf(&b, "  s%d -> s%d\n", before, i)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// lanes returns the nodes that have something to do, each at its first step.
func lanes(f *pb.Forecast) []string {
	var list []string
	seen := make(map[string]bool)
	for _, s := range f.GetSteps() {
		if !seen[s.GetNode()] {
			seen[s.GetNode()] = true
			list = append(list, s.GetNode())
		}
	}
	return list
}

func laneName(node string) string {
	if node == "" {
		return "cluster" // steps that run nowhere
	}
	return node
}

func stepText(s *pb.PlannedStep) string {
	return strings.TrimSpace(s.GetOperation() + " " + s.GetResource())
}

// dashed returns a style for steps that run nothing themselves.
func dashed(s *pb.PlannedStep, style string) string {
	if s.GetPseudo() {
		return style
	}
	return ""
}
