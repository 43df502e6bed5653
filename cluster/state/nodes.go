package state

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// bootstrap makes a cluster of one node, which is its electorate.
func (d *draft) bootstrap(b *pb.Bootstrap) error {
	switch {
	case d.ClusterId != "":
		return refuse(Exists, "cluster", "destroy it first with `cluster destroy`", "this node is in cluster %s already", d.ClusterName)
	case b.ClusterId == "":
		return refuse(Invalid, "cluster id", "", "it is empty")
	case b.ClusterName == "":
		return refuse(Invalid, "cluster name", "give the cluster a name", "it is empty")
	case b.Node.GetRole() == pb.Role_ROLE_REPLICA:
		return refuse(Invalid, "node role", "make it a voter", "the first node of a cluster must vote")
	}
	d.ClusterId, d.ClusterName = b.ClusterId, b.ClusterName
	d.ConfigurationIndex = d.index
	if err := d.addNode(b.Node); err != nil {
		return err
	}
	d.Electorate = &pb.Electorate{Version: 1, Voters: []string{b.Node.Id}}
	for _, options := range []*pb.SetOptions{
		{Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER, Set: b.Properties},
		{Scope: pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS, Set: b.ResourceDefaults},
	} {
		if len(options.Set) == 0 {
			continue
		}
		if _, err := d.setOptions(options); err != nil {
			return err
		}
	}
	return nil
}

// addNode makes a node a member. It has no epoch yet.
func (d *draft) addNode(n *pb.Node) error {
	if err := d.checkNode(n); err != nil {
		return err
	}
	if NodeByID(d.State, n.Id) != nil {
		return refuse(Exists, "node id", "", "%s is a member already", n.Id)
	}
	if _, removed := slices.BinarySearch(d.Removed, n.Id); removed { // rule 3
		return refuse(Invalid, "node id", "delete that machine's quorate data, so that it gets a new id",
			"%s was removed from this cluster, and an id never returns", n.Id)
	}
	role := n.Role
	if role == pb.Role_ROLE_UNSPECIFIED {
		role = pb.Role_ROLE_VOTER
	}
	d.putNodeRecord(&pb.Node{
		Id: n.Id, Name: n.Name, Addresses: n.Addresses, Role: role, Version: n.Version,
		Stopped: n.Stopped, Disabled: n.Disabled,
	})
	d.ConfigurationIndex = d.index
	d.record(&pb.Event{
		Kind: "node-added", Node: n.Name, Actor: d.actor, Severity: pb.Severity_SEVERITY_INFO,
		Text: fmt.Sprintf("%s is a member now (%s)", n.Name, roleName(role)),
	})
	d.endIgnore()
	return nil
}

// checkNode checks what a message says of a node, and that its name is free.
func (d *draft) checkNode(n *pb.Node) error {
	if n.GetId() == "" {
		return refuse(Invalid, "node id", "", "it is empty")
	}
	if _, known := pb.Role_name[int32(n.Role)]; !known {
		return refuse(Invalid, "node role", "use voter, witness or replica", "%v is no role", n.Role)
	}
	if err := checkName("node name", n.Name, isNodeName, "use letters, digits, '.', '-' and '_', beginning with a letter or digit"); err != nil {
		return err
	}
	if other := NodeByName(d.State, n.Name); other != nil && other.Id != n.Id {
		return refuse(Exists, "node name", "choose another", "%s is the name of another member", n.Name)
	}
	return checkAddresses(n.Addresses)
}

// maxAddresses is how many links a node may have.
const maxAddresses = 4

// checkAddresses checks the addresses of one node: each is a link.
func checkAddresses(addresses []string) error {
	if n := len(addresses); n > maxAddresses {
		return refuse(Invalid, "node addresses", fmt.Sprintf("give at most %d", maxAddresses), "%d are given, one a link", n)
	}
	for i, a := range addresses {
		if slices.Contains(addresses[:i], a) {
			return refuse(Invalid, "node addresses", "give each link an address of its own", "%s is given twice", a)
		}
	}
	return nil
}

