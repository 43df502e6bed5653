package engine

// What an agent says of an operation ("OCF Return Codes").
const (
	exitOK               = 0
	exitInvalidParameter = 2
	exitUnimplemented    = 3
	exitInsufficient     = 4
	exitNotInstalled     = 5
	exitNotConfigured    = 6
	exitFailedPromoted   = 9
	exitDegraded         = 190
	exitDegradedPromoted = 191
	exitUnknown          = 193 // the operation is under way
	exitMax              = 255
)

// What the executor says of an operation. A hard error keeps the resource from
// the node, a fatal one from every node.
const (
	statusPending = iota - 1
	statusDone
	statusCanceled
	statusTimeout
	statusNotSupported
	statusError
	statusErrorHard
	statusErrorFatal
	statusNotInstalled
	statusNotConnected
	statusInvalid
	statusNoFenceDevice
	statusNoSecrets
)

// A result is one operation of a history as it is read.
type result struct {
	*HistoryOp
	r        *resource
	n        *node
	interval int64 // ms
	rc       int
	status   int
	expected int
}

// A reading is what the operations read so far say of a resource on a node.
type reading struct {
	lastFailure *HistoryOp
	failure     onFail // that nothing has made good yet
}

// unpackOperations reads a resource's operations on a node, the oldest first,
// and returns what is to be done about its failures.
func (c *cluster) unpackOperations(r *resource, n *node, ops []*HistoryOp) onFail {
	var said reading
	for _, op := range ops {
		res := result{HistoryOp: op, r: r, n: n}
		if res.read() {
			c.unpackOperation(&res, &said)
		}
	}
	return said.failure
}

// read reads the numbers of an operation; false: it says nothing of the
// resource's state.
func (res *result) read() bool {
	op := res.HistoryOp
	switch op.Operation {
	case "monitor", "start", "stop", "promote", "demote", "migrate_to", "migrate_from", "asyncmon":
	default:
		return false
	}
	status, okStatus := scanInt(op.Status)
	rc, okRC := scanInt(op.RC)
	if op.ID == "" || !okStatus || status < statusPending || status > statusNoSecrets || status == statusCanceled || !okRC || rc < 0 || rc > exitMax {
		return false
	}
	interval, _ := scanInt(op.Interval)
	res.interval, res.rc, res.status, res.expected = max(interval, 0), int(rc), int(status), op.expected()
	return true
}

func (c *cluster) unpackOperation(res *result, said *reading) {
	expired := c.expired(res)
	original := res.rc
	c.remap(res, said, expired)
	switch {
	case expired && c.forgets(res, original):
		return
	case res.failedForLack():
		c.maskProbe(res, said)
		return
	}
	switch res.status {
	case statusPending:
		c.unpackPending(res, said)
	case statusDone:
		c.unpackDone(res, res.rc, said)
	case statusNotInstalled:
		c.unpackNotInstalled(res, said)
	default:
		c.unpackFailed(res, said)
	}
}

// maskProbe reads a probe that found what the resource needs missing: it does
// not run there, and cannot.
func (c *cluster) maskProbe(res *result, said *reading) {
	c.unpackDone(res, res.expected, said)
	c.like(res.r.bannedWhole(), res.n, -infinity, "probe-failure")
}

// bannedWhole returns what a node is closed to when an instance cannot run
// there: all of an anonymous clone.
func (r *resource) bannedWhole() *resource {
	if r.unique {
		return r
	}
	return r.top()
}

// unpackDone reads an operation that ended with a result that counts as success.
func (c *cluster) unpackDone(res *result, rc int, said *reading) {
	r, madeGood := res.r, false
	switch {
	case rc == exitNotInstalled || res.failedForLack():
		r.role = roleStopped
	case rc == exitNotRunning:
		madeGood = true
	case res.Operation == "monitor":
		madeGood = said.lastFailure != nil && res.key() == said.lastFailure.key()
		r.setActive()
	case res.Operation == "start", res.Operation == "migrate_from":
		r.role, madeGood = roleStarted, true
	case res.Operation == "stop":
		r.role, madeGood = roleStopped, true
	case res.Operation == "promote":
		r.role, madeGood = rolePromoted, true
	case res.Operation == "demote":
		r.role, madeGood = roleUnpromoted, said.failure == onFailDemote
	case res.Operation == "migrate_to":
		c.unpackMigrateTo(res)
	default:
		r.setActive()
	}
	if !madeGood {
		return
	}
	switch said.failure {
	case onFailStop, onFailBan, onFailStandby, onFailFence:
		// Success afterwards does not undo these.
	default:
		said.failure = onFailIgnore
		r.nextRole = roleUnknown
	}
}

