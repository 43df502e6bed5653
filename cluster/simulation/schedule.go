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

// What a schedule runs: two guarded addresses, a process without guard, and in
// some schedules a clone; one address follows it. The clone is guarded too, so that
// the end of its instances is exact, or it is promotable and without guard, as
// scripts are: then its promoted instance is watched like a resource of its own.
var (
	addresses = []string{"vip1", "vip2"}
	service   = "svc"
	cloned    = "web"
	promoted  = "web promoted"
)

// guarded are the resources that fall silent with the lease.
func (w *world) guarded() []string {
	if w.copies == 0 || w.promotes {
		return addresses
	}
	return append(slices.Clone(addresses), cloned)
}

// unguarded are those that live on until they are stopped.
func (w *world) unguarded() []string {
	if w.copies == 0 || !w.promotes {
		return []string{service}
	}
	return []string{service, cloned, promoted}
}

func (w *world) resourceIDs() []string { return slices.Concat(w.guarded(), w.unguarded()) }

// most is on how many machines a resource may be served at once.
func (w *world) most(resource string) int {
	if resource == cloned {
		return w.copies
	}
	return 1
}

// A report is what a schedule covered.
type report struct {
	Seed      uint64
	Size      string
	Faults    map[string]int
	Failovers int
	Accesses  int    // of clients to the configuration
	Story     string // of a violation; empty: none
	Timeline  string // if it was asked for
}

// run plays one schedule: a cluster is founded, disturbed for a while, and
// repaired. Gentle schedules neither kill an agent without its machine nor
// freeze it, so that a process without guard must be kept single too.
func run(seed uint64, wanted wish) (r report, h *history) {
	w := newWorld(seed, wanted)
	defer w.end()
	if w.found() {
		w.disturb()
		w.repair()
	}
	r = report{Seed: seed, Size: w.name, Faults: w.played, Failovers: w.failovers(), Accesses: w.history.len()}
	if len(w.violations) > 0 {
		r.Story = w.story()
	}
	if wanted.timeline {
		r.Timeline = w.story()
	}
	if len(w.gaveWay) > 0 {
		return r, &history{} // what was written where the log gave way is lost, and archived
	}
	return r, &w.history
}

// found makes the cluster and its resources, and waits until they run.
func (w *world) found() bool {
	first := w.machines[w.names[0]]
	first.start()
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	err := first.running().core.Bootstrap(ctx, &pb.Bootstrap{
		ClusterId: "c", ClusterName: "simulated", Node: w.member(first.id),
		Properties:       w.properties(),
		ResourceDefaults: map[string]string{"resource-stickiness": "1"},
	})
	if err != nil {
		w.violate("S7: no cluster is founded: %v", err)
		return false
	}
	for _, name := range w.names[1:] {
		w.must(ctx, first, &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: w.member(name)}}})
		w.machines[name].start()
	}
	edits := []*pb.Edit{create(service, "service", 300*time.Millisecond)}
	for _, id := range addresses {
		edits = append(edits, create(id, "address", 0))
	}
	edits = append(edits, w.clone()...)
	edits = append(edits, w.device()...)
	w.must(ctx, first, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
	return w.settles("after the founding", func() {})
}

func (w *world) properties() map[string]string {
	p := map[string]string{"restart-lease": "2s"}
	if w.pair {
		p["no-quorum-policy"] = "ignore"
	}
	if w.pinged {
		p["quorum.ping"] = "192.0.2.1"
	}
	return p
}

func (w *world) member(name string) *pb.Node {
	return &pb.Node{Id: name, Name: name, Role: w.machines[name].role, Addresses: []string{name + ":7480"}}
}

