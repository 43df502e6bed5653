package main

import (
	"context"
	"fmt"
	"slices"

	"quorate/cluster/constraint"
	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// transient are the sources of scores that come from where a resource is, not
// from where it should be.
var transient = []string{"stickiness", "failback", "move"}

// best returns the node, other than except, that suits a resource or group and
// all that must run with it best: by location constraints and failures, not by
// where they happen to be.
func (a *app) best(ctx context.Context, s *pb.State, id, except string) (string, error) {
	scores := make(map[string]int64)
	err := a.ask(ctx, readTimeout, func(ctx context.Context, c *client) error {
		for _, r := range bound(s, id) {
			resp, err := c.Why(ctx, &pb.WhyRequest{Resource: r})
			if err != nil {
				return err
			}
			addScores(scores, resp.GetScores(), relative(s))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	best := ""
	for _, n := range s.GetNodes() { // by name, so that ties are decided alike
		score, scored := scores[n.GetName()]
		if scored && score > -grammar.Infinity && n.GetName() != except && (best == "" || score > scores[best]) {
			best = n.GetName()
		}
	}
	if best == "" {
		return "", fmt.Errorf("no other node may run %s: see %q", id, a.name+" why "+id)
	}
	return best, nil
}

// addScores adds what does not depend on where resources are. A -INFINITY stays.
func addScores(scores map[string]int64, list []*pb.NodeScore, relative []string) {
	for _, n := range list {
		sum := scores[n.GetNode()]
		for _, r := range n.GetReasons() {
			switch {
			case slices.Contains(relative, r.GetSource()):
			case sum <= -grammar.Infinity || r.GetScore() <= -grammar.Infinity:
				sum = -grammar.Infinity
			default:
				sum += r.GetScore()
			}
		}
		scores[n.GetNode()] = sum
	}
}

// relative returns the sources of scores that depend on where resources are.
func relative(s *pb.State) []string {
	list := slices.Clone(transient)
	for _, g := range s.GetGroups() {
		list = append(list, g.GetId())
	}
	for _, c := range s.GetConstraints() {
		if c.GetColocation() != nil {
			list = append(list, c.GetId())
		}
	}
	return list
}

// bound returns the members of id and all resources that must run where they do.
func bound(s *pb.State, id string) []string {
	found := slices.Clone(membersOf(s, id))
	add := func(ids []string) {
		for _, r := range ids {
			if !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	for i := 0; i < len(found); i++ {
		for _, g := range s.GetGroups() {
			if slices.Contains(g.GetMembers(), found[i]) {
				add(g.GetMembers())
			}
		}
		for _, c := range s.GetConstraints() {
			l := c.GetColocation()
			if l.GetScore() < grammar.Infinity || l.GetNodeAttribute() != "" {
				continue
			}
			for _, p := range constraint.Colocations(l) {
				a, b := membersOf(s, p.Dependent), membersOf(s, p.Primary)
				if slices.Contains(a, found[i]) || slices.Contains(b, found[i]) {
					add(a)
					add(b)
				}
			}
		}
	}
	return found
}
