package state

import (
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// setMembers changes a group's members. A group without members is no more,
// and neither is what was said of it.
func (d *draft) setMembers(g *pb.Group, members []string) {
	if len(members) > 0 {
		d.putGroup(with(g, func(g *pb.Group) { g.Members = members }))
		return
	}
	d.Groups = without(d.Groups, func(other *pb.Group) bool { return other.Id == g.Id })
	d.dropConstraintsOn(g.Id)
	d.dropCloneOf(g.Id)
}

// addToGroup makes resources members, in the order given. They leave the group
// that they were in; in the same one they change their place.
func (d *draft) addToGroup(a *pb.AddToGroup) (string, error) {
	if err := d.checkAddition(a); err != nil {
		return "", err
	}
	g := GroupByID(d.State, a.Group)
	if g == nil {
		if err := d.checkNewGroup(a.Group); err != nil {
			return "", err
		}
		g = &pb.Group{Id: a.Group}
	}
	members := minus(g.Members, a.Resources)
	at, err := position(members, a)
	if err != nil {
		return "", err
	}
	for _, id := range a.Resources {
		if other := GroupOf(d.State, id); other != nil && other.Id != g.Id {
			d.setMembers(other, minus(other.Members, []string{id}))
		}
	}
	d.setMembers(g, slices.Insert(members, at, a.Resources...))
	return fmt.Sprintf("%s put in group %s", strings.Join(a.Resources, ", "), a.Group), d.checkOrders("group")
}

func (d *draft) checkNewGroup(id string) error {
	if err := checkName("group", id, isName, nameRule); err != nil {
		return err
	}
	return d.checkFree("group", id)
}

func (d *draft) checkAddition(a *pb.AddToGroup) error {
	if len(a.Resources) == 0 {
		return refuse(Invalid, "resources", "name at least one", "there are none to put in group %s", a.Group)
	}
	for i, id := range a.Resources {
		if GroupByID(d.State, id) != nil {
			return refuse(Invalid, "resources", "name its members", "%s is a group itself", id)
		}
		if c := CloneOf(d.State, id); c.GetMember() == id {
			return refuse(Invalid, "resources", "dissolve the clone first with `resource unclone "+c.Id+"`", "%s is cloned as %s", id, c.Id)
		}
		if _, err := d.present(id); err != nil {
			return err
		}
		if slices.Contains(a.Resources[:i], id) {
			return refuse(Invalid, "resources", "", "%s is named twice", id)
		}
		if g := GroupOf(d.State, id); g != nil && g.Id == a.Group && a.Before == "" && a.After == "" {
			return refuse(Exists, "resources", "say before or after which member it shall be", "%s is in group %s already", id, a.Group)
		}
	}
	return nil
}

// position returns where among the members the new ones go.
func position(members []string, a *pb.AddToGroup) (int, error) {
	if a.Before != "" && a.After != "" {
		return 0, refuse(Invalid, "before", "give one of them", "before and after are given both")
	}
	beside := a.Before + a.After
	if beside == "" {
		return len(members), nil
	}
	i := slices.Index(members, beside)
	if i < 0 {
		return 0, refuse(NotFound, "before", "", "%s is not another member of group %s", beside, a.Group)
	}
	if a.After != "" {
		i++
	}
	return i, nil
}

func (d *draft) removeFromGroup(r *pb.RemoveFromGroup) (string, error) {
	g := GroupByID(d.State, r.Group)
	if g == nil {
		return "", d.noSuchResource("group", r.Group)
	}
	for _, id := range r.Resources {
		if !slices.Contains(g.Members, id) {
			return "", refuse(NotFound, "resources", suggest(id, g.Members), "%s is not in group %s", id, g.Id)
		}
	}
	if len(r.Resources) == 0 {
		d.setMembers(g, nil)
		return fmt.Sprintf("group %s dissolved", g.Id), nil
	}
	d.setMembers(g, minus(g.Members, r.Resources))
	return fmt.Sprintf("%s taken out of group %s", strings.Join(r.Resources, ", "), g.Id), nil
}

// updateGroup changes a group's meta attributes; it has nothing else.
func (d *draft) updateGroup(g *pb.Group, u *pb.UpdateResource) (string, error) {
	if len(u.SetParameters)+len(u.UnsetParameters)+len(u.SetOperations)+len(u.UnsetOperations)+len(u.SetUtilization) > 0 {
		return "", refuse(Invalid, "resource", "update its members", "%s is a group, which has meta attributes alone", g.Id)
	}
	if len(u.SetMeta)+len(u.UnsetMeta) == 0 {
		return "", refuse(Invalid, "group", "", "nothing to change was given for %s", g.Id)
	}
	meta, err := edited(ofResources, g.Meta, u.SetMeta, u.UnsetMeta)
	if err != nil {
		return "", err
	}
	d.putGroup(with(g, func(g *pb.Group) { g.Meta = meta }))
	return describeSettings("group "+g.Id+" meta", u.SetMeta, u.UnsetMeta), nil
}
