package engine

// A task is what an action does.
type task string

const (
	taskStart          task = "start"
	taskStarted        task = "running" // of a group or clone
	taskStop           task = "stop"
	taskStopped        task = "stopped"
	taskPromote        task = "promote"
	taskPromoted       task = "promoted"
	taskDemote         task = "demote"
	taskDemoted        task = "demoted"
	taskMonitor        task = "monitor"
	taskMigrateTo      task = "migrate_to"
	taskMigrateFrom    task = "migrate_from"
	taskReload         task = "reload-agent"
	taskCancel         task = "cancel"
	taskDelete         task = "lrm_delete"
	taskClearFailCount task = "clear_failcount"
	taskFence          task = "stonith"
	taskShutdown       task = "do_shutdown"
	taskMarker         task = "marker" // of a set or a node's load
)

// completed returns what marks the end of a task in a group or clone.
func (t task) completed() task {
	switch t {
	case taskStart:
		return taskStarted
	case taskStop:
		return taskStopped
	case taskPromote:
		return taskPromoted
	case taskDemote:
		return taskDemoted
	default:
		return t
	}
}

// begun returns the task that a mark of an end belongs to.
func (t task) begun() task {
	switch t {
	case taskStarted:
		return taskStart
	case taskStopped:
		return taskStop
	case taskPromoted:
		return taskPromote
	case taskDemoted:
		return taskDemote
	default:
		return t
	}
}

// inverse returns the task that undoes another; empty: there is none.
func (t task) inverse() task {
	switch t {
	case taskStart:
		return taskStop
	case taskStop:
		return taskStart
	case taskPromote:
		return taskDemote
	case taskDemote:
		return taskPromote
	case taskPromoted:
		return taskDemoted
	case taskDemoted:
		return taskPromoted
	case taskStarted:
		return taskStopped
	case taskStopped:
		return taskStarted
	default:
		return ""
	}
}

// raises reports whether a task lifts a resource's role.
func (t task) raises() bool { return t == taskStart || t == taskPromote || t == taskMigrateFrom }

// A need is what must be given before an action runs.
type need uint8

const (
	needsNothing need = iota
	needsQuorum
	needsFencing
)

// actionFlags say what is known of an action.
type actionFlags uint16

const (
	optional       actionFlags = 1 << iota // nothing requires it
	runnable                               // nothing prevents it
	pseudo                                 // nothing is executed: a mark, or made true by a fencing
	migratable                             // it may be part of a live migration
	alwaysListed                           // it is listed although optional
	migrationAbort                         // it cleans up after a migration that broke off
	reschedule                             // a recurring monitor whose definition changed
	onDC                                   // it needs no node
	listed                                 // it is part of the plan
)

// An action is one thing that may be done, whether it will be or not.
type action struct {
	r        *resource
	node     *node
	key      task   // with the interval: what it is found by
	task     task   // what it does; cancel for a monitor that ends
	interval int64  // ms, of a recurring monitor
	name     string // of a marker; of fencing: off, reboot, on
	reason   string
	cause    *action // whose fate made it so; nil: none

	before []*relation // what comes before it, the newest last
	after  []*relation // what comes after it, the newest last

	flags     actionFlags
	causeFlag actionFlags // what the cause changed
	needs     need
	expected  int16 // result of a monitor; -1: not set
	visited   bool
	minimum   int32 // of the actions before it that must be runnable; 0: it is no such marker
	count     int32 // of them that are
	index     int32 // in the plan, if it is listed
}

func (a *action) is(f actionFlags) bool { return a.flags&f == f }
func (a *action) set(f actionFlags)     { a.flags |= f }
func (a *action) clear(f actionFlags)   { a.flags &^= f }
func (a *action) required() bool        { return !a.is(optional) }
func (a *action) because(reason string) {
	if a.reason == "" {
		a.reason = reason
	}
}
func (a *action) override(reason string) { a.reason, a.cause = reason, nil }

// newAction returns the action of a resource on a node, and makes it if there
// is none. It becomes required unless it is said to be optional.
func (c *cluster) newAction(r *resource, t task, interval int64, n *node, isOptional bool) *action {
	return c.keyedAction(r, t, t, interval, n, isOptional)
}

func (c *cluster) keyedAction(r *resource, key, t task, interval int64, n *node, isOptional bool) *action {
	a := r.find(key, interval, n)
	if a == nil {
		a = c.addAction(action{r: r, key: key, task: t, interval: interval, node: n, flags: runnable | optional, needs: r.needs(t), expected: -1})
		if !isOptional {
			a.clear(optional)
		}
		if t == taskDelete {
			a.set(onDC)
		}
		r.actions = append(r.actions, a)
	}
	switch {
	case a.node != nil && !a.is(pseudo) && !r.managed && a.interval == 0:
		a.set(optional)
	case !isOptional:
		a.clear(optional)
	}
	c.limit(a)
	return a
}