// setActive makes a resource one that runs, if it is not known in which role.
func (r *resource) setActive() {
	switch {
	case r.role >= roleStarted:
	case r.top().promotable:
		r.role = roleUnpromoted
	default:
		r.role = roleStarted
	}
}

// unpackPending reads an operation that is under way.
func (c *cluster) unpackPending(res *result, said *reading) {
	if res.failedSince(said.lastFailure) {
		return
	}
	r := res.r
	switch {
	case res.Operation == "start":
		r.startPending = true
		r.role = roleStopped
		r.setActive()
	case res.Operation == "promote":
		r.role = rolePromoted
	case res.Operation == "migrate_to" && res.n.unclean:
		if target := c.nodeNamed(res.MigrateTarget); target != nil {
			c.stopAction(r, target, false)
		}
	}
	if r.pendingTask == "" && !res.isProbe() {
		r.pendingTask, r.pendingNode = res.Operation, res.n
	}
}

// failedSince reports whether a failure is that of the same operation and newer:
// then it is not under way any more.
func (res *result) failedSince(failure *HistoryOp) bool {
	if failure == nil || failure.Operation != res.Operation {
		return false
	}
	interval, ok := scanInt(failure.Interval)
	at, okAt := scanInt(res.LastRCChange)
	failedAt, okFailed := scanInt(failure.LastRCChange)
	return ok && interval == res.interval && (okAt || res.LastRCChange == "") && (okFailed || failure.LastRCChange == "") && failedAt >= at
}

func (c *cluster) unpackNotInstalled(res *result, said *reading) {
	policy, role := c.failurePolicy(res)
	if policy == onFailIgnore {
		said.failure = onFailBan // what is not there cannot be ignored
	}
	c.like(res.r.bannedWhole(), res.n, -infinity, "hard-error")
	c.recordFailure(res, policy, role, said)
}

func (c *cluster) unpackFailed(res *result, said *reading) {
	policy, role := c.failurePolicy(res)
	if policy == onFailIgnore || policy == onFailRestartContainer && res.Operation == "stop" {
		c.unpackDone(res, res.expected, said)
		res.r.ignoreFailure = true
		if policy == onFailRestartContainer && said.failure <= onFailRestart {
			said.failure = policy
		}
		return
	}
	c.recordFailure(res, policy, role, said)
	switch res.status {
	case statusErrorHard:
		c.like(res.r.bannedWhole(), res.n, -infinity, "hard-error")
	case statusErrorFatal:
		c.like(res.r.bannedWhole(), nil, -infinity, "fatal-error")
	}
}

// failurePolicy returns what an operation's definition wants done about a
// failure, and the greatest role that it leaves the resource.
func (c *cluster) failurePolicy(res *result) (onFail, role) {
	meta := c.actionMeta(res.r, res.Operation, res.interval)
	policy := c.parseOnFail(res.r, res.Operation, meta["on-fail"])
	switch {
	case policy == onFailStop:
		return policy, roleStopped
	case res.Operation == "promote":
		return policy, roleUnpromoted
	}
	return policy, roleStarted
}

// recordFailure reads a failed operation: the resource may still be active.
func (c *cluster) recordFailure(res *result, policy onFail, role role, said *reading) {
	r := res.r
	said.lastFailure = res.HistoryOp
	said.failure = max(said.failure, policy)
	switch res.Operation {
	case "stop":
		c.like(r, res.n, -infinity, "stop-failed")
	case "migrate_to":
		c.unpackFailedMigrateTo(res)
	case "migrate_from":
		c.unpackFailedMigrateFrom(res)
	case "promote":
		r.role = rolePromoted
	case "demote":
		r.failedDemote(res.rc, policy)
	}
	if res.isProbe() && res.rc == exitNotInstalled {
		r.role = roleStopped
	} else {
		r.setActive()
	}
	if role != roleStarted && r.nextRole < role {
		r.nextRole = role
	}
	if role == roleStopped {
		c.banFailed(r)
	}
}

// failedDemote sets the role after a failed demotion. It counts as demoted,
// since the recovery stops it anyhow, unless it is to be left alone.
func (r *resource) failedDemote(rc int, policy onFail) {
	switch {
	case policy == onFailBlock:
		r.role, r.nextRole = rolePromoted, roleStopped
	case rc == exitNotRunning:
		r.role = roleStopped
	default:
		r.role = roleUnpromoted
	}
}

// banFailed keeps a resource from running at all (on-fail=stop); of an anonymous
// clone every instance.
func (c *cluster) banFailed(r *resource) {
	if top := r.top(); top.anonymous() {
		r = top
	}
	c.banEverywhere(r)
}
