package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// operationNames are the operations that people may configure. Those we never
// run are accepted, since tutorials and agents' metadata name them.
var operationNames = []string{
	"demote", "meta-data", "methods", "migrate_from", "migrate_to", "monitor", "notify", "promote",
	"reload", "reload-agent", "start", "status", "stop", "validate-all",
}

func (d *draft) createResource(c *pb.CreateResource) (string, error) {
	given := c.Resource
	if err := checkName("resource id", given.GetId(), isName, nameRule); err != nil {
		return "", err
	}
	if err := d.checkFree("resource id", given.Id); err != nil {
		return "", err
	}
	r, err := d.newResource(given)
	if err != nil {
		return "", err
	}
	d.putResource(r)
	said := fmt.Sprintf("resource %s created (%s)", r.Id, r.Agent)
	if c.Group == "" {
		return said, nil
	}
	more, err := d.addToGroup(&pb.AddToGroup{Group: c.Group, Resources: []string{r.Id}})
	return said + "; " + more, err
}

// checkFree refuses an id that a resource, a group, a clone or a device has.
func (d *draft) checkFree(field, id string) error {
	switch r := ResourceByID(d.State, id); {
	case r.GetDeleting():
		return refuse(Exists, field, "wait until it is stopped everywhere", "%s is still being deleted", id)
	case r != nil:
		return refuse(Exists, field, "choose another", "there is a resource %s already", id)
	case GroupByID(d.State, id) != nil:
		return refuse(Exists, field, "choose another", "there is a group %s already", id)
	case CloneByID(d.State, id) != nil:
		return refuse(Exists, field, "choose another", "there is a clone %s already", id)
	case DeviceByID(d.State, id) != nil:
		return refuse(Exists, field, "choose another", "there is a fencing device %s already", id)
	default:
		return nil
	}
}

// newResource checks what people say of a resource, and leaves out the rest.
func (d *draft) newResource(given *pb.Resource) (*pb.Resource, error) {
	if given.Agent == "" {
		return nil, refuse(Invalid, "agent", "name one, for example ocf:heartbeat:IPaddr2", "resource %s has none", given.Id)
	}
	utilization, err := editedUtilization(nil, given.Utilization)
	if err != nil {
		return nil, err
	}
	meta, err := canonicalMap(ofResources, given.Meta)
	if err != nil {
		return nil, err
	}
	operations, err := canonicalOperations(given.Operations)
	if err != nil {
		return nil, err
	}
	orders, err := canonicalOrders(given.ServerOrders)
	if err != nil {
		return nil, err
	}
	return &pb.Resource{
		Id: given.Id, Agent: given.Agent, Parameters: given.Parameters, Meta: meta,
		Operations: operations, Traits: given.Traits, Revision: d.index, Utilization: utilization,
		ServerOrders: orders,
	}, nil
}

// canonicalOperations checks operations. No two have one name and interval.
func canonicalOperations(given []*pb.OperationSpec) ([]*pb.OperationSpec, error) {
	out := make([]*pb.OperationSpec, 0, len(given))
	for _, o := range given {
		c, err := canonicalOperation(o)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(other *pb.OperationSpec) bool { return sameOperation(other, c) }) {
			return nil, refuse(Invalid, "op "+o.Name, "give each its own interval", "it is given twice with the interval %v", o.Interval.AsDuration())
		}
		out = append(out, c)
	}
	return out, nil
}

func canonicalOperation(o *pb.OperationSpec) (*pb.OperationSpec, error) {
	field := "op " + o.Name
	if !slices.Contains(operationNames, o.Name) {
		return nil, refuse(Invalid, field, suggest(o.Name, operationNames), "there is no such operation")
	}
	if outOfRange(o.Interval) || outOfRange(o.Timeout) {
		return nil, refuse(Invalid, field, "give durations from 0 to ten years", "its interval or timeout is out of range")
	}
	options, err := canonicalMap(ofOperations, o.Options)
	if err != nil {
		return nil, err
	}
	spec := &pb.OperationSpec{Name: o.Name, Interval: o.Interval, Timeout: o.Timeout, Options: options}
	if policy, given := options["on-fail"]; given {
		if err := mayFailTo(spec, policy); err != nil {
			return nil, err
		}
	}
	return spec, nil
}

