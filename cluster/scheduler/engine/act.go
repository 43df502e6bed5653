package engine

import "slices"

// exitNotRunning is the result of a monitor that found nothing.
const (
	exitNotRunning = 7
	exitPromoted   = 8
)

// createActions makes the actions that lead a resource from where it is to
// where it belongs, and those that might become required.
func (c *cluster) createActions(r *resource) {
	switch r.kind {
	case Group:
		c.createGroupActions(r)
	case Clone:
		c.createCloneActions(r)
	default:
		c.createPrimitiveActions(r)
	}
}

// nextStep is the next role on the way to a wanted one.
var nextStep = [...][5]role{
	roleUnknown:    {roleUnknown, roleStopped, roleStopped, roleStopped, roleStopped},
	roleStopped:    {roleStopped, roleStopped, roleStarted, roleUnpromoted, roleUnpromoted},
	roleStarted:    {roleStopped, roleStopped, roleStarted, roleUnpromoted, rolePromoted},
	roleUnpromoted: {roleStopped, roleStopped, roleStopped, roleUnpromoted, rolePromoted},
	rolePromoted:   {roleStopped, roleUnpromoted, roleUnpromoted, roleUnpromoted, rolePromoted},
}

// step makes the action for one step; false: the step needs none.
func (c *cluster) step(r *resource, from, to role, n *node, isOptional bool) bool {
	switch {
	case from == to, from == roleStarted && to == roleUnpromoted:
		return false
	case from == roleStopped:
		c.addStart(r, n, isOptional)
	case to == rolePromoted:
		c.addPromote(r, n, isOptional)
	case from == rolePromoted:
		c.addDemotes(r, isOptional)
	default:
		c.addStops(r, isOptional)
	}
	return true
}

func (c *cluster) createPrimitiveActions(r *resource) {
	if r.nextRole == roleUnknown {
		r.nextRole = roleStopped
		if r.assignedNode != nil {
			r.nextRole = roleStarted
		}
	}
	current, all, clean := r.current()
	for _, source := range r.dangling {
		c.stopAction(r, source, false).set(migrationAbort)
	}
	moves := current != nil && r.assignedNode != nil && current != r.assignedNode && r.nextRole >= roleStarted
	migrates := moves && r.canMigrate(current)
	needStop := moves
	needPromote := false
	switch {
	case r.migratingFrom != nil && r.migratingTo != nil && migrates && all == 2 &&
		current == r.migratingFrom && r.assignedNode == r.migratingTo:
		// The migration goes on.
	case r.migratingFrom != nil || r.migratingTo != nil:
		needStop, migrates = true, false
		r.migratingFrom, r.migratingTo = nil, nil
		r.stopUnexpected = false
	default:
		needStop = r.recoverMultiple(all, clean) || needStop
	}
	if r.startPending {
		c.startAction(r, r.assignedNode).set(alwaysListed)
	}
	switch {
	case moves:
	case r.failed && r.stopIfFailed, !r.failed && r.blocked:
		needStop = true
	case r.failed:
		needPromote = r.nextRole == rolePromoted
	case r.role > roleStarted && current != nil && r.assignedNode != nil:
		needStop = needStop || c.startAction(r, r.assignedNode).required()
	}
	c.addRestart(r, current, needStop, needPromote)
	for at := r.role; at != r.nextRole; {
		next := nextStep[at][r.nextRole]
		if !c.step(r, at, next, r.assignedNode, false) {
			break
		}
		at = next
	}
	c.createRecurring(r)
	if migrates {
		c.createMigration(r, current)
	}
}

// recoverMultiple reports whether a resource must stop because it runs on
// several nodes ("multiple-active").
func (r *resource) recoverMultiple(all, clean int) bool {
	active := clean
	if r.needsFencing {
		active = all
	}
	if active <= 1 {
		r.stopUnexpected = false
		return false
	}
	r.stopUnexpected = r.multiple == multipleUnexpected
	return r.multiple == multipleRestart || r.stopUnexpected
}

// addRestart makes the actions of a stop and a start, which become required
// together if one of them does.
func (c *cluster) addRestart(r *resource, current *node, needStop, needPromote bool) {
	r.restarting = true
	at := r.role
	for at != roleStopped {
		next := nextStep[at][roleStopped]
		if !c.step(r, at, next, current, !needStop) {
			break
		}
		at = next
	}
	for r.role <= r.nextRole && at != r.role && !r.blocked {
		next := nextStep[at][r.role]
		required := needStop || next == rolePromoted && needPromote
		if !c.step(r, at, next, r.assignedNode, !required) {
			break
		}
		at = next
	}
	r.restarting = false
}

// expectedOn reports whether a resource that runs on too many nodes may go on
// running on this one.
func (r *resource) expectedOn(n *node) bool {
	return r.stopUnexpected && r.restarting && r.nextRole > roleStopped && r.assignedNode == n
}

// addStops makes stops wherever a resource runs.
func (c *cluster) addStops(r *resource, isOptional bool) {
	for _, n := range r.active {
		if r.expectedOn(n) {
			continue
		}
		if r.migratingTo != nil {
			if n == r.migratingTo && n == r.assignedNode {
				continue // the migration goes on
			}
			isOptional = false
		}
		stop := c.stopAction(r, n, isOptional)
		switch {
		case r.assignedNode == nil:
			stop.override("node availability")
		case r.restarting && r.stopUnexpected:
			stop.override("being multiply active")
		}
		if !r.managed {
			stop.clear(runnable)
		}
		if r.needsUnfencing {
			relate(stop, c.fenceOp(n, "on", true, ""), thenImpliesFirst)
		}
	}
}

