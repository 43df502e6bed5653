package render

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// NodeName is the name of a node for people.
func NodeName(s *pb.State, id string) string { return state.NodeName(s, id) }

// promises are what each policy of the property fencing can and cannot promise.
var promises = map[string]string{
	state.FencingNone:     "none: what ran on a silent node starts elsewhere at once; it may still run there",
	state.FencingStop:     "stop: it starts elsewhere when the node must have stopped it; a process stuck in the kernel, and a machine that stood still with its clock, may run on",
	state.FencingWatchdog: "watchdog: it starts elsewhere when the node's watchdog must have reset it; a machine that stood still with its clock may run on",
	state.FencingPower:    "power: it starts elsewhere when a device, or an operator, says that the node is off, and not before; without a device it waits",
}

// Stonith draws the policies, the devices and the levels.
func Stonith(w io.Writer, resp *pb.GetResponse, now time.Time, o Options) error {
	s := resp.GetState()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", o.Paint(Strong, "Policy"))
	policies(&b, s)
	section(&b, o, "Devices")
	devices(&b, s, now, o)
	if len(s.GetLevels()) > 0 {
		section(&b, o, "Levels")
		_ = Levels(&b, s.GetLevels(), o.Palette) // a strings.Builder takes everything
	}
	if open := underWay(s); len(open) > 0 {
		section(&b, o, "Under way")
		for _, f := range open {
			fmt.Fprintf(&b, "  %s\n", o.Paint(Warn, FencingOutcome(s, f)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// policies says what holds for what runs on a node that is gone.
func policies(b *strings.Builder, s *pb.State) {
	fmt.Fprintf(b, "  %s\n", promises[state.Property(s, "fencing")])
	for _, r := range s.GetResources() {
		if p := state.FencingOf(s, r.GetId()); p != state.Property(s, "fencing") {
			fmt.Fprintf(b, "  %s has %s\n", r.GetId(), promises[p])
		}
	}
}

// fencing draws the policies in a full status.
func (v *View) fencing(b *strings.Builder, o Options) {
	section(b, o, "Fencing")
	policies(b, v.resp.GetState())
	if len(v.resp.GetState().GetDevices()) > 0 {
		devices(b, v.resp.GetState(), v.now, o)
	}
}

func underWay(s *pb.State) []*pb.Fencing {
	var list []*pb.Fencing
	for _, f := range s.GetFencings() {
		if !state.Ended(f) {
			list = append(list, f)
		}
	}
	return list
}

func devices(b *strings.Builder, s *pb.State, now time.Time, o Options) {
	if len(s.GetDevices()) == 0 {
		fmt.Fprintf(b, "  none; make one with %q\n", o.Program+" stonith create")
		return
	}
	t := Table{Indent: "  "}
	for _, d := range s.GetDevices() {
		targets := strings.Join(fencing.Targets(d), ", ")
		if fencing.HostCheck(d) != fencing.StaticList {
			targets = "what it lists"
		}
		t.Row(Cell{Text: d.GetId()}, Cell{Text: d.GetType()}, Cell{Text: targets}, deviceCondition(s, d, now))
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func deviceCondition(s *pb.State, d *pb.FencingDevice, now time.Time) Cell {
	c := state.ConditionOf(s, d.GetId())
	switch {
	case d.GetDisabled():
		return Cell{"disabled", Faint}
	case c == nil:
		return Cell{"not tested yet", Faint}
	case c.GetError() != "":
		return Cell{fmt.Sprintf("does not work since %s ago: %s", since(now, c.GetSince()), c.GetError()), Bad}
	}
	return Cell{"works, tested by " + NodeName(s, c.GetNode()), Good}
}

// Levels draws fencing levels.
func Levels(w io.Writer, levels []*pb.FencingLevel, p Palette) error {
	t := Table{Indent: "  "}
	for _, l := range levels {
		t.Row(Text(l.GetTarget(), fmt.Sprintf("level %d", l.GetLevel()), strings.Join(l.GetDevices(), ", "))...)
	}
	return t.Write(w, p)
}

// FencingOutcome says in a sentence how a fencing stands.
func FencingOutcome(s *pb.State, f *pb.Fencing) string {
	name := NodeName(s, f.GetNode())
	switch {
	case f == nil:
		return "there is no fencing of this node"
	case f.GetPhase() == pb.FencingPhase_FENCING_PHASE_CALLED_OFF:
		return fmt.Sprintf("%s was not fenced: %s", name, f.GetNote())
	case f.GetOffAt() != nil && f.GetPhase() == pb.FencingPhase_FENCING_PHASE_ON:
		return fmt.Sprintf("%s is off for certain (%s), and is being switched on again", name, f.GetBy())
	case f.GetOffAt() != nil:
		return fmt.Sprintf("%s was off for certain (%s)%s", name, f.GetBy(), afterwards(f))
	case f.GetFailures() == 0:
		return fmt.Sprintf("%s is being switched off: %s", name, f.GetReason())
	}
	failed := ""
	for _, a := range f.GetAttempts() {
		failed = cmp.Or(failedText(a), failed)
	}
	return fmt.Sprintf("%s is not off yet, after %d failed attempts; %s", name, f.GetFailures(), failed)
}

func afterwards(f *pb.Fencing) string {
	switch {
	case f.GetNote() != "":
		return "; " + f.GetNote()
	case f.GetStayOff():
		return " and stays off"
	}
	return " and was switched on again"
}

func failedText(a *pb.FencingAttempt) string {
	if a.GetError() == "" {
		return ""
	}
	return a.GetDevice() + ": " + a.GetError()
}

// History draws fencings, oldest first, each with its attempts below it.
func History(w io.Writer, s *pb.State, list []*pb.Fencing, now time.Time, p Palette) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was fenced.")
		return err
	}
	var t Table
	for _, f := range list {
		took := ""
		if f.GetOffAt() != nil && f.GetAskedAt() != nil {
			took = "off after " + span(f.GetOffAt().AsTime().Sub(f.GetAskedAt().AsTime()))
		}
		t.Row(Cell{clock(now, f.GetAskedAt().AsTime(), "15:04:05"), Faint}, Cell{Text: NodeName(s, f.GetNode())},
			Cell{Text: took}, Cell{FencingOutcome(s, f), outcomeStyle(f)})
		t.Line(Faint, "          "+f.GetReason()+byWhom(f))
		for _, a := range f.GetAttempts() {
			t.Line(Faint, "          "+attempt(s, a))
		}
	}
	return t.Write(w, p)
}

func outcomeStyle(f *pb.Fencing) Style {
	if f.GetOffAt() == nil {
		return Warn
	}
	return Plain
}

func byWhom(f *pb.Fencing) string {
	if f.GetActor() == "" {
		return ""
	}
	return " (" + f.GetActor() + ")"
}

func attempt(s *pb.State, a *pb.FencingAttempt) string {
	level := ""
	if a.GetLevel() > 0 {
		level = fmt.Sprintf("level %d, ", a.GetLevel())
	}
	where := ""
	if a.GetNode() != "" {
		where = " on " + NodeName(s, a.GetNode())
	}
	return fmt.Sprintf("%s%s by %s%s, %s: %s", level, a.GetAction(), a.GetDevice(), where, span(a.GetTook().AsDuration()), cmp.Or(a.GetError(), "done"))
}

// DeviceTraits says in words what a type of devices can do.
func DeviceTraits(t *pb.DeviceTraits) string {
	var said []string
	if t.GetArgument() != "" {
		said = append(said, "The cluster gives "+t.GetArgument()+" by itself.")
	}
	if t.GetStatus() {
		said = append(said, "It is asked whether a node is off before anything starts elsewhere.")
	} else {
		said = append(said, "It cannot be asked whether a node is off: its word alone is proof.")
	}
	if !t.GetOn() {
		said = append(said, "It cannot switch a node on again.")
	}
	if t.GetUnfences() {
		said = append(said, "It needs nodes to be joined again when they start, which is not available in this version.")
	}
	if len(t.GetSecrets()) > 0 {
		said = append(said, "Secret are "+strings.Join(t.GetSecrets(), ", ")+".")
	}
	return strings.Join(said, "\n")
}
