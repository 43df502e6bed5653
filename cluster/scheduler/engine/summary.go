package engine

import "slices"

// A past is what a primitive was before the decision.
type past struct {
	role   role
	active []*node
}

// A stay is a node and the role that a primitive has there.
type stay struct {
	node *node
	role role
}

// primitives calls f for all primitives, in the order of the resources.
func (c *cluster) primitives(f func(*resource)) {
	for _, top := range c.resources {
		top.each(func(r *resource) {
			if r.kind == Primitive {
				f(r)
			}
		})
	}
}

// remember notes where everything runs.
func (c *cluster) remember() {
	c.primitives(func(r *resource) { r.before = past{r.role, r.active} })
}

// outcome puts the decision into words.
func (c *cluster) outcome() *Outcome {
	out := &Outcome{Problems: c.problems, Next: c.next}
	for _, n := range c.nodes {
		out.Nodes = append(out.Nodes, NodeOutcome{Name: n.Name, State: n.stateText()})
	}
	plan := c.list()
	c.addFencings(out)
	c.primitives(func(r *resource) { c.summarize(out, r) })
	out.Steps = c.steps(plan)
	c.simulate(plan)
	out.Instances = make([]Instance, 0, len(c.resources))
	c.primitives(func(r *resource) { out.Instances = append(out.Instances, c.instance(r)) })
	return out
}

func (n *node) stateText() string {
	switch {
	case n.unclean && n.online:
		return "unclean online"
	case n.unclean:
		return "unclean"
	case n.pending:
		return "pending"
	case n.standby && n.online:
		return "standby"
	case n.maintenance && n.online:
		return "maintenance"
	case n.online:
		return "online"
	}
	return "offline"
}

func (c *cluster) addFencings(out *Outcome) {
	for _, a := range c.actions {
		if a.task != taskFence || a.is(optional) || !a.is(runnable) {
			continue
		}
		out.Actions = append(out.Actions, Action{Action: "fence", Node: a.node.Name, How: a.name, Reason: a.reason, Number: -1})
		if a.name != "on" {
			out.Fenced = append(out.Fenced, Fencing{Node: a.node.Name, How: a.name, Reason: a.reason, Delay: c.fencingDelay(a.node)})
		}
	}
}

// A line is one entry of the summary in the making.
type line struct {
	what     string
	from, to *node
	action   *action // whose fate it tells
	source   *action // whose reason it tells; nil: the same
}

// summarize says in a word what happens to a primitive.
func (c *cluster) summarize(out *Outcome, r *resource) {
	var current *node
	if len(r.active) > 0 {
		current = r.currentNode()
		if r.role == roleStopped {
			r.role = roleStarted
		}
	}
	next := r.assignedNode
	if current == nil && (r.removed || next == nil) || !r.managed {
		return
	}
	for _, l := range r.lines(current, next) {
		if l.action != nil {
			out.Actions = append(out.Actions, c.entry(r, l))
		}
	}
}

func (r *resource) lines(current, next *node) []line {
	start := r.find(taskStart, 0, next)
	startNode := current
	if start == nil || !start.is(runnable) {
		startNode = nil
	}
	stop := r.find(taskStop, 0, startNode)
	if stop == nil && r.stopUnexpected {
		stop = r.find(taskStop, 0, nil)
	}
	if r.role == r.nextRole {
		if l := r.sameRoleLine(current, next, start, stop); l != nil {
			return []line{*l}
		}
		return nil
	}
	return r.changeLines(current, next, start, stop)
}

func (r *resource) sameRoleLine(current, next *node, start, stop *action) *line {
	moving := current != nil && next != nil && current != next
	migrate := r.find(taskMigrateFrom, 0, next)
	promote, demote := r.find(taskPromote, 0, next), r.find(taskDemote, 0, next)
	switch {
	case migrate != nil && current != nil && migrate.is(runnable):
		return &line{"migrate", current, next, start, nil}
	case r.reload:
		return &line{"reload", current, next, start, nil}
	case start == nil || start.is(optional):
		if demote != nil && promote != nil && demote.required() && promote.required() {
			return &line{"re-promote", current, next, promote, demote}
		}
		return nil
	case !start.is(runnable):
		source := stop
		if stop == nil || stop.reason == "" && stop.cause == nil {
			source = start
		}
		return &line{"stop", current, nil, stop, source}
	case moving && r.failed:
		return &line{"recover", current, next, stop, nil}
	case moving:
		return &line{"move", current, next, stop, nil}
	case r.failed:
		return &line{"recover", current, next, stop, nil}
	}
	return &line{"restart", current, next, start, nil}
}