// clone makes the clone, and has an address run beside it.
func (w *world) clone() []*pb.Edit {
	if w.copies == 0 {
		return nil
	}
	c := &pb.Clone{Member: cloned, Meta: map[string]string{"clone-max": fmt.Sprint(w.copies)}}
	if w.promotes {
		return w.promotable(c)
	}
	constraint := func(c *pb.Constraint) *pb.Edit {
		return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: c}}}
	}
	return []*pb.Edit{
		create(cloned, "address", 0),
		{Kind: &pb.Edit_CloneResource{CloneResource: &pb.CloneResource{Clone: c}}},
		constraint(&pb.Constraint{Kind: &pb.Constraint_Colocation{Colocation: &pb.Colocation{
			Resource: addresses[0], With: cloned + "-clone", Score: state.Infinity,
		}}}),
		constraint(&pb.Constraint{Kind: &pb.Constraint_Order{Order: &pb.Order{First: cloned + "-clone", Then: addresses[0]}}}),
	}
}

// promotable makes the clone promotable, and has an address run beside what is
// promoted. Each node is worth something as a promoted one.
func (w *world) promotable(c *pb.Clone) []*pb.Edit {
	c.Meta["promotable"] = "true"
	edits := []*pb.Edit{
		create(cloned, "database", 300*time.Millisecond),
		{Kind: &pb.Edit_CloneResource{CloneResource: &pb.CloneResource{Clone: c}}},
	}
	constrain := func(c *pb.Constraint) {
		edits = append(edits, &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: c}}})
	}
	for i, name := range w.names[:w.voters] {
		constrain(&pb.Constraint{Kind: &pb.Constraint_Location{Location: &pb.Location{
			Resource: cloned + "-clone", Node: name, Score: int64(5 * (i + 1)), Role: pb.InstanceRole_INSTANCE_ROLE_PROMOTED,
		}}})
	}
	constrain(&pb.Constraint{Kind: &pb.Constraint_Colocation{Colocation: &pb.Colocation{
		Resource: addresses[0], With: cloned + "-clone", WithRole: pb.InstanceRole_INSTANCE_ROLE_PROMOTED, Score: state.Infinity,
	}}})
	constrain(&pb.Constraint{Kind: &pb.Constraint_Order{Order: &pb.Order{
		First: cloned + "-clone", FirstAction: pb.OrderAction_ORDER_ACTION_PROMOTE, Then: addresses[0],
	}}})
	return edits
}

func create(id, agent string, lapse time.Duration) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{Resource: &pb.Resource{
		Id: id, Agent: agent, Traits: &pb.Traits{Lapse: durationpb.New(lapse)},
		Operations: []*pb.OperationSpec{
			{Name: "start", Timeout: durationpb.New(time.Second)},
			{Name: "stop", Timeout: durationpb.New(time.Second)},
			{Name: "monitor", Timeout: durationpb.New(500 * time.Millisecond), Interval: durationpb.New(time.Second)},
		},
	}}}}
}

func (w *world) must(ctx context.Context, m *machine, c *pb.Command) {
	if _, err := m.running().core.Propose(ctx, c); err != nil {
		w.violate("S7: %s cannot change a healthy cluster: %v", m.id, err)
	}
}

