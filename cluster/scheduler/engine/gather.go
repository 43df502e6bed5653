package engine

import "strconv"

// Placement returns where resources will be, by id. Instances of an anonymous
// clone are gathered under the primitive's id, those of a unique one keep their
// number. No places: it is stopped everywhere.
func (o *Outcome) Placement() map[string][]Place {
	placement := make(map[string][]Place)
	for i := range o.Instances {
		in := &o.Instances[i]
		id := in.ID()
		places := placement[id]
		if places == nil {
			places = []Place{}
		}
		placement[id] = append(places, in.After...)
	}
	return placement
}

// ID returns the id that people know an instance by.
func (in *Instance) ID() string {
	if in.Unique && in.Number >= 0 {
		return in.Resource + ":" + strconv.Itoa(in.Number)
	}
	return in.Resource
}

// FencedNodes returns the nodes that are rebooted or powered off.
func (o *Outcome) FencedNodes() []string {
	var nodes []string
	for _, f := range o.Fenced {
		if f.How != "on" {
			nodes = append(nodes, f.Node)
		}
	}
	return nodes
}
