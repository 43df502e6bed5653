package api

import (
	"path/filepath"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// leadAgent has to run before every file of which it has the path.
type leadAgent struct{ fileAgent }

var _ resources.Forerunner = (*leadAgent)(nil)

func (*leadAgent) Metadata() *pb.AgentMetadata {
	m := (*fileAgent)(nil).Metadata()
	m.Name, m.Serves = "quorate:lead", nil
	return m
}

func (*leadAgent) Foreruns(r, other *pb.Resource) string {
	if filepath.Dir(r.GetParameters()["path"]) != filepath.Dir(other.GetParameters()["path"]) {
		return ""
	}
	return "its folder is locked"
}

func group(id string, members ...string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{Group: id, Resources: members}}}
}

func TestAGroupThatStartsTooEarlyIsWarnedOfAndAmongTheProblems(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	must(t, a.kinds.Register(&leadAgent{}))
	a.setup(t, true)
	mine, theirs := t.TempDir(), t.TempDir()
	resp, err := a.change(t,
		create("vip", "ocf:quorate:file", map[string]string{"path": filepath.Join(mine, "vip")}),
		create("other", "ocf:quorate:file", map[string]string{"path": filepath.Join(theirs, "other")}),
		create("lead", "quorate:lead", map[string]string{"path": filepath.Join(mine, "lead")}),
		group("g", "other", "vip", "lead"),
	)
	must(t, err)
	const want = "group g starts vip before lead, and its folder is locked; use `quorate resource group add g lead --before vip`"
	if got := strings.Join(resp.Warnings, "\n"); got != want {
		t.Errorf("warnings: %q, want %q", got, want)
	}
	status, err := a.status().Get(t.Context(), &pb.GetRequest{})
	must(t, err)
	if got := strings.Join(status.Problems, "\n"); !strings.Contains(got, want) {
		t.Errorf("problems: %q, want %q", got, want)
	}
	resp, err = a.change(t, &pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{Group: "g", Resources: []string{"lead"}, Before: "vip"}}})
	must(t, err)
	if len(resp.Warnings) > 0 {
		t.Errorf("after it was mended: %q", resp.Warnings)
	}
	status, err = a.status().Get(t.Context(), &pb.GetRequest{})
	must(t, err)
	if got := strings.Join(status.Problems, "\n"); strings.Contains(got, "folder") {
		t.Errorf("problems: %q", got)
	}
}

func TestAnOrderThatStartsTooEarlyIsWarnedOf(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	must(t, a.kinds.Register(&leadAgent{}))
	a.setup(t, true)
	dir := t.TempDir()
	order := func(first, then string, kind pb.OrderAction) *pb.Edit {
		return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: &pb.Constraint{
			Id: "o", Kind: &pb.Constraint_Order{Order: &pb.Order{First: first, Then: then, FirstAction: kind, ThenAction: kind}},
		}}}}
	}
	_, err := a.change(t,
		create("vip", "ocf:quorate:file", map[string]string{"path": filepath.Join(dir, "vip")}),
		create("lead", "quorate:lead", map[string]string{"path": filepath.Join(dir, "lead")}),
	)
	must(t, err)
	resp, err := a.change(t, order("vip", "lead", pb.OrderAction_ORDER_ACTION_START))
	must(t, err)
	const want = "constraint o starts vip before lead, and its folder is locked; delete it, and use `quorate constraint order lead then vip`"
	if got := strings.Join(resp.Warnings, "\n"); got != want {
		t.Errorf("warnings: %q, want %q", got, want)
	}
	for _, edit := range []*pb.Edit{order("lead", "vip", pb.OrderAction_ORDER_ACTION_START), order("vip", "lead", pb.OrderAction_ORDER_ACTION_STOP)} {
		resp, err := a.change(t, &pb.Edit{Kind: &pb.Edit_DeleteConstraint{DeleteConstraint: &pb.DeleteConstraint{Id: "o"}}}, edit)
		must(t, err)
		if len(resp.Warnings) > 0 {
			t.Errorf("of %v: %q", edit, resp.Warnings)
		}
	}
}

func TestAlertsThatCannotWorkAreWarnedOf(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	alert := func(made *pb.Alert) *pb.Edit {
		return &pb.Edit{Kind: &pb.Edit_CreateAlert{CreateAlert: &pb.CreateAlert{Alert: made}}}
	}
	resp, err := a.change(t, alert(&pb.Alert{Id: "m", Path: "mail"}), alert(&pb.Alert{Id: "p", Path: "/nonexistent/page", Resources: []string{"web"}}),
		alert(&pb.Alert{Id: "fine", Path: "/bin/sh"}))
	must(t, err)
	got := strings.Join(resp.Warnings, "\n")
	for _, want := range []string{
		"alert m: nobody gets its mail yet", "alert p: /nonexistent/page is not on this node", "alert p: there is no resource, group or clone web",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings: %q, want %q", got, want)
		}
	}
	if strings.Contains(got, "fine") {
		t.Errorf("warnings: %q", got)
	}
	must(t, w.note("p", "exit status 1: no route"))
	status, err := a.status().Get(t.Context(), &pb.GetRequest{})
	must(t, err)
	if got := strings.Join(status.Problems, "\n"); !strings.Contains(got, "alert p does not work: exit status 1: no route") {
		t.Errorf("problems: %q", got)
	}
}

// note commits that an alert failed.
func (w *world) note(alert, failed string) error {
	_, err := w.Propose(w.t.Context(), &pb.Command{Body: &pb.Command_RecordAlerts{RecordAlerts: &pb.RecordAlerts{
		Conditions: []*pb.AlertCondition{{Alert: alert, Node: "x", Error: failed}},
	}}})
	return err
}