func (c *cluster) addStart(r *resource, n *node, isOptional bool) {
	start := c.startAction(r, n)
	c.orderUnfencing(r, n, start, firstImpliesThen)
	if start.is(runnable) && !isOptional {
		start.clear(optional)
	}
	if r.expectedOn(n) {
		start.set(pseudo)
	}
}

func (c *cluster) addPromote(r *resource, n *node, isOptional bool) {
	for _, start := range r.exactly(taskStart, 0, n) {
		if !start.is(runnable) {
			for _, promote := range r.exactly(taskPromote, 0, n) {
				promote.clear(runnable)
			}
			return
		}
	}
	promote := c.newAction(r, taskPromote, 0, n, isOptional)
	if r.expectedOn(n) {
		promote.set(pseudo)
	}
}

func (c *cluster) addDemotes(r *resource, isOptional bool) {
	for _, n := range r.active {
		if !r.expectedOn(n) {
			c.demoteAction(r, n, isOptional)
		}
	}
}

func (c *cluster) createGroupActions(r *resource) {
	for _, member := range r.children {
		c.createActions(member)
	}
	tasks := []task{taskStart, taskStarted, taskStop, taskStopped}
	if isTrue(r.meta["promotable"]) {
		tasks = append(tasks, taskDemote, taskDemoted, taskPromote, taskPromoted)
	}
	for _, t := range tasks {
		c.pseudoAction(r, t, true, true)
	}
}

// An activity says what the instances of a clone do.
type activity struct{ starting, stopping, restarting, active bool }

// watch notes what a resource and all inside it does.
func (s *activity) watch(r *resource) {
	if r.kind != Primitive {
		for _, child := range r.children {
			s.watch(child)
		}
		return
	}
	starting, stopping := false, false
	for _, a := range r.actions {
		switch {
		case a.task == taskStart && a.required() && a.is(runnable):
			starting = true
		case a.task == taskStop && a.required() && a.flags&(pseudo|runnable) != 0:
			stopping = true
		}
	}
	s.active = s.active || len(r.active) > 0
	s.starting = s.starting || starting
	s.stopping = s.stopping || stopping
	s.restarting = s.restarting || starting && stopping
}

func (c *cluster) createCloneActions(r *resource) {
	var does activity
	for _, instance := range r.children {
		c.createActions(instance)
		does.watch(instance)
	}
	c.pseudoAction(r, taskStart, !does.starting, true)
	c.pseudoAction(r, taskStarted, !does.starting, does.active || does.starting)
	stop := c.pseudoAction(r, taskStop, !does.stopping, true)
	c.pseudoAction(r, taskStopped, !does.stopping, true)
	if !does.restarting {
		stop.set(migratable)
	}
	if !r.promotable {
		return
	}
	promoting, demoting := false, false
	for _, instance := range r.children {
		c.createActions(instance)
		promoting = promoting || instance.anySet(func(r *resource) bool { return r.requires(taskPromote) })
		demoting = demoting || instance.anySet(func(r *resource) bool { return r.requires(taskDemote) })
	}
	c.pseudoAction(r, taskPromote, !promoting, true)
	c.pseudoAction(r, taskPromoted, !promoting, true)
	c.pseudoAction(r, taskDemote, !demoting, true)
	c.pseudoAction(r, taskDemoted, !demoting, true)
	for _, instance := range r.children {
		instance.priority = r.priority
	}
}

// requires reports whether any action of a task is required of a primitive.
func (r *resource) requires(t task) bool {
	return r.kind == Primitive && slices.ContainsFunc(r.actions, func(a *action) bool { return a.task == t && a.required() })
}

// canMigrate reports whether a resource can be migrated from a node to where it
// belongs without a stop.
func (r *resource) canMigrate(from *node) bool {
	return r.migratable && r.managed && !r.failed && !r.startPending &&
		from != nil && !from.unclean && r.assignedNode != nil && !r.assignedNode.unclean
}

// createMigration makes the two actions of a live migration. They stand beside a
// stop and a start, which happen instead if something prevents the migration.
func (c *cluster) createMigration(r *resource, from *node) {
	start := c.startAction(r, r.assignedNode)
	stop := c.stopAction(r, from, true)
	start.set(migratable | pseudo)
	stop.set(migratable)
	underWay := r.migratingTo != nil
	var to *action
	if !underWay {
		to = c.newAction(r, taskMigrateTo, 0, from, true)
	}
	arrives := c.newAction(r, taskMigrateFrom, 0, r.assignedNode, true)
	arrives.set(migratable)
	if underWay {
		arrives.needs = start.needs
		c.orderTasks(r, taskMonitor, r, taskMigrateFrom, ordered)
	} else {
		to.set(migratable)
		to.needs = start.needs
		c.orderTasks(r, taskMonitor, r, taskMigrateTo, ordered)
		c.orderTasks(r, taskMigrateTo, r, taskMigrateFrom, ordered|unmigratableThenBlocks)
	}
	c.orderTasks(r, taskMigrateFrom, r, taskStop, ordered|unmigratableThenBlocks)
	c.orderTasks(r, taskMigrateFrom, r, taskStart, ordered|unmigratableThenBlocks|firstElseThen)
}
