package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// request is the n-th, first proposed after an index.
func request(n, after uint64) *pb.Request {
	return &pb.Request{Id: binary.BigEndian.AppendUint64(make([]byte, 8), n), After: after}
}

// askAs applies a command under a request.
func (c *cluster) askAs(r *pb.Request, words string) (*Applied, error) {
	c.t.Helper()
	command := c.command(strings.Fields(words))
	command.Request = r
	c.index++
	next, applied, err := Step(c.state(), c.index, command)
	if err == nil {
		c.store.publish(Snapshot{State: next, Index: c.index})
	}
	return applied, err
}

func refusedAs(err error, code Code) bool {
	refused, ok := errors.AsType[*Refusal](err)
	return ok && refused.Code == code
}

func TestAKnownRequestChangesNothingAndIsAnsweredAsItWas(t *testing.T) {
	c := newCluster(t)
	r := request(1, c.index)
	first, err := c.askAs(r, "create web")
	if err != nil || first.Index != c.index {
		t.Fatalf("first: %v, %v", first, err)
	}
	c.run("delete web\ncreate other")
	before := c.state()
	again, err := c.askAs(proto.CloneOf(r), "create web")
	if err != nil || again.Index != first.Index {
		t.Errorf("asked again: %v, %v, want the answer of index %d", again, err, first.Index)
	}
	if c.state() != before || ResourceByID(before, "web") != nil {
		t.Error("the second command made the resource anew")
	}
	if _, err := c.askAs(request(2, c.index), "create web"); err != nil {
		t.Errorf("the same words under another request: %v", err)
	}
}

func TestARefusedRequestIsNotRemembered(t *testing.T) {
	c := newCluster(t)
	r := request(1, c.index)
	if _, err := c.askAs(r, "create vip"); !refusedAs(err, Exists) || len(c.state().Accepted) > 0 {
		t.Fatalf("got %v and %v, want a refusal without memory", err, c.state().Accepted)
	}
	if applied, err := c.askAs(r, "create web"); err != nil || applied.Index != c.index {
		t.Errorf("asked again: %v, %v, want that it is judged anew", applied, err)
	}
}

func TestARequestNeedsAWholeID(t *testing.T) {
	c := newCluster(t)
	for _, id := range [][]byte{nil, {1}, make([]byte, 17)} {
		if _, err := c.askAs(&pb.Request{Id: id}, "create web"); !refusedAs(err, Invalid) {
			t.Errorf("%d bytes: %v, want a refusal", len(id), err)
		}
	}
}

func TestTheNewestRequestsAreRemembered(t *testing.T) {
	c := newCluster(t)
	begin := c.index
	for n := range uint64(keptRequests + 1) {
		if _, err := c.askAs(request(n, begin), "property maintenance-mode=false"); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	accepted := c.state().Accepted
	if len(accepted) != keptRequests || !bytes.Equal(accepted[0].Id, request(1, 0).Id) {
		t.Fatalf("%d are remembered, the first of them %x", len(accepted), accepted[0].Id)
	}
	if !slices.IsSortedFunc(accepted, func(a, b *pb.AcceptedRequest) int { return int(a.Index) - int(b.Index) }) {
		t.Error("they are not in the order of their indexes")
	}
	if again, err := c.askAs(request(1, begin), "create web"); err != nil || again.Index != begin+2 {
		t.Errorf("the oldest that is remembered: %v, %v, want index %d", again, err, begin+2)
	}
	_, err := c.askAs(request(0, begin), "create web")
	if refused, ok := errors.AsType[*Refusal](err); !ok || refused.Code != Stale || refused.Field != ForgottenRequest {
		t.Errorf("one that is forgotten: %v, want to be told that it cannot be known", err)
	}
	if _, err := c.askAs(request(9999, begin+1), "create web"); err != nil {
		t.Errorf("one that cannot have been accepted before what is remembered: %v", err)
	}
}

func TestRequestsAreInSnapshotsAndAreNotShown(t *testing.T) {
	c := newCluster(t)
	r := request(1, c.index)
	first, err := c.askAs(r, "create web")
	if err != nil {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	if err := image(c.store.Get()).write(&saved); err != nil {
		t.Fatal(err)
	}
	other := New()
	if err := other.Restore(io.NopCloser(&saved)); err != nil {
		t.Fatal(err)
	}
	_, again, err := Step(other.Get().State, c.index+1, &pb.Command{Request: r, Body: c.command([]string{"create", "web"}).Body})
	if err != nil || again.Index != first.Index {
		t.Errorf("after a snapshot: %v, %v, want the answer of index %d", again, err, first.Index)
	}
	if shown := Shown(c.state()); len(shown.Accepted) > 0 || len(c.state().Accepted) != 1 {
		t.Errorf("shown are %v of %v", shown.Accepted, c.state().Accepted)
	}
}
