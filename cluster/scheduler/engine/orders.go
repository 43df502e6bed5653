package engine

// An orderKind says how much an order matters.
type orderKind int

const (
	orderMandatory orderKind = iota
	orderOptional
	orderSerialize
)

// A symmetry says which direction of an order is meant.
type symmetry int

const (
	orderAsymmetric symmetry = iota
	orderSymmetric
	orderInverse // the opposite direction of a symmetric one
)

// readKind reads the kind; in its place a score of 0 means Optional.
func (c *cluster) readKind(kind, score string, unset orderKind) orderKind {
	switch {
	case kind == "Optional":
		return orderOptional
	case kind == "Serialize":
		return orderSerialize
	case kind != "":
		return orderMandatory
	case score == "":
		return unset
	}
	if n, _ := c.parseScore(score, 0); n == 0 {
		return orderOptional
	}
	return orderMandatory
}

func readSymmetry(symmetrical string, kind orderKind) symmetry {
	wanted, ok := parseBool(symmetrical)
	if kind == orderSerialize || ok && !wanted || !ok && symmetrical != "" {
		return orderAsymmetric
	}
	return orderSymmetric
}

// orderFlags returns what an order of a kind means for two actions.
func orderFlags(kind orderKind, first task, s symmetry) relationFlags {
	switch {
	case kind == orderOptional:
		return ordered
	case kind == orderSerialize:
		return serialize
	case s == orderAsymmetric:
		return ordered | asymmetric
	case s == orderInverse:
		return ordered | thenImpliesFirst
	case first.raises():
		return ordered | firstImpliesThen | unrunnableFirstBlocks
	}
	return ordered | firstImpliesThen
}

func (c *cluster) unpackOrder(spec *Order) {
	if len(spec.Sets) == 0 {
		c.unpackSimpleOrder(spec)
		return
	}
	kind := c.readKind(spec.Kind, spec.Score, orderMandatory)
	s := readSymmetry(spec.Symmetrical, kind)
	for i := range spec.Sets {
		if !c.orderSet(spec, &spec.Sets[i], kind) {
			return
		}
		if i == 0 {
			continue
		}
		before, after := &spec.Sets[i-1], &spec.Sets[i]
		c.noteSets(spec.ID, before, after)
		if !c.orderSets(before, after, kind, s) {
			return
		}
		if s == orderSymmetric && !c.orderSets(after, before, kind, orderInverse) {
			return
		}
	}
}

func (c *cluster) unpackSimpleOrder(spec *Order) {
	first, then := c.constrained(spec.First), c.constrained(spec.Then)
	if first == nil || then == nil {
		return
	}
	firstTask := task(either(spec.FirstAction, string(taskStart)))
	thenTask := task(either(spec.ThenAction, string(firstTask)))
	c.noteOrder(spec.ID, first, then)
	kind := c.readKind(spec.Kind, spec.Score, orderMandatory)
	s := readSymmetry(spec.Symmetrical, kind)
	flags := orderFlags(kind, firstTask, s)
	if least := leastInstances(first, spec); least > 0 {
		c.orderAfterSome(spec.ID, first, firstTask, then, thenTask, flags, least)
	} else {
		c.orderTasks(first, firstTask, then, thenTask, flags)
	}
	if s != orderSymmetric || firstTask.inverse() == "" || thenTask.inverse() == "" {
		return
	}
	c.orderTasks(then, thenTask.inverse(), first, firstTask.inverse(), orderFlags(kind, firstTask.inverse(), orderInverse))
}

// leastInstances returns how many instances of a clone are enough for what comes
// after it; 0: the clone as a whole counts.
func leastInstances(first *resource, spec *Order) int {
	if first.kind != Clone {
		return 0
	}
	if v, ok := first.meta["clone-min"]; ok {
		return parseInt(v, 0, 0)
	}
	if all, ok := parseBool(spec.RequireAll); spec.RequireAll != "" && (!ok || !all) {
		return 1
	}
	return 0
}

func (c *cluster) orderAfterSome(id string, first *resource, firstTask task, then *resource, thenTask task, flags relationFlags, least int) {
	met := c.marker("clone-one-or-more:" + id)
	met.minimum = int32(least)
	for _, child := range first.children {
		c.orderAfter(child, firstTask, met, minRunnable|firstImpliesThenListed)
	}
	c.orderBefore(met, then, thenTask, flags|unrunnableFirstBlocks)
}

// resourcesOf returns the resources of a set; ok is false if one is unknown.
func (c *cluster) resourcesOf(set *ResourceSet) (list []*resource, ok bool) {
	for _, id := range set.Resources {
		r := c.constrained(id)
		if r == nil {
			return nil, false
		}
		list = append(list, r)
	}
	return list, true
}

func setTask(set *ResourceSet) task { return task(either(set.Action, string(taskStart))) }

