package engine

import (
	"strings"
)

// failures are what a node's attributes count of one resource.
type failures struct {
	count int
	last  int64 // seconds since 1970
}

// failCount returns how often the operations of a resource failed on a node, and
// when last ("Failure Handling"). The effective count is 0 when all failures
// are older than failure-timeout.
func (c *cluster) failCount(n *node, r *resource) (count int, last int64) {
	return c.countFailures(n, r, true, nil)
}

// countFailures is failCount while one operation of the history is read.
func (c *cluster) countFailures(n *node, r *resource, effective bool, op *HistoryOp) (int, int64) {
	f := c.failuresOf(n, r)
	if f.count > 0 && r.failureTimeout > 0 && blocksFailure(n, r, op) {
		r.failureTimeout = 0 // on-fail=block: they stay until a person looks
	}
	if effective && f.count > 0 && f.last > 0 && r.failureTimeout > 0 {
		after := f.last + r.failureTimeout + 1
		if c.now >= after {
			f.count = 0
		}
		c.wakeAt(after)
	}
	if f.count == 0 {
		f.last = 0
	}
	return f.count, f.last
}

func (c *cluster) failuresOf(n *node, r *resource) failures {
	if n.failures == nil {
		c.readFailures(n)
	}
	name := either(r.historyID, r.id)
	if r.unique {
		return n.failures[name]
	}
	return n.failures[anyNumber+baseName(name)]
}

// anyNumber marks the failures of all instances of an anonymous clone. No id
// begins with it.
const anyNumber = "#"

// readFailures sums a node's attributes fail-count-RESOURCE#OPERATION_INTERVAL
// and last-failure-…, by resource.
func (c *cluster) readFailures(n *node) {
	n.failures = make(map[string]failures)
	for name, value := range n.attrs {
		if rest, ok := strings.CutPrefix(name, "fail-count-"); ok {
			if score, ok := c.parseScore(value, 0); ok {
				n.addFailures(rest, score, 0)
			}
		} else if rest, ok := strings.CutPrefix(name, "last-failure-"); ok {
			at, _ := scanInt(value)
			n.addFailures(rest, 0, at)
		}
	}
}

func (n *node) addFailures(name string, count int, last int64) {
	id, operation, ok := strings.Cut(name, "#")
	task, interval, named := cutLast(operation, "_")
	if !ok || !named || task == "" || numberPrefix(interval) != interval {
		return
	}
	for _, key := range []string{id, anyNumber + baseName(id)} {
		f := n.failures[key]
		n.failures[key] = failures{count: add(f.count, count), last: max(f.last, last)}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// clearFailCount has a resource's fail count on a node cleared.
func (c *cluster) clearFailCount(r *resource, n *node, reason string) *action {
	a := c.newAction(r, taskClearFailCount, 0, n, false)
	a.because(reason)
	return a
}

// blocksFailure reports whether a resource failed in an operation with
// on-fail=block: in the given one, or in any on the node if there is none given.
func blocksFailure(n *node, r *resource, op *HistoryOp) bool {
	for i := range r.Operations {
		configured := &r.Operations[i]
		if configured.option("on-fail") != "block" {
			continue
		}
		if op != nil && failureOf(r.ID, configured, op) || op == nil && failedOn(n, r.ID, configured) {
			return true
		}
	}
	return false
}

func failedOn(n *node, id string, configured *Operation) bool {
	h := n.historyOf(id)
	if h == nil {
		return false
	}
	for i := range h.Ops {
		if failureOf(id, configured, &h.Ops[i]) {
			return true
		}
	}
	return false
}

// failureOf reports whether an operation of a history is a failure of a
// configured one.
func failureOf(id string, configured *Operation, op *HistoryOp) bool {
	interval, _ := scanInt(op.Interval)
	if parseInterval(configured.Interval) != interval || !strings.EqualFold(configured.Name, op.Operation) {
		return false
	}
	if strings.EqualFold(op.ID, id+"_last_failure_0") {
		return true
	}
	rc, _ := scanInt(op.RC)
	return strings.EqualFold(op.ID, opKey(id, configured.Name, interval)) && int(rc) != op.expected()
}

// historyOf returns what a node remembers of a resource; nil: nothing.
func (n *node) historyOf(id string) *History {
	if n.histories == nil {
		n.histories = make(map[string]*History, len(n.History))
		for i := range n.History {
			n.histories[n.History[i].Resource] = &n.History[i]
		}
	}
	return n.histories[id]
}