func (r *resource) changeLines(current, next *node, start, stop *action) []line {
	moving := current != nil && next != nil && current != next
	switch {
	case stop != nil && (r.nextRole == roleStopped || start != nil && !start.is(runnable)):
		return r.stopLines(start)
	case stop != nil && r.failed && r.stopIfFailed:
		return []line{{"recover", current, next, stop, start}}
	case moving:
		return []line{{"move", current, next, stop, nil}}
	case r.reload:
		return []line{{"reload", current, next, start, nil}}
	case stop != nil && stop.required():
		return []line{{"restart", current, next, start, nil}}
	case r.role == rolePromoted:
		return []line{{"demote", current, next, r.find(taskDemote, 0, next), nil}}
	case r.nextRole == rolePromoted:
		return []line{{"promote", current, next, r.find(taskPromote, 0, next), nil}}
	case r.role == roleStopped && r.nextRole > roleStopped:
		return []line{{"start", current, next, start, nil}}
	}
	return nil
}

func (r *resource) stopLines(start *action) []line {
	var lines []line
	for _, n := range r.active {
		stop, source := r.find(taskStop, 0, n), start
		if stop != nil && (stop.reason != "" || stop.cause != nil) {
			source = stop
		}
		lines = append(lines, line{"stop", n, nil, stop, source})
	}
	return lines
}

// entry fills in a line.
func (c *cluster) entry(r *resource, l line) Action {
	a := Action{Action: l.what, Resource: r.ID, Number: r.number, Blocked: !l.action.is(runnable)}
	if l.source == nil {
		l.source = l.action
	}
	a.Reason = c.sentence(l.source, c.why(r))
	if l.from != nil {
		a.From = l.from.Name
	}
	if l.to != nil {
		a.To = l.to.Name
	}
	if r.role > roleStarted || r.nextRole > roleUnpromoted {
		a.FromRole, a.ToRole = r.role.String(), r.nextRole.String()
	}
	return a
}

// steps lists the plan; each step after those that it waits for.
func (c *cluster) steps(plan []*action) []Step {
	steps := make([]Step, 0, len(plan))
	for _, a := range plan {
		s := Step{Operation: string(a.task), Pseudo: a.is(pseudo), Reason: c.stepReason(a)}
		if a.r != nil {
			s.Resource = a.r.id
		}
		if a.node != nil {
			s.Node = a.node.Name
		}
		for _, r := range a.before {
			if r.action.is(listed) && r.action.index < a.index && c.waits(a, r) {
				s.After = append(s.After, int(r.action.index))
			}
		}
		steps = append(steps, s)
	}
	return steps
}

// stepReason says why a step is done; of a mark it is what it stands for.
func (c *cluster) stepReason(a *action) string {
	switch {
	case a.r == nil:
		return a.reason
	case a.task == taskMonitor && a.interval == 0:
		return "it is not known yet whether it runs there"
	case a.r.kind != Primitive:
		return ""
	}
	return c.sentence(a, c.why(a.r))
}

// simulate finds out where everything runs once the plan is done.
func (c *cluster) simulate(plan []*action) {
	c.primitives(func(r *resource) {
		for _, n := range r.before.active {
			r.after = append(r.after, stay{n, max(r.before.role, roleStarted)})
		}
	})
	for _, a := range plan {
		switch {
		case a.task == taskFence && a.name != "on":
			c.primitives(func(r *resource) { r.leave(a.node) })
		case a.r == nil || a.r.kind != Primitive || a.node == nil:
		case a.task == taskStop:
			a.r.leave(a.node)
		case a.task == taskStart, a.task == taskMigrateFrom:
			a.r.become(a.node, roleStarted)
		case a.task == taskPromote:
			a.r.become(a.node, rolePromoted)
		case a.task == taskDemote:
			a.r.become(a.node, roleUnpromoted)
		}
	}
}

func (r *resource) leave(n *node) {
	r.after = slices.DeleteFunc(r.after, func(s stay) bool { return s.node == n })
}

func (r *resource) become(n *node, is role) {
	r.leave(n)
	r.after = append(r.after, stay{n, is})
}

func (c *cluster) instance(r *resource) Instance {
	i := Instance{Resource: r.ID, Number: r.number, Unique: r.top().unique, Parent: r.top().id, Removed: r.removed}
	for _, n := range r.before.active {
		i.Before = append(i.Before, r.place(n, max(r.before.role, roleStarted)))
	}
	slices.SortFunc(r.after, func(a, b stay) int { return a.node.index - b.node.index })
	for _, s := range r.after {
		i.After = append(i.After, r.place(s.node, s.role))
	}
	i.Scores = c.scoresOf(r)
	i.Reason = c.why(r)
	return i
}

// scoresOf says what each node is worth to a resource, and why. Where that is
// the same for nodes next to each other, they share the list of reasons.
func (c *cluster) scoresOf(r *resource) []NodeScore {
	scores := make([]NodeScore, len(c.nodes))
	var reasons []Reason
	for k, n := range c.nodes {
		if k == 0 || !r.alike(n, c.nodes[k-1]) {
			reasons = r.reasons(n)
		}
		scores[k] = NodeScore{Node: n.Name, Score: -infinity, Reasons: reasons}
		if r.allowed[k].present {
			scores[k].Score = r.allowed[k].score
		}
	}
	return scores
}

// place names a role; an instance that could be promoted is not just started.
func (r *resource) place(n *node, is role) Place {
	if is == roleStarted && r.top().promotable {
		is = roleUnpromoted
	}
	return Place{Node: n.Name, Role: is.String()}
}
