package engine

// remap finds out what an operation's result means: whether it is a failure, and
// how bad a one, depends on what was expected.
func (c *cluster) remap(res *result, said *reading, expired bool) {
	switch res.rc {
	case exitDegraded:
		res.rc = exitOK
	case exitDegradedPromoted:
		res.rc = exitPromoted
	}
	if res.failedForLack() && (res.status != statusDone || res.rc != exitNotRunning) {
		res.status, res.rc = statusDone, exitNotRunning
	}
	switch res.status {
	case statusDone, statusError:
	case statusNoFenceDevice, statusNoSecrets:
		res.status = statusErrorHard
		return
	default:
		return
	}
	res.status = statusError
	if res.expected >= 0 && res.rc == res.expected {
		res.status = statusDone
	}
	c.remapCode(res, said, expired)
}

func (c *cluster) remapCode(res *result, said *reading, expired bool) {
	switch res.rc {
	case exitOK:
		if res.isProbe() && res.expected == exitNotRunning {
			res.status = statusDone // a probe found it active
		}
	case exitNotRunning:
		if res.isProbe() || res.expected == res.rc || !res.r.managed {
			res.status = statusDone
			res.r.role = roleStopped
			said.failure = onFailIgnore
			res.r.nextRole = roleUnknown
		}
	case exitPromoted:
		if res.isProbe() && res.rc != res.expected {
			res.status = statusDone
		}
		if !expired || res.rc == res.expected {
			res.r.role = rolePromoted
		}
	case exitFailedPromoted:
		if !expired {
			res.r.role = rolePromoted
		}
		res.status = statusError
	case exitNotConfigured:
		res.status = statusErrorFatal
	case exitUnimplemented:
		if res.interval > 0 {
			res.status = statusNotSupported
			return
		}
		c.hardError(res, expired)
	case exitNotInstalled, exitInvalidParameter, exitInsufficient:
		c.hardError(res, expired)
	default:
		if res.status == statusDone {
			res.status = statusError // nobody knows what it means
		}
	}
}

// hardError reads a result that will not change on this node by itself. A stop
// that ends so can be put right by fencing only.
func (c *cluster) hardError(res *result, expired bool) {
	if !expired && res.Operation == "stop" && !c.canFence(res.n) {
		res.r.block()
	}
	res.status = statusErrorHard
}
