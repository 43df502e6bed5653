package render

import (
	"fmt"
	"strings"

	pb "quorate/proto/quorate/v1"
)

func (v *View) nodes(b *strings.Builder, o Options) {
	section(b, o, "Nodes")
	t := Table{Indent: "  "}
	for _, n := range v.resp.GetState().GetNodes() {
		t.Row(Cell{Text: n.GetName()}, v.nodeState(n), Cell{v.nodeMarks(n, o), Faint})
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

// nodeState says what a node is doing. A node is silent when nothing is heard
// of it, and gone when its lease has ended for certain.
func (v *View) nodeState(n *pb.Node) Cell {
	silence := v.silence(n)
	switch {
	case n.GetAdmission() == pb.Admission_ADMISSION_GONE && n.GetStopped():
		return Cell{"stopped, gone" + v.goneSince(n), Warn}
	case n.GetAdmission() == pb.Admission_ADMISSION_GONE:
		return Cell{"gone" + v.goneSince(n), Bad}
	case n.GetStopped():
		return Cell{"stopped", Warn}
	case n.GetAdmission() == pb.Admission_ADMISSION_NONE:
		return Cell{"never started", Warn}
	case silence > 0:
		return Cell{"silent for " + span(silence), Bad}
	case n.GetMaintenance() && n.GetStandby():
		return Cell{"standby, maintenance", Warn}
	case n.GetMaintenance():
		return Cell{"maintenance", Warn}
	case n.GetStandby():
		return Cell{"standby", Warn}
	}
	return Cell{"online", Good}
}

func (v *View) goneSince(n *pb.Node) string {
	if n.GetGoneAt() == nil {
		return ""
	}
	return fmt.Sprintf(" since %s (%s)", clock(v.now, n.GetGoneAt().AsTime(), "15:04:05"), since(v.now, n.GetGoneAt()))
}

func (v *View) nodeMarks(n *pb.Node, o Options) string {
	var marks []string
	if n.GetId() == v.resp.GetLeader() {
		marks = append(marks, "leader")
	}
	switch n.GetRole() {
	case pb.Role_ROLE_WITNESS:
		marks = append(marks, "witness")
	case pb.Role_ROLE_REPLICA:
		marks = append(marks, "replica")
	default:
	}
	if n.GetDisabled() {
		marks = append(marks, "waits for \""+o.Program+" cluster start\" after a boot")
	}
	if n.GetVersion() != "" && (o.Full || n.GetVersion() != v.resp.GetVersion()) {
		marks = append(marks, "version "+n.GetVersion())
	}
	if o.Full {
		marks = append(marks, n.GetAddresses()...)
	}
	return strings.Join(marks, ", ")
}

func (v *View) links(b *strings.Builder, o Options) {
	if len(v.resp.GetLinks()) == 0 {
		return
	}
	section(b, o, "Links from "+v.resp.GetNodeName())
	t := Table{Indent: "  "}
	for _, l := range v.resp.GetLinks() {
		state := Cell{"up", Good}
		if !l.GetUp() {
			state = Cell{"down, last heard " + span(l.GetLastHeard().AsDuration()) + " ago", Bad}
		}
		rtt := ""
		if l.GetUp() && l.GetRtt() != nil {
			rtt = fmt.Sprintf("%.2f ms", float64(l.GetRtt().AsDuration().Microseconds())/1000)
		}
		t.Row(Cell{Text: v.Node(l.GetNode())}, Cell{Text: l.GetAddress()}, state, Cell{Text: rtt})
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func (v *View) lease(b *strings.Builder, o Options) {
	l := v.resp.GetLease()
	if l == nil {
		return
	}
	section(b, o, "Lease of "+v.resp.GetNodeName())
	state := o.Paint(Bad, "not held")
	if l.GetHeld() {
		state = fmt.Sprintf("%s, %s left of %s", o.Paint(Good, "held"), span(l.GetRemaining().AsDuration()), span(l.GetLength().AsDuration()))
	}
	fmt.Fprintf(b, "  epoch %d, %s; gone after %s of silence\n", l.GetEpoch(), state, span(l.GetThreshold().AsDuration()))
	fmt.Fprintf(b, "  %d %s and a worst beat delay of %s since the agent started\n",
		l.GetLapses(), plural(int(l.GetLapses()), "lapse", "lapses"), span(l.GetWorstBeatDelay().AsDuration()))
}
