package state

import (
	"slices"

	pb "quorate/proto/quorate/v1"
)

// dispatch commits intents, all or none. Each sees the ones before it.
func (d *draft) dispatch(c *pb.Dispatch) error {
	if len(c.Operations) == 0 {
		return refuse(Invalid, "operations", "", "there are none to dispatch")
	}
	for _, o := range c.Operations {
		if err := d.intend(&pb.Operation{
			Kind: o.Kind, Resource: o.Resource, Node: o.Node, Epoch: o.Epoch,
			Timeout: o.Timeout, Reason: o.Reason, Since: d.at,
		}); err != nil {
			return err
		}
	}
	return nil
}

// intend takes one operation in, with its id and its assignment.
func (d *draft) intend(o *pb.Operation) error {
	n, r := NodeByID(d.State, o.Node), ResourceByID(d.State, o.Resource)
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", o.Node)
	case r == nil:
		return refuse(NotFound, "resource", "", "there is no resource %q", o.Resource)
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != o.Epoch:
		return refuse(Stale, "epoch", "plan anew", "%s is not admitted at epoch %d (it is %s at %d)", n.Name, o.Epoch, admissionName(n.Admission), n.Epoch)
	}
	if other := OperationOn(d.State, o.Resource, o.Node); other != nil {
		return refuse(Precondition, "operation", "wait for its result", "a %s of %s on %s is under way", kindName(other.Kind), o.Resource, n.Name)
	}
	if err := d.intendKind(o, n, r); err != nil {
		return err
	}
	d.LastOperation++
	o.Id = d.LastOperation
	d.Operations = put(d.Operations, o.Id, byNumber, o)
	d.dispatched = append(d.dispatched, o)
	return nil
}

func (d *draft) intendKind(o *pb.Operation, n *pb.Node, r *pb.Resource) error {
	switch o.Kind {
	case pb.OperationKind_OPERATION_KIND_START:
		return d.intendStart(o, n, r)
	case pb.OperationKind_OPERATION_KIND_STOP:
		if a := d.ownedBy(o); a != nil {
			o.Assignment = a.Number
			d.putAssignment(with(a, func(a *pb.Assignment) { a.Revoking = true }))
		}
	case pb.OperationKind_OPERATION_KIND_RELOAD:
		a := d.ownedBy(o)
		if a == nil || a.Revoking {
			return refuse(Precondition, "assignment", "", "%s does not own %s", n.Name, o.Resource)
		}
		o.Assignment = a.Number
	case pb.OperationKind_OPERATION_KIND_PROMOTE:
		return d.intendPromote(o, n)
	case pb.OperationKind_OPERATION_KIND_PROBE, pb.OperationKind_OPERATION_KIND_MONITOR, pb.OperationKind_OPERATION_KIND_DEMOTE:
		o.Assignment = d.ownedBy(o).GetNumber()
	default:
		return refuse(Invalid, "operation", "", "%v is no kind of operation", o.Kind)
	}
	return nil
}

// intendStart makes a node the owner of a resource. It is the last line of
// defence of S1 and S4: on fewer other nodes than may run it at once the resource
// is owned, not known to be stopped, or about to change; of one that is not cloned
// on none.
func (d *draft) intendStart(o *pb.Operation, n *pb.Node, r *pb.Resource) error {
	if n.Role == pb.Role_ROLE_WITNESS {
		return refuse(Precondition, "node", "", "%s is a witness, which hosts nothing", n.Name)
	}
	if r.Deleting {
		return refuse(Precondition, "resource", "", "%s is being deleted", r.Id)
	}
	if a := AssignmentAt(d.State, r.Id, n.Id); a != nil {
		return d.refuseOwned(a)
	}
	switch others, most := d.elsewhere(r.Id, n.Id), Copies(d.State, r.Id); {
	case most == 0:
		return refuse(Precondition, "resource", "", "%s may run on no node, as its clone-max is 0", r.Id)
	case len(others) >= most:
		return others[0]
	}
	if r.Move != nil && r.Move.Node != n.Name {
		d.putResource(with(r, func(r *pb.Resource) { r.Move = nil })) // its node could not run it: the wish is over
	}
	d.LastAssignment++
	o.Assignment = d.LastAssignment
	o.Watchdog = d.watchdog(r.Id)
	d.putAssignment(&pb.Assignment{
		Resource: r.Id, Node: n.Id, Epoch: n.Epoch, Number: o.Assignment, Lapse: longer(r.Traits.GetLapse(), o.Watchdog), Watchdog: o.Watchdog != nil,
	})
	return nil
}

