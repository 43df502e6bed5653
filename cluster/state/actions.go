package state

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// moveResource asks for a resource, or all members of a group, on one node, or
// forgets what was asked for.
func (d *draft) moveResource(m *pb.MoveResource) (string, error) {
	var move *pb.Move
	said := fmt.Sprintf("%s moved to %s", m.Id, m.Node)
	switch n, c := NodeByName(d.State, m.Node), d.cloneAt(m.Id); {
	case m.Clear && m.Node != "":
		return "", refuse(Invalid, "node", "", "a move is forgotten for every node at once")
	case m.Clear:
		said = fmt.Sprintf("move of %s forgotten", m.Id)
	case c != nil:
		return "", refuse(Precondition, "resource", "use a location constraint on "+c.Id+", or `resource ban`",
			"%s is a clone, which runs on several nodes", c.Id)
	case n == nil:
		return "", d.noSuchNode(m.Node)
	case n.Role == pb.Role_ROLE_WITNESS:
		return "", refuse(Precondition, "node", "", "%s is a witness, which hosts nothing", n.Name)
	default:
		move = &pb.Move{Node: m.Node, At: d.at}
	}
	return said, d.changeMembers(m.Id, func(r *pb.Resource) { r.Move = move })
}

// cloneAt returns the clone of an id, or that the id is in.
func (d *draft) cloneAt(id string) *pb.Clone {
	if c := CloneByID(d.State, id); c != nil {
		return c
	}
	return CloneOf(d.State, id)
}

// restartResource asks for a resource, or all members of a group, to be stopped and started.
func (d *draft) restartResource(id string) (string, error) {
	return fmt.Sprintf("restart of %s asked for", id), d.changeMembers(id, func(r *pb.Resource) { r.Restart = d.index })
}

// reloadResource asks for a resource, or all members of a group, to take their
// configuration over anew without a stop. All of them must be able to.
func (d *draft) reloadResource(id string) (string, error) {
	for _, member := range Members(d.State, id) {
		if !ResourceByID(d.State, member).GetTraits().GetReloadable() {
			return "", refuse(Precondition, "resource", "use `resource restart`", "%s cannot take a configuration over without a stop", member)
		}
	}
	return fmt.Sprintf("reload of %s asked for", id), d.changeMembers(id, func(r *pb.Resource) { r.Revision = d.index })
}

// changeMembers changes a resource, or all members of a group that stay.
func (d *draft) changeMembers(id string, change func(*pb.Resource)) error {
	members := Members(d.State, id)
	if members == nil {
		return d.noSuchResource("resource", id)
	}
	for _, member := range members {
		r, err := d.present(member)
		if err != nil && member == id {
			return err
		}
		if err == nil {
			d.putResource(with(r, change))
		}
	}
	return nil
}

// cleanup forgets failures: what failed is probed anew, and a failed stop is
// tried again. Of a node that is gone it says that the operator made sure.
func (d *draft) cleanup(c *pb.Cleanup) (string, error) {
	members, node := Members(d.State, c.Resource), NodeByName(d.State, c.Node)
	if c.Resource != "" && members == nil {
		return "", d.noSuchResource("resource", c.Resource)
	}
	if c.Node != "" && node == nil {
		return "", d.noSuchNode(c.Node)
	}
	d.Instances = rewrite(d.Instances, func(i *pb.Instance) *pb.Instance {
		if c.Resource != "" && !slices.Contains(members, i.Resource) || node != nil && i.Node != node.Id {
			return i
		}
		return with(i, d.clean)
	})
	d.mended()
	return "failures of " + orAll(c.Resource, "every resource") + " on " + orAll(c.Node, "every node") + " forgotten", nil
}

func (d *draft) clean(i *pb.Instance) {
	i.FailCount, i.LastFailure, i.LastError = 0, nil, ""
	i.Ban, i.BanRevision, i.OnFail = pb.Ban_BAN_UNSPECIFIED, 0, ""
	if i.ByHand {
		i.ByHand = false
		d.setState(i, pb.InstanceState_INSTANCE_STATE_UNKNOWN)
	}
	if i.State == pb.InstanceState_INSTANCE_STATE_FAILED || i.State == pb.InstanceState_INSTANCE_STATE_BLOCKED {
		d.setState(i, pb.InstanceState_INSTANCE_STATE_UNKNOWN)
	}
}

func orAll(name, all string) string {
	if name == "" {
		return all
	}
	return name
}