func outOfRange(d *durationpb.Duration) bool {
	return d != nil && (d.CheckValid() != nil || d.AsDuration() < 0 || d.AsDuration() > longest)
}

func sameOperation(a, b *pb.OperationSpec) bool {
	return a.Name == b.Name && a.Interval.AsDuration() == b.Interval.AsDuration()
}

func (d *draft) updateResource(u *pb.UpdateResource) (string, error) {
	if g := GroupByID(d.State, u.Id); g != nil {
		return d.updateGroup(g, u)
	}
	if c := CloneByID(d.State, u.Id); c != nil {
		return d.updateClone(c, u)
	}
	old, err := d.present(u.Id)
	if err != nil {
		return "", err
	}
	said := describeResourceUpdate(u)
	if said == "" && u.Traits == nil {
		return "", refuse(Invalid, "resource", "", "nothing to change was given for %s", u.Id)
	}
	parameters, err := editedParameters(old.Parameters, u)
	if err != nil {
		return "", err
	}
	meta, err := edited(ofResources, old.Meta, u.SetMeta, u.UnsetMeta)
	if err != nil {
		return "", err
	}
	operations, err := editedOperations(old.Operations, u)
	if err != nil {
		return "", err
	}
	utilization, err := editedUtilization(old.Utilization, u.SetUtilization)
	if err != nil {
		return "", err
	}
	d.putResource(with(old, func(r *pb.Resource) {
		d.setParameters(r, parameters)
		r.Meta, r.Operations, r.Utilization = meta, operations, utilization
		if u.Traits != nil {
			r.Traits = u.Traits
		}
	}))
	return fmt.Sprintf("resource %s changed (%s)", u.Id, said), nil
}

// setParameters changes the parameters. Of a resource that can reload some of
// them, a change of the others asks for a restart.
func (d *draft) setParameters(r *pb.Resource, parameters map[string]string) {
	if maps.Equal(r.Parameters, parameters) {
		return
	}
	reloadable := r.Traits.GetReloadableParameters()
	for name := range union(r.Parameters, parameters) {
		was, had := r.Parameters[name]
		is, has := parameters[name]
		if len(reloadable) > 0 && (was != is || had != has) && !slices.Contains(reloadable, name) {
			r.Restart = d.index
		}
	}
	r.Parameters, r.Revision = parameters, d.index
}

func union(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	if both == nil {
		both = make(map[string]string, len(b))
	}
	maps.Copy(both, b)
	return both
}

// present returns a resource that is not being deleted, or refuses.
func (d *draft) present(id string) (*pb.Resource, error) {
	r := ResourceByID(d.State, id)
	switch {
	case r == nil:
		return nil, d.noSuchResource("resource", id)
	case r.Deleting:
		return nil, refuse(Precondition, "resource", "", "%s is being deleted", id)
	default:
		return r, nil
	}
}

// noSuchResource refuses an id that no resource or group has.
func (d *draft) noSuchResource(field, id string) error {
	var known []string
	for _, r := range d.Resources {
		known = append(known, r.Id)
	}
	for _, g := range d.Groups {
		known = append(known, g.Id)
	}
	for _, c := range d.Clones {
		known = append(known, c.Id)
	}
	return refuse(NotFound, field, suggest(id, known), "there is no resource or group %q", id)
}

// editedParameters knows no names: which ones an agent has is for the caller to check.
func editedParameters(old map[string]string, u *pb.UpdateResource) (map[string]string, error) {
	out := make(map[string]string, len(old)+len(u.SetParameters))
	maps.Copy(out, old)
	for _, name := range u.UnsetParameters {
		if _, both := u.SetParameters[name]; both {
			return nil, refuse(Invalid, "parameter "+name, "", "it is set and unset at once")
		}
		delete(out, name)
	}
	maps.Copy(out, u.SetParameters)
	return out, nil
}