// putNode adds a node, or changes what a known one says of itself. What was
// learned of it, its epoch above all, is kept.
func (d *draft) putNode(p *pb.PutNode) error {
	old := NodeByID(d.State, p.Node.GetId())
	if old == nil {
		return d.addNode(p.Node)
	}
	if p.Node.Name == "" {
		p.Node.Name = old.Name
	}
	if err := d.checkNode(p.Node); err != nil {
		return err
	}
	n := with(old, func(n *pb.Node) {
		n.Name = p.Node.Name
		if len(p.Node.Addresses) > 0 {
			n.Addresses = p.Node.Addresses
		}
		if p.Node.Role != pb.Role_ROLE_UNSPECIFIED {
			n.Role = p.Node.Role
		}
		if p.Node.Version != "" {
			n.Version = p.Node.Version
		}
	})
	if n.Name != old.Name {
		d.renameNode(old.Name, n.Name)
	}
	d.putNodeRecord(n)
	if n.Name != old.Name || n.Role != old.Role {
		d.ConfigurationIndex = d.index
		d.record(&pb.Event{
			Kind: "configuration", Node: n.Name, Actor: d.actor, Severity: pb.Severity_SEVERITY_INFO,
			Text: fmt.Sprintf("%s (%s) is now %s (%s)", old.Name, roleName(old.Role), n.Name, roleName(n.Role)),
		})
	}
	d.endIgnore()
	return nil
}

// renameNode frees a name and lets what people said of it follow.
func (d *draft) renameNode(from, to string) {
	d.Nodes = without(d.Nodes, func(n *pb.Node) bool { return n.Name == from })
	d.Constraints = rewrite(d.Constraints, func(c *pb.Constraint) *pb.Constraint {
		return withNodeNamed(c, from, to)
	})
	d.renameLevels(from, to)
	d.Resources = rewrite(d.Resources, func(r *pb.Resource) *pb.Resource {
		if r.GetMove().GetNode() != from {
			return r
		}
		return with(r, func(r *pb.Resource) { r.Move.Node = to })
	})
}

// removeNode forgets a node. Its id is kept among the removed.
func (d *draft) removeNode(r *pb.RemoveNode) error {
	n := NodeByID(d.State, r.Node)
	if n == nil {
		return refuse(NotFound, "node", "", "%s is not a member", r.Node)
	}
	if err := d.mayRemove(n, r.Force); err != nil {
		return err
	}
	d.Nodes = without(d.Nodes, func(m *pb.Node) bool { return m.Id == n.Id })
	d.Assignments = without(d.Assignments, func(a *pb.Assignment) bool { return a.Node == n.Id })
	d.Instances = without(d.Instances, func(i *pb.Instance) bool { return i.Node == n.Id })
	d.dropOperations(n.Id)
	d.Constraints = without(d.Constraints, func(c *pb.Constraint) bool { return c.GetLocation().GetNode() == n.Name })
	d.Levels = without(d.Levels, func(l *pb.FencingLevel) bool { return l.Target == n.Name })
	if f := FencingUnderWay(d.State, n.Id); f != nil {
		d.endFencing(f, pb.FencingPhase_FENCING_PHASE_CALLED_OFF, "it is no member any more")
	}
	d.Resources = rewrite(d.Resources, func(r *pb.Resource) *pb.Resource {
		if r.GetMove().GetNode() != n.Name {
			return r
		}
		return with(r, func(r *pb.Resource) { r.Move = nil })
	})
	at, _ := slices.BinarySearch(d.Removed, n.Id)
	d.Removed = slices.Insert(slices.Clone(d.Removed), at, n.Id)
	d.ConfigurationIndex = d.index
	d.record(&pb.Event{
		Kind: "node-removed", Node: n.Name, Actor: d.actor, Severity: pb.Severity_SEVERITY_INFO,
		Text: n.Name + " is no longer a member",
	})
	return nil
}

