package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// What a schedule runs: two guarded addresses, and a process without guard.
var (
	addresses = []string{"vip1", "vip2"}
	service   = "svc"
)

// A report is what a schedule covered.
type report struct {
	faults    map[string]int
	failovers int
	acked     int
	story     string // of a violation; empty: none
}

// run plays one schedule: a cluster is founded, disturbed for a while, and
// repaired. Gentle schedules neither kill an agent without its machine nor
// freeze it, so that a process without guard must be kept single too.
func run(seed uint64, size int) report {
	w := newWorld(seed, size)
	w.gentle = seed%2 == 0
	defer w.end()
	if w.found() {
		w.disturb(8 * time.Second)
		w.repair()
	}
	r := report{faults: w.faults, failovers: w.failovers(), acked: len(w.acked)}
	if len(w.violations) > 0 {
		r.story = w.story()
	}
	return r
}

// found makes the cluster and its resources, and waits until they run.
func (w *world) found() bool {
	first := w.machines[w.names[0]]
	first.start()
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	err := first.running().core.Bootstrap(ctx, &pb.Bootstrap{
		ClusterId: "c", ClusterName: "simulated", Node: member(first.id),
		Properties:       map[string]string{"restart-lease": "2s"},
		ResourceDefaults: map[string]string{"resource-stickiness": "1"},
	})
	if err != nil {
		w.violate("S7: no cluster is founded: %v", err)
		return false
	}
	for _, name := range w.names[1:] {
		w.must(ctx, first, &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: member(name)}}})
		w.machines[name].start()
	}
	edits := []*pb.Edit{create(service, "service", 300*time.Millisecond)}
	for _, id := range addresses {
		edits = append(edits, create(id, "address", 0))
	}
	w.must(ctx, first, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
	return w.settles("after the founding")
}

func member(name string) *pb.Node {
	return &pb.Node{Id: name, Name: name, Role: pb.Role_ROLE_VOTER, Addresses: []string{name + ":7480"}}
}

func create(id, agent string, lapse time.Duration) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{Resource: &pb.Resource{
		Id: id, Agent: agent, Traits: &pb.Traits{Lapse: durationpb.New(lapse)},
	}}}}
}

func (w *world) must(ctx context.Context, m *machine, c *pb.Command) {
	if _, err := m.running().core.Propose(ctx, c); err != nil {
		w.violate("S7: %s cannot change a healthy cluster: %v", m.id, err)
	}
}

// settles waits until every resource runs on exactly one machine and all
// machines are members in good standing (S7).
func (w *world) settles(when string) bool {
	const patience = 30 * time.Second
	for range int(patience / (50 * time.Millisecond)) {
		if w.settled() {
			return true
		}
		w.sleep(50 * time.Millisecond)
	}
	w.violate("S7: not settled %v %s: %s", patience, when, w.unsettled())
	return false
}

func (w *world) settled() bool { return w.unsettled() == "" }

func (w *world) unsettled() string {
	st := w.leaderState()
	if st == nil {
		return "nobody leads"
	}
	if len(st.Electorate.GetVoters()) != len(w.names) {
		return fmt.Sprintf("the voters are %v", st.Electorate.GetVoters())
	}
	for _, n := range st.Nodes {
		if n.Admission != pb.Admission_ADMISSION_ADMITTED {
			return n.Name + " is not admitted"
		}
	}
	if len(st.Operations) > 0 {
		return fmt.Sprintf("operations under way: %v", st.Operations)
	}
	for _, id := range append(slices.Clone(addresses), service) {
		if on := w.serving(id); len(on) != 1 {
			return fmt.Sprintf("%s is served by %v; assigned to %v; known: %v", id, on, state.AssignmentOf(st, id), instances(st, id))
		}
	}
	return ""
}

func instances(st *pb.State, id string) (list []*pb.Instance) {
	for _, i := range st.Instances {
		if i.Resource == id {
			list = append(list, i)
		}
	}
	return list
}

// leaderState is the state on the machine that leads; nil when none does. Of
// several that believe so, the one with the newest term is right.
func (w *world) leaderState() *pb.State {
	var newest uint64
	var st *pb.State
	for _, name := range w.names {
		if p := w.machines[name].running(); p != nil && p.core.Leads() && p.core.Term() > newest {
			newest, st = p.core.Term(), p.store.Get().State
		}
	}
	return st
}

// disturb plays random faults for a while, with a client changing things.
func (w *world) disturb(d time.Duration) {
	ctx, cancel := context.WithTimeout(w.ctx, d)
	defer cancel()
	w.tasks.Go(func() { w.client(ctx) })
	for ctx.Err() == nil {
		w.fault()
		w.sleep(w.fate.between(20*time.Millisecond, 900*time.Millisecond))
	}
}

// client commits changes through any machine and remembers what was acknowledged (S2).
func (w *world) client(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("k%d", i)
		if p := w.machines[w.noise.pick(w.names...)].running(); p != nil {
			change, cancel := context.WithTimeout(ctx, time.Second)
			_, err := p.core.Propose(change, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
				Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: w.names[0], SetAttributes: map[string]string{key: key}}},
			}}}}})
			cancel()
			if err == nil && !p.dead() {
				w.acknowledge(key)
			}
		}
		w.sleep(w.noise.between(50*time.Millisecond, 300*time.Millisecond))
	}
}

// repair ends all faults, brings every machine back, and checks what must be
// true then.
func (w *world) repair() {
	w.note("repair")
	w.network.heal()
	for _, name := range w.names {
		w.machines[name].lay(ambush{})
		w.machines[name].setSlowDisk(false)
		w.machines[name].start()
	}
	w.people.Wait()
	w.restoreRoles()
	if !w.settles("after the repair") {
		return
	}
	attributes := state.NodeByName(w.leaderState(), w.names[0]).Attributes
	for _, key := range w.acked {
		if attributes[key] != key {
			w.violate("S2: %s was acknowledged and is lost", key)
		}
	}
}

// failovers counts what the cluster's own events tell.
func (w *world) failovers() int {
	n := 0
	if st := w.leaderState(); st != nil {
		for _, e := range st.Events {
			if e.Kind == "failover" {
				n++
			}
		}
	}
	return n
}

// restoreRoles makes every machine a voter again. The leader may still change,
// so that it may take more than one attempt.
func (w *world) restoreRoles() {
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	core := w.machines[w.names[0]].running().core
	for _, name := range w.names {
		_, err := core.Propose(ctx, putRole(name, pb.Role_ROLE_VOTER))
		for ; err != nil && ctx.Err() == nil; w.sleep(50 * time.Millisecond) {
			_, err = core.Propose(ctx, putRole(name, pb.Role_ROLE_VOTER))
		}
		if err != nil {
			w.violate("S7: a repaired cluster takes no change: %v", err)
			return
		}
	}
}
