package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Quorum draws who votes, and what may still fail before service stops.
func Quorum(w io.Writer, resp *pb.GetResponse, now time.Time, o Options) error {
	v := NewView(resp, now)
	var b strings.Builder
	v.headline(&b, o)
	if resp.GetState().GetClusterId() != "" {
		v.margin(&b, o)
		v.ballot(&b, o)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (v *View) margin(b *strings.Builder, o Options) {
	voters, heard := v.voters()
	if !v.resp.GetQuorate() {
		return // the headline has said it
	}
	if v.resp.GetPair() != nil {
		v.pairMargin(b, o)
		return
	}
	style := Plain
	if heard <= len(voters)/2+1 {
		style = Warn
	}
	fmt.Fprintln(b, o.Paint(style, margin(heard, len(voters))))
}

func (v *View) pairMargin(b *strings.Builder, o Options) {
	lines, good := v.pair(o)
	style := Warn
	if good {
		style = Plain
	}
	for _, line := range lines {
		fmt.Fprintln(b, o.Paint(style, line))
	}
}

// margin says what may fail while there is a quorum.
func margin(heard, voters int) string {
	majority := voters/2 + 1
	is := "are"
	if heard == 1 {
		is = "is"
	}
	have := fmt.Sprintf("%d of %d voters %s heard and %d %s needed: ", heard, voters, is, majority, plural(majority, "is", "are"))
	switch spare := heard - majority; {
	case voters == 1:
		return "There is one voter: when it fails, service stops. Add two more."
	case voters == 2:
		return have + "no voter may fail. Add a witness, or set no-quorum-policy=ignore to let one of the two go on alone."
	case spare < 0:
		return have + "service stops any moment."
	case spare == 0:
		return have + "no further voter may fail before service stops."
	case spare == 1:
		return have + "one more voter may fail."
	default:
		return have + fmt.Sprintf("%d more voters may fail.", spare)
	}
}

// needed says what is missing while there is no quorum.
func needed(heard, voters int) string {
	majority := voters/2 + 1
	if heard >= majority {
		return fmt.Sprintf("%d of %d voters are heard, but they have not agreed yet: an election is under way, or links between them are cut.", heard, voters)
	}
	missing := majority - heard
	return fmt.Sprintf("%d of %d voters needed: nothing is started or moved until %s %s.",
		majority, voters, plural(missing, "one more", fmt.Sprintf("%d more", missing)), plural(missing, "is heard", "are heard"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// ballot lists the voters.
func (v *View) ballot(b *strings.Builder, o Options) {
	section(b, o, "Voters")
	t := Table{Indent: "  "}
	voters, _ := v.voters()
	for _, n := range voters {
		heard := Cell{"heard", Good}
		if !v.heard(n) {
			heard = Cell{"not heard", Bad}
		}
		t.Row(Cell{Text: n.GetName()}, heard, v.nodeState(n), Cell{v.nodeMarks(n, o), Faint})
	}
	for _, n := range v.resp.GetState().GetNodes() {
		if why, without := v.withoutVote(n); without {
			t.Row(Cell{Text: n.GetName()}, why, v.nodeState(n), Cell{v.nodeMarks(n, o), Faint})
		}
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
	if policy := v.resp.GetState().GetProperties()["no-quorum-policy"]; policy != "" {
		fmt.Fprintf(b, "\nWithout quorum: no-quorum-policy=%s\n", policy)
	}
}

// withoutVote says why a node has no vote whose role gives it one.
func (v *View) withoutVote(n *pb.Node) (Cell, bool) {
	votes := slices.Contains(v.resp.GetState().GetElectorate().GetVoters(), n.GetId())
	role := n.GetRole() == pb.Role_ROLE_VOTER || n.GetRole() == pb.Role_ROLE_WITNESS
	switch {
	case votes || !role:
		return Cell{}, false
	case n.GetStopped():
		return Cell{"gave its vote back", Faint}, true
	case n.GetAdmission() == pb.Admission_ADMISSION_GONE:
		return Cell{"lost its vote", Warn}, true
	default:
		return Cell{"does not vote yet", Warn}, true
	}
}

// QuorumState is the part of an answer that Quorum draws, for programs.
func QuorumState(resp *pb.GetResponse) *pb.GetResponse {
	s := resp.GetState()
	return &pb.GetResponse{
		State: &pb.State{ClusterId: s.GetClusterId(), ClusterName: s.GetClusterName(), Nodes: s.GetNodes(), Electorate: s.GetElectorate()},
		Index: resp.GetIndex(), Node: resp.GetNode(), NodeName: resp.GetNodeName(), Version: resp.GetVersion(),
		Leader: resp.GetLeader(), Quorate: resp.GetQuorate(), AsOf: resp.GetAsOf(), Links: resp.GetLinks(), Lease: resp.GetLease(), Pair: resp.GetPair(),
	}
}