// mayRemove guards S1 and S4: what a live node owns, or may run, must not start
// elsewhere because its node was forgotten. Force takes the operator's word for
// what may run, but never ends the rights of a node that may hold a lease.
func (d *draft) mayRemove(n *pb.Node, force bool) error {
	if Votes(d.State, n.Id) {
		return refuse(Precondition, "node", "make it a replica first", "%s still votes", n.Name)
	}
	alive := n.Admission == pb.Admission_ADMISSION_ADMITTED
	for _, a := range d.Assignments {
		switch {
		case a.Node != n.Id:
		case alive:
			return refuse(Precondition, "node", "stop it first with `cluster stop "+n.Name+"`, or switch it off", "%s owns %s", n.Name, a.Resource)
		case !force:
			return refuse(Precondition, "node", "wait, or use --force once the machine is known to be off",
				"%s is gone, but %s may still run there", n.Name, a.Resource)
		}
	}
	for _, i := range d.Instances {
		if alive && !force && i.Node == n.Id && i.State != pb.InstanceState_INSTANCE_STATE_STOPPED {
			return refuse(Precondition, "node", "stop it first, or use --force if you know that nothing runs there",
				"%s is not known to be stopped on %s", i.Resource, n.Name)
		}
	}
	return nil
}

// dropOperations forgets what was ordered of a node: its answers count no more.
func (d *draft) dropOperations(node string) {
	d.Operations = without(d.Operations, func(o *pb.Operation) bool { return o.Node == node })
}

// updateNode changes what people want of a node.
func (d *draft) updateNode(u *pb.UpdateNode) (string, error) {
	n := NodeByName(d.State, u.Name)
	if n == nil {
		return "", d.noSuchNode(u.Name)
	}
	for _, name := range sortedKeys(u.SetAttributes) {
		if err := checkName("node attribute", name, isName, nameRule); err != nil {
			return "", err
		}
	}
	utilization, err := editedUtilization(n.Utilization, u.SetUtilization)
	if err != nil {
		return "", err
	}
	if err := checkAddresses(u.Addresses); err != nil {
		return "", err
	}
	said := describeNodeUpdate(u)
	if said == "" {
		return "", refuse(Invalid, "node", "", "nothing to change was given for %s", u.Name)
	}
	d.putNodeRecord(with(n, func(n *pb.Node) {
		set(&n.Standby, u.Standby)
		set(&n.Maintenance, u.Maintenance)
		set(&n.Stopped, u.Stopped)
		set(&n.Disabled, u.Disabled)
		n.Attributes, n.Utilization = merged(n.Attributes, u.SetAttributes), utilization
		if len(u.Addresses) > 0 {
			n.Addresses = u.Addresses
		}
	}))
	return "node " + u.Name + said, nil
}

func set(to, from *bool) {
	if from != nil {
		*to = *from
	}
}

func describeNodeUpdate(u *pb.UpdateNode) string {
	said := ""
	for _, flag := range []struct {
		name  string
		value *bool
	}{{"standby", u.Standby}, {"maintenance", u.Maintenance}, {"stopped", u.Stopped}, {"disabled", u.Disabled}} {
		if flag.value != nil {
			said += fmt.Sprintf(" %s=%t", flag.name, *flag.value)
		}
	}
	for _, name := range sortedKeys(u.SetAttributes) {
		said += fmt.Sprintf(" %s=%s", name, u.SetAttributes[name])
	}
	for _, name := range sortedKeys(u.SetUtilization) {
		said += fmt.Sprintf(" utilization %s=%s", name, u.SetUtilization[name])
	}
	if len(u.Addresses) > 0 {
		said += fmt.Sprintf(" addresses=%v", u.Addresses)
	}
	return said
}

// noSuchNode refuses a name that is no member's.
func (d *draft) noSuchNode(name string) error {
	known := make([]string, 0, len(d.Nodes))
	for _, n := range d.Nodes {
		known = append(known, n.Name)
	}
	return refuse(NotFound, "node", suggest(name, known), "there is no node %q", name)
}

func roleName(r pb.Role) string {
	switch r {
	case pb.Role_ROLE_WITNESS:
		return "witness"
	case pb.Role_ROLE_REPLICA:
		return "replica"
	default:
		return "voter"
	}
}