// settles waits until every resource runs on exactly one machine, the clone on as
// many as it may, and all machines are members in good standing (S7). An operator looks now and then.
func (w *world) settles(when string, operator func()) bool {
	const patience, look = 30 * time.Second, 2 * time.Second
	for waited := time.Duration(0); waited < patience; waited += 50 * time.Millisecond {
		if w.settled() {
			return true
		}
		if waited%look == look/2 {
			operator()
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
	for _, id := range w.resourceIDs() {
		if on := w.serving(id); len(on) != w.wanted(id) {
			return fmt.Sprintf("%s is served by %v; assigned to %v; known: %v", id, on, state.AssignmentsOf(st, id), instances(st, id))
		}
	}
	return ""
}

// wanted is on how many machines a resource is served once all is well.
func (w *world) wanted(id string) int { return min(w.most(id), w.voters) }

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
	if p := w.leader(); p != nil {
		return p.store.Get().State
	}
	return nil
}

func (w *world) leader() (leader *process) {
	var newest uint64
	for _, name := range w.names {
		if p := w.machines[name].running(); p != nil && p.core.Leads() && p.core.Term() > newest {
			newest, leader = p.core.Term(), p
		}
	}
	return leader
}

// disturb plays random faults for a while, with clients at work.
func (w *world) disturb() {
	ctx, cancel := context.WithTimeout(w.ctx, w.duration)
	defer cancel()
	for number := range 2 {
		w.people.Go(func() { w.client(ctx, number) })
	}
	for ctx.Err() == nil {
		w.fault()
		w.sleep(w.fate.between(w.pace/20, w.pace))
	}
}

// repair ends all faults, brings every machine back, and checks what must be
// true then.
func (w *world) repair() {
	w.note("repair")
	w.repaired.Store(true)
	if w.pair {
		w.sleep(shortestOutage)
	}
	w.network.heal()
	for _, name := range w.names {
		w.healLAN(w.machines[name])
		w.machines[name].mend()
		w.machines[name].start()
	}
	w.people.Wait()
	w.powerAll()
	w.restoreRoles()
	w.judgeStuck()
	if !w.settles("after the repair", w.operate) {
		return
	}
	w.judgeOnce()
	if !w.pair {
		w.judgeExplained()
	}
	for _, key := range keys {
		for range 100 {
			if p := w.leader(); p != nil && w.read(w.ctx, 2, p, key) {
				break
			}
			w.sleep(10 * time.Millisecond)
		}
	}
}

// powerAll switches on by hand what a fencing has left off: one that was on its way
// when its node was back already, and which nobody could take back.
func (w *world) powerAll() {
	if !w.powered {
		return
	}
	w.sleep(longestUse)
	for _, name := range w.names {
		w.machines[name].start()
	}
}

// mend ends what is wrong with a machine.
func (m *machine) mend() {
	m.lay(ambush{})
	m.setSlowDisk(false)
	m.setDiskHangs(false)
	m.kernel.calm()
}

// operate is what an operator does who finds resources that have failed, or are
// blocked, nodes that wait for one after their fencing, or roles that were given back to a log that gave way.
func (w *world) operate() {
	w.powerAll()
	s := w.leaderState()
	if slices.ContainsFunc(s.GetInstances(), func(i *pb.Instance) bool { return i.FailCount > 0 }) {
		w.insist(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
			Kind: &pb.Edit_Cleanup{Cleanup: &pb.Cleanup{}},
		}}}}})
	}
	if slices.ContainsFunc(s.GetNodes(), func(n *pb.Node) bool { return n.HeldSince != nil }) {
		w.insist(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
			Kind: &pb.Edit_CleanupFencing{CleanupFencing: &pb.CleanupFencing{}},
		}}}}})
	}
	if slices.ContainsFunc(s.GetNodes(), func(n *pb.Node) bool { return n.Role != w.machines[n.Id].role }) {
		w.restoreRoles()
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

// restoreRoles gives every machine its role again.
func (w *world) restoreRoles() {
	for _, name := range w.names {
		w.insist(putRole(name, w.machines[name].role))
	}
}

// insist commits a command in a repaired cluster. The leader may still change,
// so that it may take more than one attempt.
func (w *world) insist(c *pb.Command) {
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	err := w.propose(ctx, c)
	for ; err != nil && ctx.Err() == nil; w.sleep(50 * time.Millisecond) {
		err = w.propose(ctx, c)
	}
	if err != nil {
		w.violate("S7: a repaired cluster takes no change: %v", err)
	}
}

// propose commits a command by way of the first machine, which may just be
// starting anew.
func (w *world) propose(ctx context.Context, c *pb.Command) error {
	p := w.machines[w.names[0]].running()
	if p == nil {
		return errUnreachable
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := p.core.Propose(ctx, c)
	return err
}
