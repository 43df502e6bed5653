package state

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// replaceConfiguration makes everything that people write as the given
// configuration says. Resources that stay keep running; those that are not in
// it are deleted. Nodes that it does not name stay as they are. It is refused where
// the deletion of a device would be, unless forced.
func (d *draft) replaceConfiguration(r *pb.ReplaceConfiguration) (string, error) {
	c := r.Configuration
	if c == nil {
		return "", refuse(Invalid, "configuration", "", "it is missing")
	}
	before := shallow(d.State)
	d.Constraints = nil // before the resources, so that none of them holds on to one
	for _, replace := range []func(*pb.Configuration) error{
		d.replaceOptions, d.replaceNodes, d.replaceDevices, d.replaceResources, d.replaceGroups, d.replaceClones, d.replaceConstraints, d.replaceAlerts,
	} {
		if err := replace(c); err != nil {
			return "", err
		}
	}
	if err := d.keepsFenceable(before, r.Force, "configuration", "with this configuration"); err != nil {
		return "", err
	}
	if r.Checkpoint > 0 {
		return fmt.Sprintf("configuration of checkpoint %d restored", r.Checkpoint), nil
	}
	return "configuration replaced", nil
}

func (d *draft) replaceOptions(c *pb.Configuration) (err error) {
	if d.Properties, err = canonicalMap(ofCluster, c.Properties); err != nil {
		return err
	}
	if err := d.allowIgnore(); err != nil {
		return err
	}
	if d.ResourceDefaults, err = canonicalMap(ofResources, c.ResourceDefaults); err != nil {
		return err
	}
	if d.OperationDefaults, err = canonicalMap(ofOperations, c.OperationDefaults); err != nil {
		return err
	}
	return checkOperationDefaults(d.OperationDefaults)
}

func (d *draft) replaceNodes(c *pb.Configuration) error {
	seen := make(map[string]bool, len(c.Nodes))
	for _, given := range c.Nodes {
		old := NodeByName(d.State, given.Name)
		if old == nil {
			return d.noSuchNode(given.Name)
		}
		if seen[given.Name] {
			return refuse(Invalid, "node", "", "%s is given twice", given.Name)
		}
		seen[given.Name] = true
		utilization, err := editedUtilization(nil, given.Utilization)
		if err != nil {
			return err
		}
		for _, name := range sortedKeys(given.Attributes) {
			if err := checkName("node attribute", name, isName, nameRule); err != nil {
				return err
			}
		}
		d.putNodeRecord(with(old, func(n *pb.Node) {
			n.Standby, n.Maintenance, n.Attributes = given.Standby, given.Maintenance, given.Attributes
			n.Utilization = utilization
		}))
	}
	return nil
}

// replaceResources deletes, changes and adds resources. All groups and clones are
// given up for the given ones, after the deletions.
func (d *draft) replaceResources(c *pb.Configuration) error {
	given := make(map[string]bool, len(c.Resources))
	for _, r := range c.Resources {
		if given[r.Id] {
			return refuse(Invalid, "resource id", "", "%s is given twice", r.Id)
		}
		given[r.Id] = true
	}
	for _, r := range d.Resources {
		if !given[r.Id] && !r.Deleting {
			if _, err := d.deleteResource(&pb.DeleteResource{Id: r.Id}); err != nil {
				return err
			}
		}
	}
	d.Groups, d.Clones = nil, nil
	for _, r := range c.Resources {
		if err := d.replaceResource(r); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) replaceResource(given *pb.Resource) error {
	old := ResourceByID(d.State, given.Id)
	if old == nil || old.Deleting {
		_, err := d.createResource(&pb.CreateResource{Resource: given})
		return err
	}
	r, err := d.newResource(given)
	if err != nil {
		return err
	}
	if r.Agent != old.Agent && !d.idle(old.Id) {
		return refuse(Precondition, "agent", "stop it first with `resource disable "+old.Id+"`, or delete it",
			"%s may run as %s, which %s could not stop", old.Id, old.Agent, r.Agent)
	}
	d.putResource(with(old, func(kept *pb.Resource) {
		d.setParameters(kept, r.Parameters)
		if kept.Agent != r.Agent {
			kept.Revision = d.index
		}
		if r.Traits != nil || kept.Agent != r.Agent {
			kept.Traits = r.Traits
		}
		kept.Agent, kept.Meta, kept.Operations = r.Agent, r.Meta, r.Operations
		kept.Utilization = r.Utilization
		d.setOrders(kept, r.ServerOrders)
	}))
	return nil
}

func (d *draft) replaceGroups(c *pb.Configuration) error {
	for _, g := range c.Groups {
		if err := d.checkNewGroup(g.Id); err != nil {
			return err
		}
		for _, id := range g.Members {
			if other := GroupOf(d.State, id); other != nil {
				return refuse(Invalid, "group", "", "%s is in the groups %s and %s", id, other.Id, g.Id)
			}
		}
		if _, err := d.addToGroup(&pb.AddToGroup{Group: g.Id, Resources: slices.Clone(g.Members)}); err != nil {
			return err
		}
		meta, err := canonicalMap(ofResources, g.Meta)
		if err != nil {
			return err
		}
		d.putGroup(with(GroupByID(d.State, g.Id), func(g *pb.Group) { g.Meta = meta }))
	}
	return nil
}

func (d *draft) replaceClones(c *pb.Configuration) error {
	for _, given := range c.Clones {
		if _, err := d.cloneResource(given); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) replaceConstraints(c *pb.Configuration) error {
	for _, constraint := range c.Constraints {
		if _, err := d.createConstraint(constraint); err != nil {
			return err
		}
	}
	return nil
}
