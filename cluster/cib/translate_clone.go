package cib

import (
	"slices"

	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// clone offers what a clone multiplies, then the clone, promotable or not. One whose instances are
// not alike is another thing than Quorate's, and left out with what is in it.
func (t *translator) clone(e *element) {
	r := t.d.resource(e)
	if why := t.unlike(r); why != "" {
		t.leaveWhole(e, why)
		return
	}
	member := ""
	for _, inner := range t.d.children(e) {
		switch {
		case member != "":
			t.leaveWhole(inner, "a clone has one member")
			continue
		case inner.name == "primitive":
			t.primitive(inner)
		case inner.name == "group":
			t.group(inner)
		default:
			t.leaveWhole(inner, strangeKinds[inner.name])
			continue
		}
		member = inner.id()
	}
	t.offer("clone", r.ID, "", func(c *pb.Configuration) string {
		if resourceIn(c, member) == nil && groupIn(c, member) == nil {
			return "what is in it was not taken"
		}
		c.Clones = append(c.Clones, &pb.Clone{Id: r.ID, Member: member})
		return ""
	})
	t.meta(e, r, func(c *pb.Configuration) *map[string]string {
		i := slices.IndexFunc(c.Clones, func(k *pb.Clone) bool { return k.Id == r.ID })
		if i < 0 {
			return nil
		}
		return &c.Clones[i].Meta
	})
}

// unlike returns why the instances of a clone are not alike.
func (t *translator) unlike(r engine.Resource) string {
	for _, b := range r.Meta {
		for _, v := range b.Values {
			if v.Name == "globally-unique" && isTrue(v.Value) {
				return "instances that are told apart by a number are not available in this version (globally-unique)"
			}
		}
	}
	return ""
}

func groupIn(c *pb.Configuration, id string) *pb.Group {
	i := slices.IndexFunc(c.Groups, func(g *pb.Group) bool { return g.Id == id })
	if i < 0 {
		return nil
	}
	return c.Groups[i]
}
