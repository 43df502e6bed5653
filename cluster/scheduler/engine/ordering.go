package engine

// A relation says how two actions depend on each other. Its bits are combined.
type relationFlags uint32

const (
	ordered                  relationFlags = 1 << iota // first comes before then, if both are done
	ifFirstUnmigratable                                // only if first is no part of a migration
	thenImpliesFirst                                   // if then is required, so is first
	firstImpliesThen                                   // if first is required, so is then
	promotedThenImpliesFirst                           // likewise, of what is promoted
	unmigratableThenBlocks                             // first runs only if then can be part of a migration
	unrunnableFirstBlocks                              // then runs only if first can
	firstElseThen                                      // if first cannot run, then does its work for real
	firstImpliesSameNodeThen                           // as firstImpliesThen, for the instance on the same node
	intermediateStop                                   // first is the stop of a restart or of a chain of stops
	serialize                                          // never at the same time
	ifOnSameNode                                       // only on one node
	thenImpliesFirstListed                             // if then is required, first is listed
	firstImpliesThenListed                             // if first is required, then is listed
	asymmetric                                         // a configured order about one direction
	ifOnSameNodeOrTarget                               // only on one node, or a migration's target
	minRunnable                                        // then runs if enough of its firsts can
	ifRequiredOnSameNode                               // only on one node, if first is required
	thenCancelsFirst                                   // if then is required, first is not
	guestAllowed                                       // it comes before, and nothing else
)

// A relation is one side of a pair of actions: it stands in the list of the other.
type relation struct {
	action *action
	flags  relationFlags
	twin   *relation // the same pair, in the other action's list
}

func (r *relation) is(f relationFlags) bool { return r.flags&f == f }

// An ordering relates all actions of a task of one resource to those of another,
// or one action. It is made before the actions are.
type ordering struct {
	first, then             *resource // nil: none
	firstTask, thenTask     task
	firstAction, thenAction *action // nil: those of the task
	flags                   relationFlags
}

// order adds an ordering, and those that follow from it for migrations.
func (c *cluster) order(o ordering) {
	if o.firstAction != nil {
		o.firstTask = o.firstAction.key
		if o.first == nil {
			o.first = o.firstAction.r
		}
	}
	if o.thenAction != nil {
		o.thenTask = o.thenAction.key
		if o.then == nil {
			o.then = o.thenAction.r
		}
	}
	c.orderings = append(c.orderings, o)
	c.orderMigration(&o)
}

// orderTasks orders a task of one resource before a task of another.
func (c *cluster) orderTasks(first *resource, firstTask task, then *resource, thenTask task, flags relationFlags) {
	c.order(ordering{first: first, firstTask: firstTask, then: then, thenTask: thenTask, flags: flags})
}

// orderAfter orders an action after a task of a resource.
func (c *cluster) orderAfter(first *resource, firstTask task, then *action, flags relationFlags) {
	c.order(ordering{first: first, firstTask: firstTask, thenAction: then, flags: flags})
}

// orderBefore orders an action before a task of a resource.
func (c *cluster) orderBefore(first *action, then *resource, thenTask task, flags relationFlags) {
	c.order(ordering{firstAction: first, then: then, thenTask: thenTask, flags: flags})
}

// relate relates two actions, unless they are related by one of the flags already.
func relate(first, then *action, flags relationFlags) bool {
	if flags == 0 || first == nil || then == nil {
		return false
	}
	if related(first, then, flags) {
		return false
	}
	pair := &[2]relation{{action: then, flags: flags}, {action: first, flags: flags}}
	pair[0].twin, pair[1].twin = &pair[1], &pair[0]
	first.after = append(first.after, &pair[0])
	then.before = append(then.before, &pair[1])
	return true
}

// related looks through the shorter of the two lists.
func related(first, then *action, flags relationFlags) bool {
	if len(first.after) <= len(then.before) {
		for _, r := range first.after {
			if r.action == then && r.flags&flags != 0 {
				return true
			}
		}
		return false
	}
	for _, r := range then.before {
		if r.action == first && r.twin.flags&flags != 0 {
			return true
		}
	}
	return false
}
