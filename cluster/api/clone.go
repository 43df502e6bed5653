package api

import (
	"fmt"
	"slices"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// mayClone refuses to run on several nodes at once what only one may hold, such as
// an address, which two would answer for; and to promote what knows no roles.
func (d *draft) mayClone() error {
	for _, r := range d.state.Resources {
		agent, err := d.agents.Find(r.Agent)
		if err != nil || state.CloneOf(d.state, r.Id) == nil {
			continue
		}
		if _, held := agent.(resources.Asker); held && state.CloneOf(d.base, r.Id) == nil {
			return invalid("resource", fmt.Sprintf("%s (%s) cannot be cloned: two nodes would answer for what it holds", r.Id, r.Agent),
				"clone what runs behind it")
		}
		if !state.Promotable(d.base, r.Id) && state.Promotable(d.state, r.Id) && !promotes(agent) {
			return invalid("promotable", fmt.Sprintf("%s (%s) cannot be promoted: its agent knows no promote", r.Id, r.Agent), "clone it without promotable")
		}
	}
	return nil
}

// promotes reports whether an agent can promote, as far as that is known here.
func promotes(agent resources.Agent) bool {
	meta := agent.Metadata()
	_, can := agent.(resources.Promoter)
	return can && (len(meta.GetOperations()) == 0 || slices.ContainsFunc(meta.GetOperations(), func(o *pb.OperationSpec) bool { return o.GetName() == "promote" }))
}
