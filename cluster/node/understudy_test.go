package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A rehearsal is a node "a" with its understudy, and all that its agent was told.
type rehearsal struct {
	resources.Agent
	store *state.Store
	index uint64

	mu    sync.Mutex
	fail  error
	calls []string
}

func (r *rehearsal) Find(string) (resources.Agent, error) { return r, nil }

func (r *rehearsal) Stand(_ context.Context, all []*pb.Resource) error {
	var names []string
	for _, x := range all {
		names = append(names, x.GetId())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, "["+strings.Join(names, " ")+"]")
	return r.fail
}

// told returns what the agent was told since it was asked last.
func (r *rehearsal) told() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	all := strings.Join(r.calls, " ")
	r.calls = nil
	return all
}

func (r *rehearsal) fails(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

func (r *rehearsal) apply(t *testing.T, c *pb.Command) {
	t.Helper()
	r.index++
	data, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err, _ := r.store.Apply(&raft.Log{Index: r.index, Data: data}).(error); err != nil {
		t.Fatal(err)
	}
}

func create(id string) *pb.Command {
	return &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{
		{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{Resource: &pb.Resource{Id: id, Agent: "ipvs"}}}},
	}}}}
}

func TestAnAdmittedNodeIsToldOfAllThatItMayHaveToTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rehearsal{store: state.New()}
		u := &understudy{id: "a", store: r.store, agents: r, logger: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(context.Background())
		var run sync.WaitGroup
		run.Go(func() { _ = u.Run(ctx) })
		defer run.Wait()
		defer cancel()
		expect := func(when, want string) {
			t.Helper()
			if got := r.told(); got != want {
				t.Errorf("%s: told %q, want %q", when, got, want)
			}
		}
		r.apply(t, &pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{ClusterId: "1", ClusterName: "c", Node: &pb.Node{Id: "a", Name: "na"}}}})
		r.apply(t, create("web"))
		expect("not admitted yet", "")
		r.apply(t, &pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{Node: "a", Nonce: 1, Lease: durationpb.New(time.Second)}}})
		expect("admitted", "[web]")
		r.apply(t, &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "b", Name: "nb"}}}})
		r.told() // it may be told of the same again
		r.fails(errors.New("no interface"))
		r.apply(t, create("mail"))
		expect("another resource", "[mail web]")
		r.apply(t, &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "c", Name: "nc"}}}})
		r.told() // it may be told of the same again
		r.apply(t, create("zip"))
		expect("a change while it waits to try again", "[mail web zip]")
		r.fails(nil)
		time.Sleep(understudyRetry + time.Second)
		expect("after a failure", "[mail web zip]")
		time.Sleep(time.Hour)
		expect("nothing changed", "")
	})
}
