package engine

import (
	"slices"
	"strings"
)

// A migration is three operations: migrate_to at the source, migrate_from at the
// target, a stop at the source. Without the second it is partial, without the
// third dangling. Either node's history may have been cleared meanwhile.
type migration struct {
	c              *cluster
	r              *resource
	source, target string
}

// migrationOf reads an operation's source and target, one of which must be the
// node that it ran on; false: they are not named.
func (c *cluster) migrationOf(res *result) (migration, bool) {
	m := migration{c: c, r: res.r, source: res.MigrateSource, target: res.MigrateTarget}
	here := m.source
	if res.Operation == "migrate_from" {
		here = m.target
	}
	return m, m.source != "" && m.target != "" && strings.EqualFold(here, res.n.Name)
}

// unpackMigrateTo reads a migrate_to that succeeded.
func (c *cluster) unpackMigrateTo(res *result) {
	m, ok := c.migrationOf(res)
	if !ok {
		return
	}
	r := res.r
	newerAtSource := m.changedAfter(m.source, res.HistoryOp)
	from := m.only(m.target, "migrate_from", func(op *HistoryOp) bool { return op.MigrateSource == m.source })
	rc, status := exitOK, statusPending
	if from != nil {
		if newerAtSource {
			return // all three are done
		}
		rc, status = from.outcome()
	}
	newerAtTarget := m.newerState(m.target, res.HistoryOp, from)
	switch {
	case newerAtSource && newerAtTarget:
		return
	case rc == exitOK && status == statusDone:
		r.role = roleStopped
		r.dangling = slices.Insert(r.dangling, 0, res.n)
		return
	}
	r.role = roleStarted
	target := c.nodeNamed(m.target)
	online := target != nil && target.online
	switch active := online && !newerAtTarget; {
	case status != statusPending && active:
		c.addRunning(r, target, true)
	case status != statusPending:
		r.breakMigration()
	case online && m.unknownOn(m.target):
		return // a probe will tell
	case active:
		c.addRunning(r, target, false)
		if source := c.nodeNamed(m.source); source != nil && source.online {
			r.migratingFrom, r.migratingTo = source, target
		}
	case !newerAtSource:
		r.breakMigration()
	}
}

// breakMigration has a resource recovered by a stop and a start.
func (r *resource) breakMigration() {
	r.failed, r.stopIfFailed, r.migratable = true, true, false
}

// unpackFailedMigrateTo reads a migrate_to that failed: the resource may be
// active on either node.
func (c *cluster) unpackFailedMigrateTo(res *result) {
	m, ok := c.migrationOf(res)
	if !ok {
		return
	}
	res.r.role = roleStarted
	from := m.only(m.target, "migrate_from", func(op *HistoryOp) bool { return op.MigrateSource == m.source && op.succeeded() })
	if !m.unknownOn(m.target) && !m.newerState(m.target, res.HistoryOp, from) {
		if target := c.nodeNamed(m.target); target != nil && target.online {
			c.addRunning(res.r, target, false)
		}
	} else if !m.changedAfter(m.source, res.HistoryOp) {
		res.r.dangling = slices.Insert(res.r.dangling, 0, res.n)
	}
}

// unpackFailedMigrateFrom reads a migrate_from that failed.
func (c *cluster) unpackFailedMigrateFrom(res *result) {
	m, ok := c.migrationOf(res)
	if !ok {
		return
	}
	res.r.role = roleStarted
	to := m.only(m.source, "migrate_to", func(op *HistoryOp) bool { return op.MigrateTarget == m.target && op.succeeded() })
	if m.unknownOn(m.source) || m.newerState(m.source, to, res.HistoryOp) {
		return
	}
	if source := c.nodeNamed(m.source); source != nil && source.online {
		c.addRunning(res.r, source, true)
	}
}

func (op *HistoryOp) outcome() (rc, status int) {
	code, _ := scanInt(op.RC)
	state, _ := scanInt(op.Status)
	return int(code), int(state)
}

func (op *HistoryOp) succeeded() bool {
	rc, status := op.outcome()
	return rc == exitOK && status == statusDone
}

// ops returns the resource's operations on a node.
func (m *migration) ops(name string) []HistoryOp {
	n := m.c.nodeNamed(name)
	if n == nil || n.State == nil {
		return nil
	}
	if h := n.historyOf(m.r.id); h != nil {
		return h.Ops
	}
	return nil
}

// only returns the one operation of a name that fits; nil: there is none, or
// there are several.
func (m *migration) only(node, operation string, fits func(*HistoryOp) bool) *HistoryOp {
	var found *HistoryOp
	ops := m.ops(node)
	for i := range ops {
		if op := &ops[i]; op.Operation == operation && fits(op) {
			if found != nil {
				return nil
			}
			found = op
		}
	}
	return found
}

// unknownOn reports whether nothing is known of the resource on a node.
func (m *migration) unknownOn(node string) bool {
	return !slices.ContainsFunc(m.ops(node), func(op HistoryOp) bool {
		rc, _ := scanInt(op.RC)
		return rc != exitUnknown
	})
}

// changedAfter reports whether a node started, stopped or moved the resource
// after an operation.
func (m *migration) changedAfter(node string, than *HistoryOp) bool {
	ops := m.ops(node)
	for i := range ops {
		op := &ops[i]
		switch op.Operation {
		case "start", "stop", "migrate_to", "migrate_from":
			if op != than && than != nil && compareAge(op, than) > 0 {
				return true
			}
		}
	}
	return false
}

// newerState reports whether a node knows something newer than the migration.
func (m *migration) newerState(node string, to, from *HistoryOp) bool {
	than := to
	if from != nil {
		than = from
		if to != nil && strings.EqualFold(node, from.MigrateSource) {
			than = to // numbers of one node are sure, clocks of two are not
		}
	}
	if than == nil {
		return false
	}
	return m.changedAfter(node, than) || m.notRunningAfter(node, than)
}

func (m *migration) notRunningAfter(node string, than *HistoryOp) bool {
	op := m.only(node, "monitor", func(*HistoryOp) bool { return true })
	if op == nil {
		return false
	}
	rc, status := op.outcome()
	return rc == exitNotRunning && status == statusDone && compareAge(op, than) > 0
}
