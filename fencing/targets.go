package fencing

import (
	"fmt"
	"regexp"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// How the target of a level begins that names nodes in another way than by name, as
// pcs writes it.
const (
	patternTarget   = "regexp%"
	attributeTarget = "attrib%"
	nodeTarget      = "node%" // by name, too
)

// PatternTarget is the target of a level for the nodes whose name holds what a POSIX
// extended regular expression describes.
func PatternTarget(pattern string) string { return patternTarget + pattern }

// AttributeTarget is the target of a level for the nodes with a value of an attribute.
func AttributeTarget(name, value string) string { return attributeTarget + name + "=" + value }

// A LevelTarget is the target of a level, taken apart: one of the three is set.
type LevelTarget struct {
	Node             string
	Pattern          string
	Attribute, Value string
}

// ParseTarget takes the target of a level apart; the error says what is wrong with it.
func ParseTarget(text string) (LevelTarget, error) {
	if pattern, ok := strings.CutPrefix(text, patternTarget); ok {
		if _, err := regexp.CompilePOSIX(pattern); err != nil || pattern == "" {
			return LevelTarget{}, fmt.Errorf("%q is no extended regular expression", pattern)
		}
		return LevelTarget{Pattern: pattern}, nil
	}
	if pair, ok := strings.CutPrefix(text, attributeTarget); ok {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" {
			return LevelTarget{}, fmt.Errorf("%q is no attribute with its value", pair)
		}
		return LevelTarget{Attribute: name, Value: value}, nil
	}
	return LevelTarget{Node: strings.TrimPrefix(text, nodeTarget)}, nil
}

// String is the target in the form in which it is kept.
func (t LevelTarget) String() string {
	switch {
	case t.Pattern != "":
		return PatternTarget(t.Pattern)
	case t.Attribute != "":
		return AttributeTarget(t.Attribute, t.Value)
	}
	return t.Node
}

// Fits reports whether a node is meant. Of its attributes those count that people
// have set.
func (t LevelTarget) Fits(n *pb.Node) bool {
	switch {
	case t.Pattern != "":
		e, err := regexp.CompilePOSIX(t.Pattern)
		return err == nil && e.MatchString(n.GetName())
	case t.Attribute != "":
		return n.GetAttributes()[t.Attribute] == t.Value
	}
	return t.Node == n.GetName()
}

// TargetFor is the target whose levels count for a node: its name, else the first in
// order that fits it; empty: there is none. Those of several never count together.
//
// Source: Pacemaker Explained 3.0, "Fencing Topologies"; which of several counts is
// not said there.
func TargetFor(levels []*pb.FencingLevel, n *pb.Node) (first string) {
	for _, l := range levels {
		t, err := ParseTarget(l.GetTarget())
		switch {
		case err != nil || !t.Fits(n):
		case t.Node != "":
			return l.Target
		case first == "" || l.Target < first:
			first = l.Target
		}
	}
	return first
}