func (d *draft) refuseOwned(a *pb.Assignment) error {
	return refuse(Precondition, "assignment", "stop it there first", "%s owns %s", NodeName(d.State, a.Node), a.Resource)
}

// elsewhere returns why a resource may run, or be about to, on each other node
// than the given one: who owns it first.
func (d *draft) elsewhere(resource, except string) []error {
	var list []error
	counted := map[string]bool{except: true}
	count := func(node string, why error) {
		if !counted[node] {
			counted[node] = true
			list = append(list, why)
		}
	}
	for _, a := range AssignmentsOf(d.State, resource) {
		count(a.Node, d.refuseOwned(a))
	}
	for _, i := range d.maybeActive(resource) {
		count(i.Node, refuse(Precondition, "resource", "probe or stop it there first", "%s is %s on %s",
			resource, instanceName(i), NodeName(d.State, i.Node)))
	}
	for _, o := range d.Operations {
		if o.Resource == resource && changes(o.Kind) && d.admitted(o.Node) {
			count(o.Node, refuse(Precondition, "operation", "wait for its result", "a %s of %s on %s is under way",
				kindName(o.Kind), resource, NodeName(d.State, o.Node)))
		}
	}
	return list
}

// ownedBy returns the assignment under which the operation's node owns its resource.
func (d *draft) ownedBy(o *pb.Operation) *pb.Assignment {
	a := AssignmentAt(d.State, o.Resource, o.Node)
	if a.GetOrphaned() {
		return nil
	}
	return a
}

// changes reports whether an operation makes a resource run or cease to run.
func changes(k pb.OperationKind) bool {
	return k == pb.OperationKind_OPERATION_KIND_START || k == pb.OperationKind_OPERATION_KIND_STOP
}

// dropOperation forgets an operation whose result is known.
func (d *draft) dropOperation(id uint64) {
	d.Operations = slices.DeleteFunc(slices.Clone(d.Operations), func(o *pb.Operation) bool { return o.Id == id })
}

func kindName(k pb.OperationKind) string {
	switch k {
	case pb.OperationKind_OPERATION_KIND_START:
		return "start"
	case pb.OperationKind_OPERATION_KIND_STOP:
		return "stop"
	case pb.OperationKind_OPERATION_KIND_MONITOR:
		return "monitor"
	case pb.OperationKind_OPERATION_KIND_PROBE:
		return "probe"
	case pb.OperationKind_OPERATION_KIND_RELOAD:
		return "reload"
	case pb.OperationKind_OPERATION_KIND_PROMOTE:
		return "promotion"
	case pb.OperationKind_OPERATION_KIND_DEMOTE:
		return "demotion"
	default:
		return k.String()
	}
}

// instanceName says how an instance is.
func instanceName(i *pb.Instance) string {
	if i.GetByHand() {
		return "run by hand"
	}
	return stateName(i.GetState())
}

func stateName(s pb.InstanceState) string {
	switch s {
	case pb.InstanceState_INSTANCE_STATE_STOPPED:
		return "stopped"
	case pb.InstanceState_INSTANCE_STATE_RUNNING:
		return "running"
	case pb.InstanceState_INSTANCE_STATE_FAILED:
		return "failed"
	case pb.InstanceState_INSTANCE_STATE_BLOCKED:
		return "blocked by a failed stop"
	default:
		return "not probed yet"
	}
}
