package engine

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// sortedOps returns the operations of a history, the oldest first.
func sortedOps(ops []HistoryOp) []*HistoryOp {
	list := make([]*HistoryOp, 0, len(ops))
	for i := len(ops) - 1; i >= 0; i-- {
		list = append(list, &ops[i])
	}
	if len(list) > 1 {
		slices.SortStableFunc(list, compareAge)
	}
	return list
}

// compareAge tells which of two operations is the newer one: positive, if it is
// a. It is 0 if nobody knows.
func compareAge(a, b *HistoryOp) int {
	sameNode := strings.EqualFold(a.OnNode, b.OnNode)
	if sameNode && a.ID == b.ID {
		return 0
	}
	x, y := a.call(), b.call()
	switch {
	case x == -1 && y == -1:
		return 0 // both under way
	case sameNode && x >= 0 && x < y:
		return -1
	case sameNode && y >= 0 && x > y:
		return 1
	case x >= 0 && y >= 0:
		return compareChange(a, b)
	}
	return comparePending(a, b, x, y)
}

// call returns the number that its node gave an operation; -1: none yet.
func (op *HistoryOp) call() int64 {
	if n, ok := scanInt(op.CallID); ok {
		return n
	}
	return -1
}

// compareChange compares when results were first seen, on clocks that may differ.
func compareChange(a, b *HistoryOp) int {
	x, y := a.changed(), b.changed()
	switch {
	case x >= 0 && x < y:
		return -1
	case y >= 0 && x > y:
		return 1
	}
	return 0
}

// changed returns when an operation's result became what it is; -1: nobody knows.
func (op *HistoryOp) changed() int64 {
	if at, ok := scanInt(op.LastRCChange); ok {
		return at
	}
	return -1
}

// comparePending compares an operation under way with a finished one by the
// transitions they belong to. One of another controller's can only be older.
func comparePending(a, b *HistoryOp, callA, callB int64) int {
	keyA, okA := a.transition()
	keyB, okB := b.transition()
	switch {
	case !okA || !okB:
		return 0
	case !strings.EqualFold(keyA.controller, keyB.controller) || keyA.number == keyB.number:
		if callB == -1 {
			return -1
		}
		if callA == -1 {
			return 1
		}
	case keyA.number >= 0 && keyA.number < keyB.number || keyB.number == -1:
		return -1
	case keyB.number >= 0 && keyA.number > keyB.number || keyA.number == -1:
		return 1
	}
	return 0
}

// A transitionKey says which step of which plan an operation was.
type transitionKey struct {
	number     int // of the plan
	controller string
	expected   int // result
}

// transition reads the key in an operation's "magic": STATUS:RC;KEY.
func (op *HistoryOp) transition() (transitionKey, bool) {
	_, key, ok := strings.Cut(op.Magic, ";")
	if !ok {
		return transitionKey{}, false
	}
	return parseTransitionKey(key)
}

// parseTransitionKey reads ACTION:PLAN:EXPECTED:CONTROLLER.
func parseTransitionKey(s string) (transitionKey, bool) {
	step, rest, _ := strings.Cut(s, ":")
	plan, rest, _ := strings.Cut(rest, ":")
	result, controller, _ := strings.Cut(rest, ":")
	_, errA := strconv.Atoi(step)
	number, errB := strconv.Atoi(plan)
	expected, errC := strconv.Atoi(result)
	return transitionKey{number: number, controller: controller, expected: expected}, controller != "" && cmp.Or(errA, errB, errC) == nil
}

// expected returns the result that an operation should have had; -1: nobody knows.
func (op *HistoryOp) expected() int {
	if key, ok := parseTransitionKey(op.TransitionKey); ok {
		return key.expected
	}
	return -1
}

// isProbe reports whether an operation asks what runs, and expects nothing.
func (op *HistoryOp) isProbe() bool {
	interval, _ := scanInt(op.Interval)
	return interval == 0 && op.Operation == string(taskMonitor)
}

// failedForLack reports whether a probe failed because what it needs is missing
// on the node: then the resource does not run there.
func (op *HistoryOp) failedForLack() bool {
	rc, _ := scanInt(op.RC)
	status, _ := scanInt(op.Status)
	return op.isProbe() && (rc == exitNotInstalled || rc == exitInvalidParameter || status == statusNotInstalled)
}

// key returns what an operation of a resource is known by.
func (op *HistoryOp) key() string { return either(op.Key, op.ID) }

// activeRange returns the indexes of the operations that began and ended a
// resource's newest time of activity; -1: there is none.
func activeRange(ops []*HistoryOp) (start, stop int) {
	start, stop = -1, -1
	impliedByMonitor, impliedByRole := -1, -1
	for i, op := range ops {
		switch op.Operation {
		case "stop":
			if op.Status == "0" {
				stop = i
			}
		case "start", "migrate_from":
			start = i
		case "monitor":
			if impliedByMonitor <= stop && (op.RC == "0" || op.RC == "8") {
				impliedByMonitor = i
			}
		case "promote", "demote":
			impliedByRole = i
		}
	}
	if start == -1 {
		start = impliedByMonitor
		if impliedByRole != -1 {
			start = impliedByRole
		}
	}
	return start, stop
}
