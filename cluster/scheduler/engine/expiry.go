package engine

import "strings"

// expired reports whether an operation's result is older than the resource's
// failure-timeout, and has the fail count cleared if all failures are ("Failure
// Handling").
func (c *cluster) expired(res *result) bool {
	if res.status == statusNotInstalled {
		return false // a person must clear it
	}
	expired, reason := c.outdated(res)
	isLast := strings.HasSuffix(res.ID, "_last_failure_0")
	if !expired && isLast && c.parametersChanged(res) {
		reason = "resource parameters have changed"
	}
	if reason != "" {
		c.clearFailCount(res.r, res.n, reason)
	}
	if expired && res.isProbe() {
		switch res.rc {
		case exitOK, exitNotRunning, exitPromoted, exitDegraded, exitDegradedPromoted:
			return false // still the best that is known of its state
		}
	}
	return expired
}

// outdated compares an operation's age with the failure-timeout. The reason, if
// any, is why the fail count is to be cleared.
func (c *cluster) outdated(res *result) (expired bool, reason string) {
	at, known := scanInt(res.LastRCChange)
	if res.r.failureTimeout <= 0 || !known {
		return false, ""
	}
	expired = c.now >= at+res.r.failureTimeout
	effective, _ := c.countFailures(res.n, res.r, true, res.HistoryOp)
	if !expired {
		c.wakeAt(at + res.r.failureTimeout)
		return false, ""
	}
	if all, _ := c.countFailures(res.n, res.r, false, res.HistoryOp); all == 0 {
		return true, ""
	}
	if effective != 0 {
		return false, "" // a younger failure keeps the count
	}
	return true, "it expired"
}

// parametersChanged reports whether a failed start or monitor was one with other
// parameters than the resource has now.
func (c *cluster) parametersChanged(res *result) bool {
	if res.Operation != "start" && res.Operation != "monitor" {
		return false
	}
	d := c.fullDigest(res.r, res.n, res.HistoryOp)
	return d == digestMismatch || d == digestRestart
}

// forgets reports whether an expired result counts as if it had never been.
func (c *cluster) forgets(res *result, original int) bool {
	switch {
	case res.failedForLack() && original != res.expected:
		if res.r.role <= roleStopped {
			res.r.role = roleUnknown
		}
		return true
	case res.rc == res.expected:
		return false // successes do not expire
	case res.interval == 0:
		return true
	case res.n.online && !res.n.unclean:
		c.outdatedMonitors[res.HistoryOp] = true // it is scheduled anew
		return true
	}
	return false
}
