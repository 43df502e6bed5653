package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// stale is the age from which an answer says how old it is.
const stale = 2 * time.Second

// Options say how much a status tells, and what program the commands in it name.
type Options struct {
	Palette
	Program string // quorate or pcs
	Full    bool   // links, lease and versions, too
}

// Status draws the whole cluster.
func Status(w io.Writer, resp *pb.GetResponse, now time.Time, o Options) error {
	v := NewView(resp, now)
	var b strings.Builder
	v.headline(&b, o)
	if resp.GetState().GetClusterId() == "" {
		_, err := io.WriteString(w, b.String())
		return err
	}
	v.problems(&b, o)
	v.nodes(&b, o)
	v.resources(&b, o, resp.GetState().GetResources())
	balances(&b, o, resp.GetBalances())
	v.failures(&b, o)
	v.temporary(&b, o)
	if o.Full {
		v.timing(&b, o)
		v.fencing(&b, o)
		v.links(&b, o)
		v.lease(&b, o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Nodes draws the headline, the nodes, how fast they are and the links to them.
func Nodes(w io.Writer, resp *pb.GetResponse, now time.Time, o Options) error {
	v := NewView(resp, now)
	var b strings.Builder
	v.headline(&b, o)
	v.nodes(&b, o)
	v.timing(&b, o)
	v.links(&b, o)
	if o.Full {
		v.lease(&b, o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Resources draws the listed resources and their failures.
func Resources(w io.Writer, resp *pb.GetResponse, list []*pb.Resource, now time.Time, o Options) error {
	v := NewView(resp, now)
	var b strings.Builder
	v.resources(&b, o, list)
	balances(&b, o, resp.GetBalances())
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func (v *View) headline(b *strings.Builder, o Options) {
	s := v.resp.GetState()
	if s.GetClusterId() == "" {
		fmt.Fprintf(b, "%s is in no cluster.\nMake one with \"%s cluster setup NAME NODE NODE …\", or join one with \"%s cluster join TOKEN\".\n",
			v.resp.GetNodeName(), o.Program, o.Program)
		return
	}
	quorum := o.Paint(Good, "quorum")
	voters, heard := v.voters()
	if !v.resp.GetQuorate() {
		quorum = o.Paint(Bad, "NO QUORUM")
	}
	leader := "no leader now"
	if id := v.resp.GetLeader(); id != "" {
		leader = "leader " + v.Node(id)
	}
	fmt.Fprintf(b, "%s: %s, %d of %d voters heard, %s\n", o.Paint(Strong, s.GetClusterName()), quorum, heard, len(voters), leader)
	switch {
	case v.resp.GetQuorate():
	case v.resp.GetPair() != nil:
		v.pairMargin(b, o)
	default:
		fmt.Fprintf(b, "%s\n", needed(heard, len(voters)))
	}
	if age := v.resp.GetAsOf().AsDuration(); age > stale {
		fmt.Fprintln(b, o.Paint(Warn, fmt.Sprintf("This is as %s knew it %s ago, when it last heard the leader.", v.resp.GetNodeName(), span(age))))
	}
	if s.GetProperties()["maintenance-mode"] == "true" {
		fmt.Fprintln(b, o.Paint(Warn, "maintenance-mode=true: nothing is started, stopped or moved."))
	}
}

func (v *View) problems(b *strings.Builder, o Options) {
	if len(v.resp.GetProblems()) == 0 {
		return
	}
	section(b, o, "Problems")
	for _, p := range v.resp.GetProblems() {
		fmt.Fprintf(b, "  %s\n", o.Paint(Bad, p))
		v.told[p] = true
	}
}

// failures lists what was counted against resources, where and why.
func (v *View) failures(b *strings.Builder, o Options) {
	t := Table{Indent: "  "}
	for _, i := range v.resp.GetState().GetInstances() {
		if i.GetFailCount() == 0 {
			continue
		}
		t.Row(Cell{Text: i.GetResource() + " on " + v.Node(i.GetNode())}, Cell{Text: times(i.GetFailCount())},
			Cell{Text: ago(v.now, i)}, Cell{Text: i.GetLastError()})
	}
	if len(t.rows) == 0 {
		return
	}
	section(b, o, "Failures")
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
	fmt.Fprintf(b, "  %s\n", o.Paint(Faint, fmt.Sprintf("%q forgets them.", o.Program+" resource cleanup")))
}

func times(n uint32) string {
	switch {
	case n == 1:
		return "failed once"
	case n >= 1_000_000:
		return "failed for good"
	}
	return fmt.Sprintf("failed %d times", n)
}

func ago(now time.Time, i *pb.Instance) string {
	if i.GetLastFailure() == nil {
		return ""
	}
	return since(now, i.GetLastFailure()) + " ago"
}

// temporary lists what operators left behind that binds the cluster.
func (v *View) temporary(b *strings.Builder, o Options) {
	var lines []string
	for _, m := range v.moves() {
		lines = append(lines, fmt.Sprintf("%s was moved to %s by hand %s ago; %q ends that.",
			m.id, m.GetNode(), since(v.now, m.GetAt()), o.Program+" resource clear "+m.id))
	}
	for _, c := range v.bans() {
		id := c.GetLocation().GetResource()
		lines = append(lines, fmt.Sprintf("%s is banned from %s; %q ends that.",
			id, c.GetLocation().GetNode(), o.Program+" resource clear "+id))
	}
	if len(lines) == 0 {
		return
	}
	section(b, o, "Temporary")
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", l)
	}
}

func section(b *strings.Builder, o Options, title string) {
	fmt.Fprintf(b, "\n%s\n", o.Paint(Strong, title))
}
