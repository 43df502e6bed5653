package scheduler

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// A task is a step that has no number yet.
type task struct {
	kind   pb.OperationKind
	r      *resource
	node   int
	reason string
	after  []*task
	waits  []uint64
	index  int // in the plan
}

// on makes a task wait for others and for operations under way.
func (t *task) on(others ...*task) {
	for _, o := range others {
		if o != t && !slices.Contains(t.after, o) {
			t.after = append(t.after, o)
		}
	}
}

func (t *task) onFlight(op *pb.Operation) {
	if op != nil && !slices.Contains(t.waits, op.Id) {
		t.waits = append(t.waits, op.Id)
	}
}

// of returns the tasks of a kind.
func (j *job) of(k pb.OperationKind) []*task {
	return slices.DeleteFunc(slices.Clone(j.tasks), func(t *task) bool { return t.kind != k })
}

// steps makes steps of the jobs, each after those it waits for.
func (g *graph) steps(jobs map[*resource]*job) []Step {
	var tasks []*task
	for _, r := range g.rolesLast() {
		j := jobs[r]
		if r.isRole() {
			j.shareTasks(jobs[r.base])
		}
		g.addTasks(j)
		if r.isRole() {
			j.inTurn(jobs[r.base])
		}
		tasks = append(tasks, j.tasks...)
	}
	for _, r := range g.resources {
		for _, t := range jobs[r].of(start) {
			t.awaitRoom(jobs[r])
		}
	}
	for _, o := range g.orders {
		link(o, jobs)
	}
	for _, o := range g.stopOrders {
		o.link(jobs)
	}
	for _, c := range g.colocations {
		if c.score <= -infinity {
			g.makeRoom(c, jobs[c.dependent], jobs[c.primary])
			g.makeRoom(c, jobs[c.primary], jobs[c.dependent])
		}
	}
	tasks = sorted(tasks)
	for _, o := range g.orders {
		if o.kind == pb.OrderKind_ORDER_KIND_SERIALIZE {
			for _, first := range o.firsts {
				serialize(jobs[first], jobs[o.then])
			}
		}
	}
	return g.number(tasks)
}

// addTasks makes the tasks of one resource: look where it is not known, stop,
// reload, start, in this order (S4).
func (g *graph) addTasks(j *job) {
	add := func(k pb.OperationKind, i int, reason string) *task {
		t := &task{kind: k, r: j.resource, node: i, reason: reason}
		j.tasks = append(j.tasks, t)
		return t
	}
	for i, n := range g.nodes {
		if v := &j.views[i]; n.reachable() && v.unknown() && v.flying == nil && !j.isRole() {
			add(probe, i, fmt.Sprintf("it is not known yet whether %s runs on %s", j.Id, n.Name))
		}
	}
	probes := j.of(probe)
	for i, why := range j.whyStop {
		if why != "" && j.demotes() {
			t := add(stop, i, why)
			t.on(slices.DeleteFunc(slices.Clone(probes), func(p *task) bool { return p.node != i })...)
			t.onFlight(j.views[i].flying)
		}
	}
	if j.reloads() {
		add(reload, j.placed, "its configuration changed")
	}
	if j.starts {
		t := add(start, j.placed, g.whyStart(j))
		t.on(probes...)
		t.on(j.of(stop)...)
		for i := range j.views {
			t.onFlight(j.views[i].flying)
		}
	}
}

func (g *graph) whyStart(j *job) string {
	if j.isRole() {
		return g.promotionReason(j.resource)
	}
	if j.serves() {
		return fmt.Sprintf("%s runs on %s already and is taken over", j.Id, g.nodes[j.placed].Name)
	}
	return g.reason(j.resource)
}

// link puts the starts of two resources in order, and their stops in reverse.
func link(o *order, jobs map[*resource]*job) {
	if o.kind == pb.OrderKind_ORDER_KIND_SERIALIZE {
		return
	}
	then := jobs[o.then]
	for _, t := range then.of(start) {
		for _, first := range o.awaited(t.node, jobs) {
			t.on(first.of(start)...)
			t.onFlights(first, start)
		}
	}
	if o.asymmetrical {
		return
	}
	for _, first := range o.firsts {
		for _, t := range jobs[first].of(stop) {
			t.onStops(then, func(node int) bool { return o.binds(first, node) })
		}
	}
}

