package render

import (
	"fmt"
	"slices"
	"strings"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// resources draws the listed resources, those of a group or clone under its name.
func (v *View) resources(b *strings.Builder, o Options, list []*pb.Resource) {
	section(b, o, "Resources")
	if len(list) == 0 {
		fmt.Fprintln(b, "  none")
		return
	}
	t := Table{Indent: "  "}
	drawn := make(map[string]bool)
	for _, c := range v.resp.GetState().GetClones() {
		v.clone(&t, c, list, drawn)
	}
	for _, g := range v.resp.GetState().GetGroups() {
		if state.CloneOf(v.resp.GetState(), g.GetId()) == nil {
			v.group(&t, g, list, drawn)
		}
	}
	for _, r := range list {
		if !drawn[r.GetId()] {
			v.resource(&t, r, "", "")
		}
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

// clone draws the instances of a clone, node by node.
func (v *View) clone(t *Table, c *pb.Clone, list []*pb.Resource, drawn map[string]bool) {
	members := v.listed(c.GetId(), list, drawn)
	if len(members) == 0 {
		return
	}
	name := "clone " + c.GetId()
	if c.GetMember() != members[0].GetId() {
		name += " of group " + c.GetMember()
	}
	t.Line(Plain, name)
	for _, n := range v.resp.GetState().GetNodes() {
		if n.GetRole() == pb.Role_ROLE_WITNESS {
			continue
		}
		for _, r := range members {
			v.resource(t, r, n.GetId(), "  ")
		}
	}
}

func (v *View) group(t *Table, g *pb.Group, list []*pb.Resource, drawn map[string]bool) {
	members := v.listed(g.GetId(), list, drawn)
	if len(members) == 0 {
		return
	}
	t.Line(Plain, "group "+g.GetId())
	for _, r := range members {
		v.resource(t, r, "", "  ")
	}
}

// listed returns the members of a group or clone that are to be drawn, and notes
// that they are.
func (v *View) listed(id string, list []*pb.Resource, drawn map[string]bool) []*pb.Resource {
	var members []*pb.Resource
	for _, m := range state.Members(v.resp.GetState(), id) {
		if r := find(list, func(r *pb.Resource) bool { return r.GetId() == m }); r != nil {
			members = append(members, r)
			drawn[m] = true
		}
	}
	return members
}

// resource draws a resource, or the instance of a clone on a node.
func (v *View) resource(t *Table, r *pb.Resource, node, indent string) {
	l := v.look(r, subject{r.GetId(), node})
	t.Row(Cell{Text: indent + r.GetId()}, Cell{r.GetAgent(), Faint}, l.state, Cell{l.node, Strong},
		Cell{Text: l.since}, Cell{l.detail, Faint})
	for _, n := range l.notes {
		if !v.told[n.Text] {
			t.Line(n.Style, indent+"  "+n.Text)
		}
	}
}

// A look is how a resource stands now.
type look struct {
	state               Cell
	node, since, detail string
	notes               []Cell
}

func (v *View) look(r *pb.Resource, s subject) look {
	a := v.assignment(s)
	l := v.owned(r, s, a)
	if op := v.operation(s); op != nil {
		l.state = Cell{map[pb.OperationKind]string{
			pb.OperationKind_OPERATION_KIND_START:  "starting",
			pb.OperationKind_OPERATION_KIND_STOP:   "stopping",
			pb.OperationKind_OPERATION_KIND_RELOAD: "reloading",

			pb.OperationKind_OPERATION_KIND_PROMOTE: "promoting",
			pb.OperationKind_OPERATION_KIND_DEMOTE:  "demoting",
		}[op.GetKind()], Warn}
		l.node, l.since = v.Node(op.GetNode()), since(v.now, op.GetSince())
		l.note(Faint, op.GetReason())
	}
	v.strays(&l, s, a)
	v.explain(&l, r, s)
	return l
}

// owned looks at the instance on the owner.
func (v *View) owned(r *pb.Resource, s subject, a *pb.Assignment) look {
	if a == nil {
		return v.unowned(r, s)
	}
	l := look{node: v.Node(a.GetNode())}
	if a.GetOrphaned() {
		l.state = Cell{"waiting", Warn}
		l.note(Warn, fmt.Sprintf("%s is gone, but what it started may still be active for a while.", l.node))
		return l
	}
	i := v.instance(r.GetId(), a.GetNode())
	l.since, l.detail = since(v.now, i.GetSince()), i.GetDetail()
	switch i.GetState() {
	case pb.InstanceState_INSTANCE_STATE_RUNNING:
		l.state = Cell{v.role(i), Good}
	case pb.InstanceState_INSTANCE_STATE_FAILED:
		l.state = Cell{"failed", Bad}
		l.note(Bad, i.GetLastError())
	case pb.InstanceState_INSTANCE_STATE_BLOCKED:
		l.state = Cell{"blocked", Bad}
		l.note(Bad, "Its stop failed, so it may still be active there: "+i.GetLastError())
	default:
		l.state = Cell{"starting", Warn}
	}
	return l
}

// role is what something that runs is: promoted or not, where that is a question.
func (v *View) role(i *pb.Instance) string {
	switch {
	case i.GetPromoted():
		return "promoted"
	case state.Promotable(v.resp.GetState(), i.GetResource()):
		return "unpromoted"
	}
	return "running"
}

func (v *View) unowned(r *pb.Resource, s subject) look {
	l := look{node: v.Node(s.node)}
	switch {
	case r.GetDeleting():
		l.state = Cell{"being deleted", Faint}
	case strings.EqualFold(v.option(r, "target-role"), "stopped"):
		l.state = Cell{"disabled", Faint}
	case s.node != "" && v.placement(s).GetNode() == "": // on others it may run
		l.state = Cell{"stopped", Faint}
	default:
		l.state = Cell{"stopped", Bad}
	}
	return l
}

// stray says what runs on a node that does not own it.
func stray(i *pb.Instance, node string) string {
	if i.GetByHand() {
		return fmt.Sprintf("It is run by hand on %s.", node)
	}
	return fmt.Sprintf("It was found running on %s, which does not own it.", node)
}

// strays notes what is active, or may be, on nodes that do not own it.
func (v *View) strays(l *look, s subject, a *pb.Assignment) {
	for _, i := range v.resp.GetState().GetInstances() {
		if !s.of(i.GetResource(), i.GetNode()) || i.GetNode() == a.GetNode() {
			continue
		}
		node := v.Node(i.GetNode())
		switch i.GetState() {
		case pb.InstanceState_INSTANCE_STATE_RUNNING:
			if l.node == "" || s.node != "" {
				l.state, l.node = Cell{"running", Warn}, node
			}
			l.note(Warn, stray(i, node))
		case pb.InstanceState_INSTANCE_STATE_FAILED:
			l.note(Bad, fmt.Sprintf("It was found on %s, failed: %s", node, i.GetLastError()))
		case pb.InstanceState_INSTANCE_STATE_BLOCKED:
			l.note(Bad, fmt.Sprintf("Its stop on %s failed, so it may still be active there: %s", node, i.GetLastError()))
		default:
		}
	}
}

// explain notes what keeps the resource from running or being moved.
func (v *View) explain(l *look, r *pb.Resource, s subject) {
	p := v.placement(s)
	for _, why := range p.GetBlocked() {
		l.note(Bad, why)
	}
	if l.state.Text == "stopped" && len(p.GetBlocked()) == 0 {
		l.note(Plain, p.GetReason())
	}
	if strings.EqualFold(v.option(r, "is-managed"), "false") {
		l.note(Warn, "Unmanaged: it is left as it is.")
	}
	if r.GetDeleting() && l.node != "" && l.state.Text != "being deleted" {
		l.note(Plain, "It is being deleted.")
	}
}

// note adds a line unless it is empty or there already.
func (l *look) note(style Style, text string) {
	if text == "" || slices.ContainsFunc(l.notes, func(c Cell) bool { return c.Text == text }) {
		return
	}
	l.notes = append(l.notes, Cell{text, style})
}
