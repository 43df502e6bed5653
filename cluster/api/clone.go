package api

import (
	"fmt"

	"quorate/cluster/state"
	"quorate/resources"
)

// mayClone refuses to run on several nodes at once what only one may hold, such as
// an address, which two would answer for.
func (d *draft) mayClone() error {
	if len(d.state.Clones) == 0 {
		return nil
	}
	for _, r := range d.state.Resources {
		if state.CloneOf(d.state, r.Id) == nil || state.CloneOf(d.base, r.Id) != nil {
			continue
		}
		agent, err := d.agents.Find(r.Agent)
		if _, held := agent.(resources.Asker); err == nil && held {
			return invalid("resource", fmt.Sprintf("%s (%s) cannot be cloned: two nodes would answer for what it holds", r.Id, r.Agent),
				"clone what runs behind it")
		}
	}
	return nil
}
