package api

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"quorate/cluster/constraint"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// uncontended refuses a resource that would take of a node what another one of
// its kind takes too, unless no node will ever run both, or one of them is
// disabled.
func (d *draft) uncontended(agent resources.Agent, r *pb.Resource) error {
	contender, ok := agent.(resources.Contender)
	if !ok || d.disabled(r.Id) {
		return nil
	}
	for _, other := range d.state.Resources {
		if other.Id == r.Id || other.Deleting || d.disabled(other.Id) || d.apart(r.Id, other.Id) {
			continue
		}
		if kind, err := d.agents.Find(other.Agent); err != nil || kind != agent {
			continue
		}
		err := contender.Contends(r, other)
		if wrong, ok := errors.AsType[*resources.ParameterError](err); ok {
			wrong.Fix = cmp.Or(wrong.Fix, fmt.Sprintf("choose another, or keep them apart: make it with --disabled, then `quorate constraint colocation add %s with %s -INFINITY` and `quorate resource enable %s`", r.Id, other.Id, r.Id))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) disabled(id string) bool {
	return state.Meta(d.state, id, "target-role") == "Stopped"
}

// apart reports whether a colocation of -INFINITY keeps two resources, or the
// groups or clones that they are in, off each other's nodes.
func (d *draft) apart(a, b string) bool {
	mine, others := d.names(a), d.names(b)
	for _, c := range d.state.Constraints {
		if l := c.GetColocation(); l == nil || l.Score > -state.Infinity || l.NodeAttribute != "" {
			continue
		}
		for _, pair := range constraint.Colocations(c.GetColocation()) {
			if slices.Contains(mine, pair.Dependent) && slices.Contains(others, pair.Primary) ||
				slices.Contains(others, pair.Dependent) && slices.Contains(mine, pair.Primary) {
				return true
			}
		}
	}
	return false
}

// names are those by which constraints may mean a resource.
func (d *draft) names(id string) []string {
	list := []string{id}
	if g := state.GroupOf(d.state, id); g != nil {
		list = append(list, g.Id)
	}
	if c := state.CloneOf(d.state, id); c != nil {
		list = append(list, c.Id)
	}
	return list
}
