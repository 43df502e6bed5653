package ocf

import (
	"fmt"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Actions of the API.
const (
	actionStart    = "start"
	actionStop     = "stop"
	actionMonitor  = "monitor"
	actionMetadata = "meta-data"
	actionValidate = "validate-all"
	actionReload   = "reload-agent"
	actionPromote  = "promote"
	actionDemote   = "demote"
	actionNotify   = "notify"
)

// Exit statuses ("OCF Return Codes"; 190 and 191 came with version 1.1).
const (
	exitOK                = 0
	exitInvalidParameter  = 2
	exitUnimplemented     = 3
	exitInsufficient      = 4
	exitNotInstalled      = 5
	exitNotConfigured     = 6
	exitNotRunning        = 7
	exitPromoted          = 8
	exitFailedPromoted    = 9
	exitDegraded          = 190
	exitDegradedPromoted  = 191
	exitKilled            = -1 // by a signal that was not ours
	exitCannotBeRun       = 126
	exitCommandWasMissing = 127
)

var exitNames = map[int]string{
	1: "error", exitInvalidParameter: "invalid parameter", exitUnimplemented: "action is not implemented",
	exitInsufficient: "insufficient privileges", exitNotInstalled: "something it needs is not installed",
	exitNotConfigured: "not configured", exitNotRunning: "not running", exitPromoted: "promoted",
	exitFailedPromoted: "failed while promoted", exitDegraded: "degraded", exitDegradedPromoted: "promoted and degraded",
	exitKilled: "it was killed", exitCannotBeRun: "a program could not be run", exitCommandWasMissing: "a command was not found",
}

// An end is how a run of a script ended.
type end struct {
	code   int
	words  string // the last that it said, in one line
	output []byte // the beginning of its standard output
}

// said tells of the end in one line: the last words, and the status.
func (e *end) said() string {
	name := exitNames[e.code]
	if name == "" {
		name = "unknown"
	}
	status := fmt.Sprintf("exit status %d: %s", e.code, name)
	if e.code == exitKilled {
		status = name
	}
	if e.words == "" {
		return status
	}
	return fmt.Sprintf("%s (%s)", e.words, status)
}

// ban returns where another try would end the same. A status that nobody knows
// is a soft error.
func (e *end) ban() pb.Ban {
	switch e.code {
	case exitInvalidParameter, exitUnimplemented, exitInsufficient, exitNotInstalled:
		return pb.Ban_BAN_NODE
	case exitNotConfigured:
		return pb.Ban_BAN_CLUSTER
	default:
		return pb.Ban_BAN_UNSPECIFIED
	}
}

func (e *end) fault(action string) *resources.Fault {
	return &resources.Fault{Text: action + ": " + e.said(), Ban: e.ban()}
}

// found reads the end of a monitor. A probe that lacks what the resource needs
// has found that it does not run here, and cannot.
func (e *end) found(probe bool) (resources.State, error) {
	switch e.code {
	case exitOK, exitDegraded:
		return resources.Running, nil
	case exitPromoted, exitDegradedPromoted:
		return resources.Promoted, nil
	case exitFailedPromoted:
		return resources.FailedPromoted, e.fault(actionMonitor)
	case exitNotRunning:
		return resources.Stopped, nil
	case exitInvalidParameter, exitInsufficient, exitNotInstalled:
		if probe {
			return resources.Stopped, e.fault(actionMonitor)
		}
	}
	return resources.Failed, e.fault(actionMonitor)
}