// editedOperations replaces operations of the same name and interval. To unset
// one, its interval may be left out: then all of the name go.
func editedOperations(old []*pb.OperationSpec, u *pb.UpdateResource) ([]*pb.OperationSpec, error) {
	out := slices.Clone(old)
	for _, o := range u.UnsetOperations {
		before := len(out)
		out = slices.DeleteFunc(out, func(other *pb.OperationSpec) bool {
			return other.Name == o.Name && (o.Interval == nil || sameOperation(o, other))
		})
		if len(out) == before {
			return nil, refuse(NotFound, "op "+o.Name, "", "resource %s has no such operation", u.Id)
		}
	}
	set, err := canonicalOperations(u.SetOperations)
	if err != nil {
		return nil, err
	}
	for _, o := range set {
		i := slices.IndexFunc(out, func(other *pb.OperationSpec) bool { return sameOperation(o, other) })
		if i < 0 {
			out = append(out, o)
		} else {
			out[i] = o
		}
	}
	return out, nil
}

// describeResourceUpdate names what was changed, but no parameter's value: some are secret.
func describeResourceUpdate(u *pb.UpdateResource) string {
	var said []string
	if names := append(sortedKeys(u.SetParameters), u.UnsetParameters...); len(names) > 0 {
		said = append(said, "parameters "+strings.Join(names, ", "))
	}
	if len(u.SetMeta)+len(u.UnsetMeta) > 0 {
		said = append(said, describeSettings("meta", u.SetMeta, u.UnsetMeta))
	}
	if len(u.SetUtilization) > 0 {
		said = append(said, describeSettings("utilization", u.SetUtilization, nil))
	}
	for _, o := range append(slices.Clone(u.SetOperations), u.UnsetOperations...) {
		said = append(said, "op "+o.Name)
	}
	return strings.Join(said, "; ")
}

// deleteResource deletes a resource, a group with its members, or a clone with all
// that is in it. What may run is stopped first and then removed, and a clone with
// it; constraints go at once.
func (d *draft) deleteResource(del *pb.DeleteResource) (string, error) {
	members := Members(d.State, del.Id)
	if members == nil {
		return "", d.noSuchResource("resource", del.Id)
	}
	d.dropConstraintsOn(del.Id)
	if c := CloneOf(d.State, del.Id); c.GetMember() == del.Id {
		d.dropConstraintsOn(c.GetId())
	}
	for _, id := range members {
		d.dropConstraintsOn(id)
		if d.idle(id) {
			d.removeResource(id)
			continue
		}
		d.putResource(with(ResourceByID(d.State, id), func(r *pb.Resource) { r.Deleting, r.Move = true, nil }))
	}
	return fmt.Sprintf("%s deleted", del.Id), nil
}

// removeResource forgets a resource that runs nowhere.
func (d *draft) removeResource(id string) {
	d.Resources = without(d.Resources, func(r *pb.Resource) bool { return r.Id == id })
	d.Instances = without(d.Instances, func(i *pb.Instance) bool { return i.Resource == id })
	d.Nodes = rewrite(d.Nodes, func(n *pb.Node) *pb.Node {
		if ObstacleOf(n, id) == nil && StandingOf(n, id) == nil {
			return n
		}
		return with(n, func(n *pb.Node) {
			n.Standings = without(n.Standings, func(s *pb.Standing) bool { return s.Resource == id })
			n.Obstacles = without(n.Obstacles, func(o *pb.Obstacle) bool { return o.Resource == id })
		})
	})
	d.dropConstraintsOn(id)
	d.dropCloneOf(id)
	if g := GroupOf(d.State, id); g != nil {
		d.setMembers(g, minus(g.Members, []string{id}))
	}
}