// addAction keeps an action. They are made by the hundred.
func (c *cluster) addAction(a action) *action {
	if len(c.slab) == cap(c.slab) {
		c.slab = make([]action, 0, 256)
	}
	c.slab = append(c.slab, a)
	made := &c.slab[len(c.slab)-1]
	c.actions = append(c.actions, made)
	return made
}

// needs returns what a task of a resource must wait for.
func (r *resource) needs(t task) need {
	switch {
	case t != taskStart && t != taskPromote:
		return needsNothing
	case r.needsFencing:
		return needsFencing
	case r.needsQuorum:
		return needsQuorum
	}
	return needsNothing
}

// limit finds out whether an action can run by its node and the quorum.
func (c *cluster) limit(a *action) {
	r, n := a.r, a.node
	switch {
	case a.is(pseudo):
	case n == nil:
		a.clear(runnable)
	case !a.is(onDC) && !n.online:
		a.clear(runnable)
		if r.managed && a.task == taskStop && !n.unclean {
			c.fenceNode(n, "stop is unrunnable")
		}
	case !a.is(onDC) && n.pending:
		a.clear(runnable)
	case a.needs == needsNothing:
		a.override("")
		a.set(runnable)
	default:
		c.limitByQuorum(a)
	}
}

func (c *cluster) limitByQuorum(a *action) {
	switch r := a.r; c.quorumPolicy(r) {
	case noQuorumStop:
		a.clear(runnable)
		a.override("no quorum")
	case noQuorumFreeze:
		if !r.isActive(true) || r.nextRole > r.role {
			a.clear(runnable)
			a.override("quorum freeze")
		}
	default:
		a.set(runnable)
	}
}

// quorumPolicy returns the policy that counts for a resource now. To demote is
// enough for what is promoted or was: it may go on running.
func (c *cluster) quorumPolicy(r *resource) noQuorumPolicy {
	switch {
	case c.quorate:
		return noQuorumIgnore
	case c.noQuorum != noQuorumDemote:
		return c.noQuorum
	case r.role != rolePromoted && r.role != roleUnpromoted:
		return noQuorumStop
	}
	r.nextRole = min(r.nextRole, roleUnpromoted)
	return noQuorumIgnore
}

// find returns the oldest action of a key on a node, or on any if there is none
// given. An action without a node is bound to the node.
func (r *resource) find(key task, interval int64, n *node) *action {
	for _, a := range r.actions {
		if a.key != key || a.interval != interval {
			continue
		}
		if n != nil && a.node == nil {
			a.node = n
		}
		if n == nil || a.node == n {
			return a
		}
	}
	return nil
}

// actionsOf returns all actions of a task, without interval, on a node, or on
// any if there is none given; the oldest first.
func (r *resource) actionsOf(key task, n *node) []*action {
	var list []*action
	for _, a := range r.actions {
		if a.key != key || a.interval != 0 {
			continue
		}
		if n != nil && a.node == nil {
			a.node = n
		}
		if n == nil || a.node == n {
			list = append(list, a)
		}
	}
	return list
}

// exactly returns the actions of a key that have been bound to a node.
func (r *resource) exactly(key task, interval int64, n *node) []*action {
	var list []*action
	for _, a := range r.actions {
		if n != nil && a.key == key && a.interval == interval && a.node == n {
			list = append(list, a)
		}
	}
	return list
}

// newest returns the newest action that does a task on a node, or on any.
func (r *resource) newest(t task, n *node) *action {
	for i := len(r.actions) - 1; i >= 0; i-- {
		a := r.actions[i]
		if a.task == t && (n == nil || a.node == n) {
			return a
		}
	}
	return nil
}

// newestKeyed returns the newest action of a key without interval.
func (r *resource) newestKeyed(key task) *action {
	for i := len(r.actions) - 1; i >= 0; i-- {
		if a := r.actions[i]; a.key == key && a.interval == 0 {
			return a
		}
	}
	return nil
}

func (c *cluster) startAction(r *resource, n *node) *action {
	return c.newAction(r, taskStart, 0, n, true)
}

func (c *cluster) stopAction(r *resource, n *node, isOptional bool) *action {
	return c.newAction(r, taskStop, 0, n, isOptional)
}

func (c *cluster) demoteAction(r *resource, n *node, isOptional bool) {
	c.newAction(r, taskDemote, 0, n, isOptional)
}

// pseudoAction returns the mark of a group's or clone's task.
func (c *cluster) pseudoAction(r *resource, t task, isOptional, isRunnable bool) *action {
	a := c.newAction(r, t, 0, nil, isOptional)
	a.set(pseudo)
	if isRunnable {
		a.set(runnable)
	}
	return a
}

// marker returns an action that does nothing and belongs to no resource.
func (c *cluster) marker(name string) *action {
	if a := c.singletons[name]; a != nil {
		return a
	}
	a := c.addAction(action{key: taskMarker, task: taskMarker, name: name, flags: optional | runnable | pseudo, expected: -1})
	c.singletons[name] = a
	return a
}
