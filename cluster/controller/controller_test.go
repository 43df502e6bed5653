package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A desk is what a leader has before it: the real state, a log that commits at
// once, nodes that carry orders out, and a Raft configuration.
type desk struct {
	t     *testing.T
	store *state.Store

	mu         sync.Mutex
	index      uint64
	orders     []string                 // as the nodes received them
	slow       map[string]time.Duration // by resource: how long its orders take
	mute       map[string]bool          // nodes that do not answer
	away       map[string]bool          // nodes that are not reached
	refusing   bool                     // nodes refuse to start anything
	unanswered int                      // orders that such nodes were asked for and are waited for
	servers    []consensus.Server
	uses       []string                 // of fencing devices
	broken     map[string]bool          // devices that do nothing
	hangs      map[string]time.Duration // how long a use of a device takes, by node or device
}

func newDesk(t *testing.T, nodes ...string) *desk {
	t.Helper()
	d := &desk{t: t, store: state.New(), slow: map[string]time.Duration{}, mute: map[string]bool{}, away: map[string]bool{}, broken: map[string]bool{}, hangs: map[string]time.Duration{}}
	d.servers = []consensus.Server{{ID: nodes[0], Voter: true}}
	d.commit(&pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{ClusterId: "c", ClusterName: "c", Node: member(nodes[0])}}})
	for _, n := range nodes[1:] {
		d.commit(&pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: member(n)}}})
	}
	for _, n := range nodes {
		d.admit(n)
	}
	return d
}

func member(name string) *pb.Node {
	return &pb.Node{Id: name, Name: name, Role: pb.Role_ROLE_VOTER, Addresses: []string{name + ":7480"}}
}

func (d *desk) admit(node string) {
	d.t.Helper()
	d.commit(&pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{
		Node: node, FromEpoch: state.NodeByID(d.store.Get().State, node).Epoch, Nonce: 1, Lease: durationpb.New(400 * time.Millisecond),
	}}})
}

// confirm has a node confirm the electorate that a term, if one runs, has left for
// it: while it goes on to the next one, a confirmation may come too late.
func (d *desk) confirm(node string) {
	d.t.Helper()
	synctest.Wait()
	st := d.store.Get().State
	d.commit(&pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{
		Node: node, Epoch: state.NodeByID(st, node).Epoch, Version: st.Electorate.Version,
	}}})
}

func (d *desk) create(id string, lapse time.Duration) {
	d.t.Helper()
	d.commit(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{Kind: &pb.Edit_CreateResource{
		CreateResource: &pb.CreateResource{Resource: &pb.Resource{Id: id, Agent: "vip", Traits: &pb.Traits{Lapse: durationpb.New(lapse)}}},
	}}}}}})
}

func (d *desk) gone(node string, testifying ...string) {
	d.t.Helper()
	g := &pb.NodeGone{Node: node, Epoch: state.NodeByID(d.store.Get().State, node).Epoch}
	for _, v := range testifying {
		g.Testimonies = append(g.Testimonies, &pb.Testimony{Voter: v, Silence: durationpb.New(time.Second)})
	}
	d.commit(&pb.Command{Body: &pb.Command_NodeGone{NodeGone: g}})
}

// commit applies a command that must be accepted.
func (d *desk) commit(c *pb.Command) {
	d.t.Helper()
	if _, err := d.Propose(d.t.Context(), c); err != nil {
		d.t.Fatalf("commit %v: %v", c, err)
	}
}

// Propose implements Log.
func (d *desk) Propose(_ context.Context, c *pb.Command) (*state.Applied, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.Level, c.ProposedAt = 1, timestamppb.Now()
	data, err := proto.Marshal(c)
	if err != nil {
		return nil, err
	}
	d.index++
	switch answer := d.store.Apply(&raft.Log{Index: d.index, Data: data}).(type) {
	case *state.Applied:
		return answer, nil
	case error:
		return nil, answer
	default:
		return nil, fmt.Errorf("answered by a %T", answer)
	}
}

// Operate implements Peers: devices do what they are told, but those that are broken.
func (d *desk) Operate(ctx context.Context, node string, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uses = append(d.uses, strings.TrimSpace(r.Action+" "+r.Target)+" by "+r.Device.Id+" on "+node)
	hangs := max(d.hangs[node], d.hangs[r.Device.Id])
	d.mu.Unlock()
	select {
	case <-time.After(hangs):
	case <-ctx.Done():
	}
	d.mu.Lock()
	if d.broken[r.Device.Id] {
		return &pb.OperateResponse{Error: r.Device.Id + " is broken"}, nil
	}
	return &pb.OperateResponse{}, nil
}

