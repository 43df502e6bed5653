package api

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func TestWhatIsNotInstalledHereIsAskedAboutElsewhere(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.kinds.Extend(scripts{"script:here": true})
	b.kinds.Extend(scripts{"script:there": true, "script:thither": true})
	a.setup(t, true, b)
	path := filepath.Join(t.TempDir(), "x")

	resp, err := a.change(t, create("x", "script:there", map[string]string{"path": path, "pith": "1"}))
	must(t, err)
	if len(resp.Notes) != 1 || len(resp.Warnings) != 1 || !strings.HasPrefix(resp.Warnings[0], "parameter pith: is not known to script:there; did you mean path?") {
		t.Errorf("response: %v; want what lvss says", resp)
	}
	_, err = a.change(t, create("y", "script:there", map[string]string{"path": "relative"}))
	wantRefusal(t, err, codes.InvalidArgument, "path", "is not a path")
	_, err = a.change(t, create("y", "script:hare", map[string]string{"path": path}))
	wantRefusal(t, err, codes.InvalidArgument, "agent", "script:hare is not installed on this node, nor on another that answers; did you mean script:here?")
}

func TestALapseFollowsTheStopOfTheResourceS4(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.kinds.Extend(scripts{"script:here": true})
	a.setup(t, true)
	lapse := func() time.Duration {
		return state.ResourceByID(w.store.Get().State, "x").GetTraits().GetLapse().AsDuration()
	}
	stop := func(d time.Duration) []*pb.OperationSpec {
		return []*pb.OperationSpec{{Name: "stop", Timeout: durationpb.New(d)}}
	}
	e := create("x", "script:here", map[string]string{"path": filepath.Join(t.TempDir(), "x")})
	e.GetCreateResource().GetResource().Operations = stop(5 * time.Second)
	_, err := a.change(t, e)
	must(t, err)
	if lapse() != 5*time.Second {
		t.Errorf("created with a stop of 5 s: a lapse of %v", lapse())
	}
	_, err = a.change(t, update(&pb.UpdateResource{Id: "x", SetOperations: stop(time.Minute)}))
	must(t, err)
	if lapse() != time.Minute {
		t.Errorf("changed to a stop of a minute: a lapse of %v", lapse())
	}
}

func TestInstalledAgentsAreListedWithTheirNode(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.kinds.Extend(scripts{"script:here": true, "ocf:quorate:file": true}) // which one that is built in serves
	resp, err := a.cluster().DescribeAgents(t.Context(), &pb.DescribeAgentsRequest{})
	must(t, err)
	if len(resp.Agents) != 1 || !slices.Equal(resp.Installed, []string{"script:here"}) || resp.Node != "lvsm" {
		t.Errorf("got %v", resp)
	}
	resp, err = a.cluster().DescribeAgents(t.Context(), &pb.DescribeAgentsRequest{Name: "script:here"})
	must(t, err)
	if len(resp.Agents) != 1 || resp.Agents[0].Name != "script:here" {
		t.Errorf("got %v", resp)
	}
	_, err = a.cluster().DescribeAgents(t.Context(), &pb.DescribeAgentsRequest{Name: "script:hare"})
	wantRefusal(t, err, codes.NotFound, "agent", "did you mean script:here?")
}
