package state

import (
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// An Option is a name that people may set: a cluster property, a meta
// attribute of resources, or an option of operations.
type Option struct {
	Name    string
	Default string
	Type    string // what values look like, for people
	Summary string

	check func(string) (canonical string, err error)
}

const (
	ofCluster    = pb.OptionScope_OPTION_SCOPE_CLUSTER
	ofResources  = pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS
	ofOperations = pb.OptionScope_OPTION_SCOPE_OPERATION_DEFAULTS

	// ofClones has what clones take beside what resources do. It has no defaults
	// that people could set.
	ofClones pb.OptionScope = -1
)

// options are all names that may be set, by scope, sorted. What is not here is
// refused: a setting that nothing obeys would be a lie.
var options = map[pb.OptionScope][]Option{
	ofCluster: {
		{"cluster-recheck-interval", "15min", "duration", "accepted; what time alone changes is planned for in time", checkDuration},
		{"dead-voter-timeout", "0", "duration", "after this time without a sign a voter loses its vote until it is back; 0: never", checkDuration},
		{"fencing", "stop", fencingWords, "when the resources of a node that is gone may start elsewhere", checkFencing},
		{"maintenance-mode", "false", "boolean", "leave everything that runs alone", checkBool},
		{"min-voters", "configured", "configured, or 1 to 7", "how many living voters it takes for a dead one to lose its vote", checkMinVoters},
		{"no-quorum-policy", "stop", "stop, ignore", "a node without quorum stops all it runs; ignore: one of two nodes goes on alone", checkNoQuorum},
		{"placement-strategy", "default", "default, utilization, minimal, balanced", "whether what nodes have to give bounds what runs there, and how it is spread", oneOf("default", "utilization", "minimal", "balanced")},
		{"priority-fencing-delay", "2s", "duration", "in a pair, how long the node that runs less waits before it fences its peer", checkDuration},
		{"profile", "lan", "fast, lan, wan", "how fast the cluster is, all its timers in one; a node runs it from its next start on", checkProfile},
		{"quorum.ping", "", "addresses", "hosts outside the cluster, at most 8; a node that reaches none of them is cut off", checkPingTargets},
		{"restart-lease", "10s", "0, or 1s to 1min", "how long a node's agent may take to restart while what it serves goes on; 0: it does not", checkRestartLease},
		{"start-failure-is-fatal", "true", "boolean", "a failed start bans the node until a cleanup", checkBool},
		{"stop-all-resources", "false", "boolean", "stop everything that is managed", checkBool},
		{"symmetric-cluster", "true", "boolean", "resources may run anywhere unless a constraint says otherwise", checkBool},
		{"watchdog-timeout", "10s", "2s to 10min", "with fencing=watchdog, how long after its lease a node may take to be reset by its watchdog", checkWatchdogTimeout},
	},
	ofResources: {
		{"critical", "true", "boolean", "whether what it must run with moves for its sake, too", checkBool},
		{"failback", "score", "score, manual, auto, delay DURATION, window [DAYS] HH:MM-HH:MM", "when to return to a better node", checkFailback},
		{"failure-timeout", "0", "duration", "after this time a failure is forgotten; 0: never", checkDuration},
		{"fencing", "cluster", "cluster, " + fencingWords, "as the property of this name; cluster: as that says", checkOwnFencing},
		{"is-managed", "true", "boolean", "may be started and stopped by the cluster", checkBool},
		{"maintenance", "false", "boolean", "left alone, whatever becomes of it", checkBool},
		{"migration-threshold", "INFINITY", "count", "after so many failures it leaves the node", checkCount},
		{"multiple-active", "stop_unexpected", "stop_unexpected", "what is active on several nodes stops everywhere but where it belongs", checkOnly("stop_unexpected")},
		{"priority", "0", "score", "which resources run first where not all can", checkScore},
		{"resource-stickiness", "0", "score", "how much it prefers to stay where it is", checkScore},
		{"target-role", "Started", "Started, Stopped, Promoted, Unpromoted", "what the cluster shall keep it; Unpromoted: nothing of it is promoted", checkTargetRole},
	},
	ofClones: {
		{"clone-max", "INFINITY", "count", "on how many nodes it runs at once; INFINITY: on all", checkCount},
		{"clone-node-max", "1", "1", "how many instances a node runs", checkCloneNodeMax},
		{"globally-unique", "false", "false", "whether instances are told apart by a number", checkGloballyUnique},
		{"interleave", "false", "boolean", "what is ordered after another clone waits for its instance on the same node alone", checkBool},
		{"notify", "false", "boolean", "whether agents are told of what happens to other instances", checkBool},
		{"ordered", "false", "boolean", "instances start one after the other", checkBool},
		{"promotable", "false", "boolean", "whether instances are promoted", checkBool},
		{"promoted-max", "1", "count", "on how many nodes it may be promoted at once", checkCount},
		{"promoted-node-max", "1", "1", "how many instances on a node may be promoted", checkOnly("1")},
	},
	ofOperations: {
		{"OCF_CHECK_LEVEL", "0", "count", "how deep a script's monitor looks; built-in kinds have one depth", checkCount},
		{"enabled", "true", "boolean", "whether a recurring monitor runs", checkBool},
		{"interval", "0", "duration", "of a recurring monitor", checkDuration},
		{"on-fail", "restart", strings.Join(failWords, ", "), "what a failure leads to; of a stop, if it is not set, the policy of fencing says", checkOnFail},
		{"record-pending", "true", "boolean", "accepted; operations under way are always shown", checkBool},
		{"role", "Started", "Started, Promoted, Unpromoted", "in which role a monitor runs", checkMonitorRole},
		{"start-delay", "0", "duration", "how long after a start a recurring monitor begins", checkDuration},
		{"timeout", "20s", "duration", "how long an operation may take", checkDuration},
	},
}

// aliases are other spellings, from Pacemaker and tutorials, of a name and its
// values.
var aliases = map[pb.OptionScope]map[string]struct {
	name    string
	convert func(string) (string, error)
}{
	ofCluster: {
		"fencing-enabled":          {"fencing", convertStonith},
		"stonith-enabled":          {"fencing", convertStonith},
		"fencing-watchdog-timeout": {"watchdog-timeout", checkWatchdogTimeout},
		"stonith-watchdog-timeout": {"watchdog-timeout", checkWatchdogTimeout},
	},
	ofClones: {"master-max": {"promoted-max", checkCount}, "master-node-max": {"promoted-node-max", checkOnly("1")}},
}

// Options returns the names that may be set in a scope, sorted.
func Options(scope pb.OptionScope) []Option {
	return slices.Clone(options[scope])
}

// Property returns a cluster property as set, or its default.
func Property(s *pb.State, name string) string {
	if v, ok := s.GetProperties()[name]; ok {
		return v
	}
	return fallback(ofCluster, name)
}

// RestartLease is how long a lease lasts that bridges the restart of an agent; 0:
// none does.
func RestartLease(s *pb.State) time.Duration {
	d, err := ParseDuration(Property(s, "restart-lease"))
	if err != nil {
		return 0 // not checked in: nothing is bridged
	}
	return d
}

// Meta returns a meta attribute of a resource: its own, its group's, its clone's,
// the cluster's default for resources, or ours.
func Meta(s *pb.State, resource, name string) string {
	for _, from := range []map[string]string{
		ResourceByID(s, resource).GetMeta(), GroupOf(s, resource).GetMeta(), CloneOf(s, resource).GetMeta(), s.GetResourceDefaults(),
	} {
		if v, ok := from[name]; ok {
			return v
		}
	}
	return fallback(ofResources, name)
}

// OperationDefault returns a default for operations as set, or ours.
func OperationDefault(s *pb.State, name string) string {
	if v, ok := s.GetOperationDefaults()[name]; ok {
		return v
	}
	return fallback(ofOperations, name)
}

func fallback(scope pb.OptionScope, name string) string {
	for _, o := range options[scope] {
		if o.Name == name {
			return o.Default
		}
	}
	return ""
}
