package render

import (
	"fmt"
	"strings"
	"time"

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
	case n.GetReach().GetIsolated() > 0:
		return Cell{"online, isolated", Bad}
	}
	if up, all := v.linksUp(n); 0 < up && up < all {
		return Cell{fmt.Sprintf("online, %d of %d links up", up, all), Warn}
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
	if n.GetReach().GetIsolated() > 0 {
		marks = append(marks, "reaches none of the ping targets (property quorum.ping)")
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
		t.Row(Cell{Text: v.Node(l.GetNode())}, Cell{Text: l.GetAddress()}, linkState(l), Cell{Text: roundTrip(l)}, linkLoss(l))
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func linkState(l *pb.Link) Cell {
	switch {
	case l.GetUp():
		return Cell{"up", Good}
	case l.GetLastHeard() == nil:
		return Cell{"down, never heard", Bad}
	case l.GetLastHeard().AsDuration() < deafness:
		return Cell{"down one way: it is heard and does not hear us", Bad}
	default:
		return Cell{"down, last heard " + span(l.GetLastHeard().AsDuration()) + " ago", Bad}
	}
}

// deafness is how lately a link was heard that is down all the same, because
// nothing comes back over it.
const deafness = 100 * time.Millisecond

func roundTrip(l *pb.Link) string {
	if !l.GetUp() || l.GetRtt() == nil {
		return ""
	}
	return fmt.Sprintf("%.2f ms", float64(l.GetRtt().AsDuration().Microseconds())/1000)
}

// linkLoss says what share of the pings was lost, and that it is much.
func linkLoss(l *pb.Link) Cell {
	switch loss := l.GetLoss(); {
	case !l.GetUp() || l.GetRtt() == nil:
		return Cell{}
	case loss > 0.05:
		return Cell{fmt.Sprintf("%.0f %% lost", 100*loss), Warn}
	case loss > 0:
		return Cell{Text: fmt.Sprintf("%.0f %% lost", 100*loss)}
	default:
		return Cell{Text: "none lost"}
	}
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
	fmt.Fprintf(b, "  %d %s since the agent started\n", l.GetLapses(), plural(int(l.GetLapses()), "lapse", "lapses"))
	if g := v.resp.GetGuard(); g != "" {
		fmt.Fprintf(b, "  when it ends without the agent, addresses are silenced by: %s\n", g)
	}
	warden(b, o, l)
}

// warden says what ends processes when the lease is over, and what the watchdog does.
func warden(b *strings.Builder, o Options, l *pb.LeaseStatus) {
	w := l.GetWarden()
	if w == nil {
		return
	}
	if w.GetPid() == 0 {
		fmt.Fprintf(b, "  %s: what runs here goes on if the agent dies\n", o.Paint(Bad, "no warden"))
	} else {
		fmt.Fprintf(b, "  and processes killed by: the warden, pid %d, %s, %s; %d %s on its list\n", w.GetPid(),
			either(w.GetMemoryLocked(), "memory locked", "memory not locked"), either(w.GetRealTime(), "in real time", "ordinary scheduling"),
			w.GetResources(), plural(int(w.GetResources()), "resource", "resources"))
	}
	switch within, threshold := w.GetResetWithin().AsDuration(), l.GetThreshold().AsDuration(); w.GetWatchdog() {
	case "armed", "starved":
		fmt.Fprintf(b, "  watchdog %s: %s; it resets this machine %s after the lease, %s after its last beat, and others wait %s\n",
			either(w.GetWatchdog() == "armed", "armed", o.Paint(Bad, "not fed any more")), w.GetWatchdogText(),
			tenths(w.GetWatchdogTimeout().AsDuration()), tenths(l.GetLength().AsDuration()+w.GetWatchdogTimeout().AsDuration()), tenths(threshold+within*11/10))
	case "failed":
		fmt.Fprintf(b, "  %s: %s\n", o.Paint(Bad, "no watchdog, and it is needed"), w.GetWatchdogText())
	}
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// timing says how long a failover takes, and how late the beats come that it
// depends on.
func (v *View) timing(b *strings.Builder, o Options) {
	t, l := v.resp.GetTiming(), v.resp.GetLease()
	if t == nil {
		return
	}
	section(b, o, "Timing")
	fmt.Fprintf(b, "  profile %s: an address whose node loses power answers again after about %s, or %s if that node led\n",
		t.GetProfile(), tenths(t.GetFailover().AsDuration()), tenths(t.GetFailoverOfLeader().AsDuration()))
	if l != nil {
		fmt.Fprintf(b, "  worst beat delay of %s: %s within the last hour, %s since the agent started; %s\n", v.resp.GetNodeName(),
			span(l.GetRecentWorstBeatDelay().AsDuration()), span(l.GetWorstBeatDelay().AsDuration()), l.GetScheduling())
	}
}

// tenths is a span that is not a second more or less.
func tenths(d time.Duration) string {
	if d < time.Second {
		return span(d)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