// awaited returns whose starts the second of an order, on a node, waits for. If one
// instance is enough it is the first that runs, or is to.
func (o *order) awaited(node int, jobs map[*resource]*job) []*job {
	var list []*job
	for _, r := range o.before(node) {
		list = append(list, jobs[r])
	}
	if !o.any {
		return list
	}
	for _, enough := range []func(*job) bool{(*job).serves, (*job).comes, func(j *job) bool { return j.starts }} {
		if i := slices.IndexFunc(list, enough); i >= 0 {
			return list[i : i+1]
		}
	}
	return nil
}

// onStops makes a task wait for the stops of another resource on some nodes.
func (t *task) onStops(j *job, at func(node int) bool) {
	for _, s := range j.of(stop) {
		if at(s.node) {
			t.on(s)
		}
	}
	for i := range j.views {
		if v := &j.views[i]; v.flies(stop) && at(i) {
			t.onFlight(v.flying)
		}
	}
}

// onFlights makes a task wait for another resource's operations of some kinds.
func (t *task) onFlights(j *job, kinds ...pb.OperationKind) {
	for i := range j.views {
		if op := j.views[i].flying; op != nil && slices.Contains(kinds, op.Kind) {
			t.onFlight(op)
		}
	}
}

// makeRoom lets a resource start on a node only after one that must not run
// beside it has stopped there.
func (g *graph) makeRoom(c *colocation, incoming, leaving *job) {
	for _, t := range incoming.of(start) {
		for _, s := range leaving.of(stop) {
			if g.oneNode(c, s.node, t.node) {
				t.on(s)
			}
		}
		for i := range leaving.views {
			if v := &leaving.views[i]; v.flies(stop) && g.oneNode(c, i, t.node) {
				t.onFlight(v.flying)
			}
		}
	}
}

// sorted puts tasks in an order in which each comes after those it waits for,
// and otherwise as they were. The tasks form no circle: stops wait for stops
// and probes only, and the orders are free of circles.
func sorted(tasks []*task) []*task {
	done := make(map[*task]bool, len(tasks))
	var list []*task
	var visit func(t *task)
	visit = func(t *task) {
		if done[t] {
			return
		}
		done[t] = true
		for _, o := range t.after {
			visit(o)
		}
		t.index = len(list)
		list = append(list, t)
	}
	for _, t := range tasks {
		visit(t)
	}
	return list
}

// serialize lets no two changes of two resources happen at the same time. The
// tasks have their places in the plan.
func serialize(a, b *job) {
	changes := func(j *job) []*task {
		return slices.DeleteFunc(slices.Clone(j.tasks), func(t *task) bool { return t.kind == probe })
	}
	for _, x := range changes(a) {
		for _, y := range changes(b) {
			earlier, later := x, y
			if y.index < x.index {
				earlier, later = y, x
			}
			later.on(earlier)
		}
	}
	for _, x := range changes(a) {
		x.onFlights(b, start, stop, reload)
	}
	for _, y := range changes(b) {
		y.onFlights(a, start, stop, reload)
	}
}

// number turns tasks, in the order of the plan, into steps.
func (g *graph) number(tasks []*task) []Step {
	var steps []Step
	for _, t := range tasks {
		s := Step{
			Kind: t.r.kindOf(t.kind), Resource: t.r.configured().Id, Node: g.nodes[t.node].Id,
			Waits: slices.Sorted(slices.Values(t.waits)), Reason: t.reason, Timeout: g.timeout(t.r, t.r.kindOf(t.kind)),
		}
		for _, o := range t.after {
			s.After = append(s.After, o.index)
		}
		slices.Sort(s.After)
		steps = append(steps, s)
	}
	return steps
}