// orderSet orders the members of one set among each other.
func (c *cluster) orderSet(spec *Order, set *ResourceSet, outer orderKind) bool {
	list, ok := c.resourcesOf(set)
	if !ok {
		return false
	}
	kind := c.readKind(set.Kind, "", outer)
	s := readSymmetry(spec.Symmetrical, c.readKind(set.Kind, set.Score, outer))
	t := setTask(set)
	sequential := set.Sequential == "" || isTrue(set.Sequential)
	flags := orderFlags(kind, t, s)
	inverse := orderFlags(kind, t.inverse(), orderInverse)
	for i, r := range list {
		if kind == orderSerialize {
			for _, other := range list[i+1:] {
				c.orderTasks(r, t, other, t, flags)
			}
			continue
		}
		if sequential && i > 0 {
			c.noteOrder(spec.ID, list[i-1], r)
			c.orderTasks(list[i-1], t, r, t, flags)
		}
	}
	if s == orderAsymmetric || t.inverse() == "" || !sequential {
		return true
	}
	for i := 1; i < len(list); i++ {
		c.orderTasks(list[i], t.inverse(), list[i-1], t.inverse(), inverse)
	}
	return true
}

// orderSets orders one set before another. Where require-all is false, one of
// the first set is enough.
func (c *cluster) orderSets(first, then *ResourceSet, kind orderKind, s symmetry) bool {
	firsts, ok1 := c.resourcesOf(first)
	thens, ok2 := c.resourcesOf(then)
	if !ok1 || !ok2 {
		return false
	}
	firstTask, thenTask := setTask(first), setTask(then)
	if s == orderInverse {
		firstTask, thenTask = firstTask.inverse(), thenTask.inverse()
	}
	flags := orderFlags(kind, firstTask, s)
	all, ok := parseBool(first.RequireAll)
	if ok && !all && firstTask != taskStop && firstTask != taskDemote {
		c.orderAfterOne(first, firsts, firstTask, thens, thenTask, flags)
		return true
	}
	if isTrue(first.Sequential) && len(firsts) > 0 {
		firsts = edge(firsts, s == orderInverse)
	}
	if isTrue(then.Sequential) && len(thens) > 0 {
		thens = edge(thens, s != orderInverse)
	}
	for _, f := range firsts {
		for _, t := range thens {
			c.orderTasks(f, firstTask, t, thenTask, flags)
		}
	}
	return true
}

// noteSets remembers which constraint orders the members of two sets.
func (c *cluster) noteSets(id string, before, after *ResourceSet) {
	firsts, _ := c.resourcesOf(before)
	thens, _ := c.resourcesOf(after)
	for _, first := range firsts {
		for _, then := range thens {
			c.noteOrder(id, first, then)
		}
	}
}

// edge returns the first or the last of a list.
func edge(list []*resource, first bool) []*resource {
	if first {
		return list[:1]
	}
	return list[len(list)-1:]
}

func (c *cluster) orderAfterOne(set *ResourceSet, firsts []*resource, firstTask task, thens []*resource, thenTask task, flags relationFlags) {
	one := c.marker("one-or-more:" + set.ID)
	one.minimum = 1
	for _, f := range firsts {
		c.orderAfter(f, firstTask, one, minRunnable|firstImpliesThenListed)
	}
	for _, t := range thens {
		c.orderBefore(one, t, thenTask, flags|unrunnableFirstBlocks)
	}
}

// orderMigration adds what an order between two resources means for a live
// migration of one: it takes the place of a stop and a start.
func (c *cluster) orderMigration(o *ordering) {
	first, then := o.first, o.then
	if first == nil || then == nil || first == then || first.insideOf(then) || then.insideOf(first) {
		return
	}
	if !first.migratable && !then.migratable {
		return
	}
	from, to := o.firstTask, o.thenTask
	if o.firstAction != nil {
		from = o.firstAction.task
	}
	if o.thenAction != nil {
		to = o.thenAction.task
	}
	flags := ordered
	switch {
	case from == taskStart && to == taskStart && then.migratable:
		if first.migratable {
			c.orderTasks(first, taskMigrateFrom, then, taskMigrateTo, flags)
			flags |= ifFirstUnmigratable
		}
		c.orderTasks(first, taskStart, then, taskMigrateTo, flags)
	case from == taskStop && to == taskStop && then.migratable:
		if first.migratable {
			flags |= ifFirstUnmigratable
		}
		c.orderTasks(first, taskStop, then, taskMigrateTo, flags)
		if then.migratingTo != nil {
			c.orderTasks(first, taskStop, then, taskMigrateFrom, flags)
		}
	case from == taskPromote && to == taskStart && then.migratable:
		c.orderTasks(first, taskPromote, then, taskMigrateTo, flags)
	case from == taskDemote && to == taskStop && then.migratable:
		c.orderTasks(first, taskDemote, then, taskMigrateTo, flags)
		if then.migratingTo != nil {
			c.orderTasks(first, taskDemote, then, taskMigrateFrom, flags)
		}
	}
}