// Execute implements Peers. It fails the test for an order that is not in the
// state: intents are committed before they are sent.
func (d *desk) Execute(ctx context.Context, node string, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	op := r.Operation
	if state.OperationByID(d.store.Get().State, op.Id) == nil {
		d.t.Errorf("order %v was sent before its intent was committed", op)
	}
	d.mu.Lock()
	d.orders = append(d.orders, strings.ToLower(strings.TrimPrefix(op.Kind.String(), "OPERATION_KIND_"))+" "+op.Resource+" "+node)
	mute, away, takes := d.mute[node], d.away[node], d.slow[op.Resource]
	refuses := d.refusing && op.Kind == pb.OperationKind_OPERATION_KIND_START
	if len(d.orders) > 1000 {
		d.t.Error("the leader sends one order after the other")
		d.refusing, d.orders = false, nil
	}
	d.mu.Unlock()
	if away {
		return nil, errors.New("unreachable")
	}
	if mute {
		d.count(1)
		<-ctx.Done()
		d.count(-1)
		return nil, ctx.Err()
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	res := &pb.Result{
		Operation: op.Id, Kind: op.Kind, Resource: op.Resource, Node: node, Epoch: op.Epoch,
		Assignment: op.Assignment, Outcome: pb.Outcome_OUTCOME_DONE, Revision: r.Resource.Revision, Restart: r.Resource.Restart,
	}
	if op.Kind == pb.OperationKind_OPERATION_KIND_PROBE {
		res.Outcome = pb.Outcome_OUTCOME_NOT_RUNNING
	}
	if refuses {
		res.Outcome = pb.Outcome_OUTCOME_REFUSED
	}
	return &pb.ExecuteResponse{Result: res}, nil
}

func (d *desk) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unanswered += n
}

// took returns the orders since it was last called, without the probes.
func (d *desk) took() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.DeleteFunc(d.orders, func(o string) bool { return strings.HasPrefix(o, "probe") })
	d.orders = nil
	return list
}

func (d *desk) Servers() ([]consensus.Server, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.servers), nil
}

func (d *desk) AddReplica(id string) error { return d.server(id, false) }
func (d *desk) AddVoter(id string) error   { return d.server(id, true) }
func (d *desk) DemoteVoter(id string) error {
	return d.server(id, false)
}

func (d *desk) server(id string, voter bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.servers = slices.DeleteFunc(d.servers, func(s consensus.Server) bool { return s.ID == id })
	d.servers = append(d.servers, consensus.Server{ID: id, Voter: voter})
	return nil
}

func (d *desk) RemoveServer(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.servers = slices.DeleteFunc(d.servers, func(s consensus.Server) bool { return s.ID == id })
	return nil
}

// lead runs a term until end is called.
func (d *desk) lead() (c *Controller, end func()) {
	c = New(Config{State: d.store, Log: d, Peers: d, Servers: d, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(d.t.Context())
	var term sync.WaitGroup
	term.Go(func() {
		if err := c.Lead(ctx); !errors.Is(err, context.Canceled) {
			d.t.Errorf("the term ended by itself: %v", err)
		}
	})
	return c, func() {
		cancel()
		term.Wait()
	}
}

func (d *desk) owner(resource string) string {
	return state.AssignmentOf(d.store.Get().State, resource).GetNode()
}

func TestAResourceIsProbedEverywhereThenStartedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		d.create("vip", 0)
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.mu.Lock()
		first := slices.Clone(d.orders)
		d.mu.Unlock()
		slices.Sort(first[:3])
		if want := []string{"probe vip a", "probe vip b", "probe vip c", "start vip a"}; !slices.Equal(first, want) {
			t.Errorf("orders %q, want %q", first, want)
		}
	})
}

func TestANewLeaderFinishesAnInterruptedPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b")
		d.create("vip", 0)
		d.slow["vip"] = time.Second
		_, end := d.lead()
		time.Sleep(1500 * time.Millisecond) // probed; the start is under way
		synctest.Wait()
		end()
		if n := len(d.store.Get().State.Operations); n != 1 {
			t.Fatalf("%d operations under way when the leader ended, want the start", n)
		}
		d.took()
		_, end = d.lead()
		defer end()
		time.Sleep(3 * time.Second)
		if got := d.took(); !slices.Equal(got, []string{"start vip a"}) || len(d.store.Get().State.Operations) > 0 {
			t.Errorf("the new leader sent %q, want the same start once more", got)
		}
	})
}

func TestAnOrderThatIsRefusedAgainAndAgainIsRepeatedWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a")
		d.create("vip", 0)
		d.refusing = true
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second + retry/2) // between two orders
		if n := len(d.took()); n < 8 || n > 12 {
			t.Errorf("a start was ordered %d times within a second of refusals, want it twice and then every %v", n, retry)
		}
		d.mu.Lock()
		d.refusing = false
		d.mu.Unlock()
		time.Sleep(retry)
		if d.owner("vip") == "" || len(d.took()) != 1 {
			t.Error("it was not started once nobody refused")
		}
	})
}

func TestASlowOperationDelaysNoOtherResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b")
		d.create("quick", 0)
		d.create("slow", 0)
		d.slow["slow"] = time.Minute
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		if d.owner("quick") == "" {
			t.Error("quick was not started while slow is being probed")
		}
	})
}

func TestOrdersToAGoneNodeAreCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		for _, voter := range []string{"b", "c"} {
			d.vote(voter)
		}
		d.create("vip", 0)
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.took()
		d.mu.Lock()
		d.mute["a"] = true
		d.mu.Unlock()
		d.commit(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
			Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: "vip"}},
		}}}}})
		time.Sleep(time.Second)
		d.gone("a", "b", "c")
		time.Sleep(time.Second)
		if got := d.took(); !slices.Equal(got, []string{"stop vip a", "start vip b"}) || d.unanswered != 0 {
			t.Errorf("orders %q, %d of them still asked; want the stop called off and a start on b", got, d.unanswered)
		}
	})
}

// S4: that an order does not reach its node says nothing of what runs there.
func TestRule22AResourceWhoseStopIsNotAnsweredStartsNowhereElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b")
		d.create("vip", 0)
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.took()
		d.mu.Lock()
		d.away["a"] = true
		d.mu.Unlock()
		d.commit(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
			Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: "vip", Node: "b"}},
		}}}}})
		time.Sleep(time.Minute)
		if got := d.took(); !slices.Equal(slices.Compact(got), []string{"stop vip a"}) || d.owner("vip") != "a" {
			t.Errorf("orders %q, and %q owns it; want the stop on a to be waited for", got, d.owner("vip"))
		}
	})
}

// vote makes a node part of the electorate, all confirming.
func (d *desk) vote(id string) {
	d.t.Helper()
	st := d.store.Get().State
	for _, n := range st.Nodes {
		d.confirm(n.Id)
	}
	d.commit(&pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
		FromVersion: st.Electorate.Version, Voters: slices.Sorted(slices.Values(append(slices.Clone(st.Electorate.Voters), id))),
	}}})
}

func TestRule15WhatMayOutliveItsLeaseIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		for _, voter := range []string{"b", "c"} {
			d.vote(voter)
		}
		d.create("process", 10*time.Second)
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.gone("a", "b", "c")
		d.took()
		time.Sleep(10900 * time.Millisecond)
		if got := d.took(); len(got) > 0 {
			t.Errorf("%q before 1.1 times the lapse had passed", got)
		}
		time.Sleep(200 * time.Millisecond)
		if got := d.took(); !slices.Equal(got, []string{"start process b"}) {
			t.Errorf("after 1.1 times the lapse: %q, want the start on b", got)
		}
	})
}

func TestTheElectorateFollowsTheRolesOneVoterAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		if got := d.store.Get().State.Electorate.Voters; len(got) != 1 {
			t.Fatalf("voters %v before anybody confirmed the first electorate", got)
		}
		for want := 2; want <= 3; want++ {
			for _, n := range []string{"a", "b", "c"} {
				d.confirm(n)
			}
			time.Sleep(time.Second)
			if got := d.store.Get().State.Electorate.Voters; len(got) != want {
				t.Fatalf("voters %v, want %d", got, want)
			}
		}
		for _, s := range d.servers {
			if !s.Voter {
				t.Errorf("raft's server %s has no vote although the electorate has it", s.ID)
			}
		}
	})
}

func TestAFailoverIsToldWithItsPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		for _, voter := range []string{"b", "c"} {
			d.vote(voter)
		}
		d.create("vip", 0)
		c, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		now := time.Now()
		c.Silent("a", 1, now.Add(-450*time.Millisecond), now)
		c.Testified("a", 1, now.Add(2*time.Millisecond))
		time.Sleep(3 * time.Millisecond)
		d.gone("a", "b", "c")
		time.Sleep(time.Second)
		for _, e := range d.store.Get().State.Events {
			if e.Kind != "failover" {
				continue
			}
			var phases []string
			for _, p := range e.Phases {
				phases = append(phases, fmt.Sprintf("%s %d", p.Name, p.At.AsDuration().Milliseconds()))
			}
			want := []string{"silence 450", "testimony 452", "gone 453", "planned 453", "started 453"}
			if !slices.Equal(phases, want) || e.Resource != "vip" || e.Node != "b" {
				t.Errorf("told %q of %s on %s, want %q", phases, e.Resource, e.Node, want)
			}
			return
		}
		t.Error("no failover was told")
	})
}
