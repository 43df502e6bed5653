package vip

import (
	"fmt"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Traces implements [resources.Tracer]: the address on the interface where it is going
// to be. The guard silences it in time; what is left on the interface keeps the
// node's own programs from its new owner.
func (a *Agent) Traces(r *pb.Resource) []resources.Trace {
	w, err := parse(r)
	if err != nil {
		return nil
	}
	c, err := a.hold(r).choose(w)
	if err != nil {
		return nil // a start will say so
	}
	return []resources.Trace{{
		Kind: resources.TraceAddress, Mark: fmt.Sprintf("%s@%d", c.prefix, c.link.Attrs().Index),
	}}
}
