package engine

import "time"

// Input is all that a decision depends on. Strings that Pacemaker interprets
// (scores, booleans, durations, roles) are kept as they were written: what they
// mean, also if they are wrong, is for this package to say.
type Input struct {
	Now           time.Time
	Quorate       bool    // have-quorum
	NoQuorumPanic bool    // nodes without quorum are fenced although there never was one
	FeatureSet    string  // crm_feature_set: the version of what wrote the status
	DC            string  // id of the designated controller, the value behind #is_dc
	Quiet         bool    // nothing leaves a node for one that is just as good: see quiet.go
	Properties    []Block // cluster options

	ResourceDefaults  []Block
	OperationDefaults []Block

	Nodes     []Node
	Resources []Resource // at the top level, as written; templates are resolved

	Locations   []Location // constraints as written; tags and templates are resolved to sets
	Colocations []Colocation
	Orders      []Order

	Topology []FencingLevel
}

// Block is one set of name-value pairs. Of several that set one name, the one
// with the greatest score wins, and then the last.
type Block struct {
	ID     string
	Score  string
	Rule   *Rule // nil: always holds
	Values []Value
}

// Value is a name-value pair.
type Value struct{ Name, Value string }

// Rule is a condition on a node, a time or an operation ("Rules").
type Rule struct {
	ID             string
	Or             bool   // boolean-op
	Score          string // of a location
	ScoreAttribute string // the node attribute that has the score
	Role           string // of a location
	Conditions     []Condition
}

// Condition is one part of a rule; exactly one field is set.
type Condition struct {
	Rule      *Rule
	Attribute *AttributeCondition
	Date      *DateCondition
	Resource  *ResourceCondition
	Operation *OperationCondition
}

// AttributeCondition is an `expression` element.
type AttributeCondition struct {
	Attribute, Operation, Value, Type, ValueSource string
}

// DateCondition is a `date_expression`. Spec and Duration hold the attributes of
// the date_spec and duration elements: years, months, weekdays, hours and so on.
type DateCondition struct {
	Operation, Start, End string
	Spec, Duration        map[string]string
}

// ResourceCondition is an `rsc_expression`.
type ResourceCondition struct{ Class, Provider, Type string }

// OperationCondition is an `op_expression`.
type OperationCondition struct{ Name, Interval string }

// Node is a node that is configured or has a history.
type Node struct {
	ID, Name    string
	Kind        string  // type: member, or empty; ping, remote
	Score       string  // of the node itself, for every resource
	Attributes  []Block // permanent ones
	Transient   []Block // until the node restarts
	Utilization []Block
	State       *NodeState // nil: nothing was ever seen of it
	History     []History  // by resource
}

// NodeState is a node_state element.
type NodeState struct {
	Name                                string // empty: the node has not introduced itself yet
	Position                            int    // in the status; histories are read in this order
	InCCM, Crmd, Join, Expected, Fenced string
	InMaintenance, Unfenced             string
}

// Kind says what a resource is.
type Kind int

// Kinds of resources.
const (
	Primitive Kind = iota
	Group
	Clone // promotable ones too: cib sets promotable=true in the Meta of a `master`
)

// Resource is a configured resource, with what is inside it.
type Resource struct {
	ID                    string
	Kind                  Kind
	Class, Provider, Type string // of a primitive

	Meta        []Block
	Parameters  []Block // instance attributes
	Utilization []Block
	Operations  []Operation
	Members     []Resource // of a group, in order; of a clone, one
}

// Operation is a configured operation. Options are the attributes of the op
// element (role, timeout, on-fail, enabled, start-delay, …) except these.
type Operation struct {
	ID, Name, Interval string
	Options            []Value
	Meta               []Block
	Parameters         []Block
}

// ResourceSet is one set of a constraint.
type ResourceSet struct {
	ID                                  string
	Resources                           []string
	Sequential, RequireAll              string
	Action, Role, Score, Ordering, Kind string
}

// Location says how much a resource likes nodes. Either Node with Score, or
// Rules. Exactly one of Resource, Pattern and Sets says of what.
type Location struct {
	ID        string
	Resource  string
	Pattern   string // a regular expression; with a leading ! it is negated
	Sets      []ResourceSet
	Node      string
	Score     string
	Role      string
	Discovery string // resource-discovery
	Rules     []Rule
	Text      string // a clause that says why, for those that nobody configured
}

// Colocation places Dependent with Primary, or a list of sets (each with the
// one before it).
type Colocation struct {
	ID                                 string
	Score                              string
	Dependent, DependentRole           string
	DependentInstance, PrimaryInstance string
	Primary, PrimaryRole               string
	NodeAttribute                      string
	Influence                          string
	Sets                               []ResourceSet
}

// Order lets Then happen after First, or a list of sets in their order.
type Order struct {
	ID                          string
	First, FirstAction          string
	FirstInstance, ThenInstance string
	Then, ThenAction            string
	Kind, Score                 string // score is the old way to say kind
	Symmetrical, RequireAll     string
	Sets                        []ResourceSet
}

// FencingLevel is one level of a node's fencing topology.
type FencingLevel struct {
	ID                                            string
	Target, Pattern, TargetAttribute, TargetValue string
	Index                                         string
	Devices                                       []string
}

// History is what one node remembers of one resource, configured or not.
type History struct {
	Resource              string // with an instance number, where it has one
	Class, Provider, Type string
	Container             string
	ShutdownLock          string // seconds since 1970
	Ops                   []HistoryOp
	Active                bool // it runs there, says a caller that keeps no operations
	Promoted              bool // and is promoted
}

// HistoryOp is a lrm_rsc_op. Numbers are as written; an empty one is 0.
type HistoryOp struct {
	ID            string
	Key           string // operation_key, e.g. db_monitor_10000
	Operation     string
	Interval      string // ms
	CallID        string
	RC, Status    string // rc-code, op-status
	Magic         string // transition-magic
	TransitionKey string
	LastRun       string // seconds since 1970
	LastRCChange  string
	OnNode        string
	MigrateSource string
	MigrateTarget string
	ExitReason    string

	Digest, RestartDigest, SecureDigest string
	ForceRestart                        string // names of parameters, with spaces between
	SecureParams                        string // likewise
	FeatureSet                          string // crm_feature_set; empty: that of the whole status
}
