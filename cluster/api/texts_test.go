package api

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// newTextCluster has two nodes, of which the second knows fewer words.
func newTextCluster(t *testing.T) (w *world, a *agent) {
	t.Helper()
	w = newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	must(t, a.kinds.Register(&textAgent{}))
	must(t, b.kinds.Register(&textAgent{unknown: "new"}))
	a.setup(t, true, b)
	return w, a
}

func text(id, config string) *pb.Edit {
	return create(id, "quorate:text", map[string]string{"config": config})
}

func TestATextIsCheckedOnEveryNodeS8(t *testing.T) {
	w, a := newTextCluster(t)
	for _, tt := range []struct{ config, text, lines string }{
		{"good\nbad", "config: the word bad is unknown", "2"},
		{"good\n\nnew", "config: on lvss: the word new is unknown", "3"},
	} {
		_, err := a.change(t, text("Web", tt.config))
		wantRefusal(t, err, codes.InvalidArgument, "config", tt.text)
		if _, metadata := Reason(err); metadata[keyLines] != tt.lines {
			t.Errorf("%q: lines %q, want %q", tt.config, metadata[keyLines], tt.lines)
		}
	}
	if len(w.store.Get().State.Resources) > 0 {
		t.Error("a refused text made a resource")
	}
	e := text("Web", "good")
	e.GetCreateResource().GetResource().Parameters["program"] = "new"
	resp, err := a.change(t, e)
	must(t, err)
	if want := []string{"parameter program: on lvss: new is not installed"}; !slices.Equal(resp.Warnings, want) {
		t.Errorf("warnings %q, want %q: another node's lack is no reason to refuse", resp.Warnings, want)
	}
}

func TestWhatAnotherResourceHasIsRefusedByItsName(t *testing.T) {
	w, a := newTextCluster(t)
	_, err := a.change(t, text("Web", "take :80"), text("Mail", "take :25"))
	must(t, err)
	_, err = a.change(t, text("Other", "\ntake :80"))
	wantRefusal(t, err, codes.InvalidArgument, "config", "Web has that already; choose another, or keep them apart: make it with --disabled")
	if _, metadata := Reason(err); metadata[keyLines] != "2" {
		t.Errorf("lines %q, want 2", metadata[keyLines])
	}
	other := text("Other", "take :80")
	other.GetCreateResource().GetResource().Meta = map[string]string{"target-role": "Stopped"}
	apart := &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: &pb.Constraint{
		Kind: &pb.Constraint_Colocation{Colocation: &pb.Colocation{Resource: "Other", With: "Web", Score: -state.Infinity}},
	}}}}
	enable := update(&pb.UpdateResource{Id: "Other", UnsetMeta: []string{"target-role"}})
	_, err = a.change(t, other, apart, enable, update(&pb.UpdateResource{Id: "Other", SetParameters: map[string]string{"config": "take :80\nmore"}}))
	must(t, err)
	_, err = a.change(t, update(&pb.UpdateResource{Id: "Other", SetParameters: map[string]string{"config": "take :25"}}))
	wantRefusal(t, err, codes.InvalidArgument, "config", "Mail has that already")
	if got := state.ResourceByID(w.store.Get().State, "Other").Parameters["config"]; got != "take :80\nmore" {
		t.Errorf("config is %q", got)
	}
}

func TestATextIsReadFromTheClusterOrFromEachNodesFile(t *testing.T) {
	_, a := newTextCluster(t)
	_, err := a.change(t, text("Web", "good"))
	must(t, err)
	read := func(r *pb.TextRequest) *pb.TextResponse {
		t.Helper()
		resp, err := a.status().Text(t.Context(), r)
		must(t, err)
		return resp
	}
	kept := read(&pb.TextRequest{Resource: "Web"})
	if kept.Text != "good" || kept.Parameter != "config" || len(kept.Nodes) > 0 {
		t.Errorf("kept in the cluster: %v", kept)
	}
	file := filepath.Join(t.TempDir(), "text")
	must(t, os.WriteFile(file, []byte("of the file"), 0o600))
	_, err = a.change(t, update(&pb.UpdateResource{Id: "Web", UnsetParameters: []string{"config"}, SetParameters: map[string]string{"conffile": file}}))
	must(t, err)
	filed := read(&pb.TextRequest{Resource: "Web", Parameter: "config"})
	if filed.Text != "" || filed.Path != file || len(filed.Nodes) != 2 || filed.Nodes[0].Text != "of the file" || filed.Nodes[1].Text != "of the file" {
		t.Errorf("in a file: %v", filed)
	}
	must(t, os.Remove(file))
	if gone := read(&pb.TextRequest{Resource: "Web"}); !strings.Contains(gone.Nodes[1].Error, "no such file") {
		t.Errorf("without the file: %v", gone)
	}
	for _, r := range []struct {
		request *pb.TextRequest
		code    codes.Code
		text    string
	}{
		{&pb.TextRequest{Resource: "None"}, codes.NotFound, `there is no resource "None"`},
		{&pb.TextRequest{Resource: "Web", Parameter: "program"}, codes.InvalidArgument, "program is no text of Web; choose config"},
	} {
		if _, err := a.status().Text(t.Context(), r.request); err == nil || !strings.Contains(err.Error(), r.text) {
			t.Errorf("Text(%v) = %v, want %v, %q", r.request, err, r.code, r.text)
		}
	}
}

func TestAReloadIsCheckedLikeAChange(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	dir := filepath.Join(t.TempDir(), "made")
	must(t, os.Mkdir(dir, 0o755))
	_, err := a.change(t, create("flag", "ocf:quorate:file", map[string]string{"path": filepath.Join(dir, "flag")}))
	must(t, err)
	reload := &pb.Edit{Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: "flag", Reload: true}}}
	_, err = a.change(t, reload)
	must(t, err)
	must(t, os.RemoveAll(dir))
	_, err = a.change(t, reload)
	wantRefusal(t, err, codes.InvalidArgument, "path", "is no directory here")
}

func TestWhatSomebodyChangedMeanwhileIsNotOverwritten(t *testing.T) {
	w, a := newTextCluster(t)
	_, err := a.change(t, text("Web", "good"))
	must(t, err)
	seen := state.ResourceByID(w.store.Get().State, "Web").Revision
	edit := func(config string) error {
		_, err := a.cluster().Change(t.Context(), &pb.ChangeRequest{
			Edits:     []*pb.Edit{update(&pb.UpdateResource{Id: "Web", SetParameters: map[string]string{"config": config}})},
			Revisions: map[string]uint64{"Web": seen},
		})
		return err
	}
	must(t, edit("mine"))
	wantRefusal(t, edit("yours"), codes.FailedPrecondition, "resource Web", "somebody has changed it meanwhile")
	if got := state.ResourceByID(w.store.Get().State, "Web").Parameters["config"]; got != "mine" {
		t.Errorf("config is %q", got)
	}
}
