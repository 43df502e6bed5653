package api

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// heldAgent keeps a file that two nodes may not keep at once, like an address.
type heldAgent struct{ fileAgent }

var _ resources.Asker = (*heldAgent)(nil)

func (h *heldAgent) Metadata() *pb.AgentMetadata {
	m := h.fileAgent.Metadata()
	m.Name, m.Serves = "ocf:quorate:held", nil
	return m
}

func (*heldAgent) Ask(context.Context, *pb.Resource, bool) (*resources.Claim, error) { return nil, nil }

func TestWhatOneNodeMayHoldIsNotCloned(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	must(t, a.kinds.Register(&heldAgent{}))
	path := map[string]string{"path": filepath.Join(t.TempDir(), "flag")}
	clone := func(member string) *pb.Edit {
		return &pb.Edit{Kind: &pb.Edit_CloneResource{CloneResource: &pb.CloneResource{Clone: &pb.Clone{Member: member}}}}
	}
	_, err := a.change(t, create("ip", "ocf:quorate:held", path), create("flag", "ocf:quorate:file", path))
	must(t, err)
	_, err = a.change(t, clone("ip"))
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "ip (ocf:quorate:held) cannot be cloned") {
		t.Errorf("cloned what one node may hold: %v", err)
	}
	_, err = a.change(t, clone("flag"))
	must(t, err)
	if got := state.AssignmentAt(w.store.Get().State, "flag", a.identity.ID()); got == nil || state.CloneOf(w.store.Get().State, "flag") == nil {
		t.Errorf("the clone is owned by %v, and runs here", got)
	}
}
