package engine

import "time"

// A role is what an instance is or is to be. The order matters: a greater role
// needs all that the lesser ones do.
type role int

const (
	roleUnknown role = iota
	roleStopped
	roleStarted
	roleUnpromoted
	rolePromoted
)

// A node is a cluster node with what the status says of it.
type node struct {
	*Node
	index       int               // in cluster.nodes, which is in the order of names
	attrs       map[string]string // permanent and transient ones, and #uname, #id, #kind, …
	utilization map[string]string
	capacity    map[string]int // what utilization leaves, as resources are assigned
	baseScore   int            // -INFINITY if it cannot run anything; else of node health
	priority    int            // sum of the priorities of what runs here
	assigned    int            // how many instances were assigned here so far
	given       int            // in Input.Nodes

	online      bool
	unclean     bool // its state is not known: it must be fenced
	pending     bool // it is about to join
	delayed     bool // its fencing waits for priority-fencing-delay, if it is worth that
	shutdown    bool // it was told to leave
	standby     bool
	failStandby bool // because of on-fail=standby
	maintenance bool
	expectedUp  bool

	failures  map[string]failures // by resource: what its attributes count
	histories map[string]*History // by resource
}

// A weight is how much a resource likes one node.
type weight struct {
	score   int
	count   int32 // instances of a collective assigned there
	present bool  // the node is among the allowed ones at all
	probe   discovery
}

// A table has a weight for every node, by its index; nil: there is none yet.
type table []weight

// A discovery says where the state of a resource is probed.
type discovery uint8

const (
	discoverAlways discovery = iota
	discoverNever
	discoverExclusive
)

// An onFail is what follows from a failure; the greatest one of several counts.
type onFail int

const (
	onFailIgnore onFail = iota
	onFailDemote
	onFailRestart
	onFailRestartContainer
	onFailBan
	onFailBlock
	onFailStop
	onFailStandby
	onFailFence
)

// A multipleActive policy says what is done with what runs more often than it should.
type multipleActive int

const (
	multipleRestart multipleActive = iota
	multipleStop
	multipleBlock
	multipleUnexpected
)

// A resource is a primitive, group or clone, or an instance of one in a clone.
type resource struct {
	*Resource
	id       string // with the number in a clone: db:0
	number   int    // in the clone; -1: in none
	kind     Kind
	parent   *resource   // nil: at the top
	children []*resource // members or instances
	meta     map[string]string

	// Configuration, read from meta.
	priority        int // changes while promotable instances are ranked
	stickiness      int
	threshold       int   // migration-threshold
	failureTimeout  int64 // seconds; 0: never
	multiple        multipleActive
	utilization     map[string]int
	critical        bool
	unique          bool // not an anonymous instance
	promotable      bool
	migratable      bool
	fenceDevice     bool
	needsQuorum     bool
	needsFencing    bool
	needsUnfencing  bool
	exclusiveProbes bool
	ordered         bool // of a clone: its instances; of a group: its members
	colocated       bool // of a group
	cloneMax        int
	cloneNodeMax    int
	promotedMax     int
	promotedNodeMax int

	// State, read from the history.
	managed        bool
	maintenance    bool
	blocked        bool
	failed         bool
	stopIfFailed   bool // recover a failure by a stop
	ignoreFailure  bool
	removed        bool // has a history, but no configuration (any more)
	startPending   bool
	stopUnexpected bool
	role           role    // now; Pacemaker's orig_role
	nextRole       role    // wanted
	active         []*node // in the order they were found
	probed         []bool  // by node: whether its state there is known
	historyID      string  // an instance's id in the history, if it is another
	pendingTask    string
	pendingNode    *node
	migratingFrom  *node // of a migration under way
	migratingTo    *node
	dangling       []*node     // sources of migrations whose stop is missing
	lockNode       *node       // of a shutdown lock
	container      *resource   // what it runs inside of
	contained      []*resource // what runs inside of it

	// Placement.
	allowed           table
	locations         []*location
	bound             *tally        // what it and its dependents add to what they must run with; nil: not known
	thisWith          []*colocation // in which it is the dependent, by the primary's priority
	withThis          []*colocation // in which it is the primary, by the dependent's priority
	assignedNode      *node
	assignedScore     int
	unassigned        bool
	assigning         bool
	favoured          *node // taken first among equals (quiet)
	tie               Tie   // what decided between equals (quiet)
	updating          bool  // its scores are being merged: guards against circles
	promotionPriority int
	promotionAdded    bool
	promotionSorted   bool

	// Actions.
	actions    []*action // in the order they were made
	restarting bool
	reload     bool

	notes  []note // what its scores are made of
	before past   // what it was before the decision
	after  []stay // where it will be once the plan is done
}

// A cluster is an input made ready, and the decision in the making.
type cluster struct {
	in         *Input
	now        int64 // seconds since 1970
	properties map[string]string

	nodes     []*node     // by name
	resources []*resource // at the top: by priority, then as written
	byID      map[string]*resource
	dc        *node

	quorate           bool
	noQuorum          noQuorumPolicy
	fencing           bool // fencing-enabled
	haveFencing       bool // there is a device
	fenceAction       string
	concurrentFencing bool
	startupFencing    bool
	startupProbes     bool
	unfencing         bool
	stopAll           bool
	symmetric         bool
	stopRemoved       bool
	cancelRemoved     bool
	maintenanceMode   bool
	shutdownLock      bool
	shutdownLockLimit int64 // seconds
	priorityDelay     int64 // seconds
	pendingTimeout    int64 // seconds; 0: none
	placement         string
	oneByOne          bool // tests only: sum up no bound resources
	health            health

	locations []*location
	apart     []*colocation // what must not run together
	orderings []ordering
	probes    []probeOrder // kept apart, because there are so many
	probesAt  int          // how many orderings come before them

	remembered       map[string][]*resource // by the id in a history
	outdatedMonitors map[*HistoryOp]bool    // whose failure has expired

	scratch    scratch
	actions    []*action // in the order they were made
	slab       []action  // where the next ones go
	seen       []*action // while probes are ordered
	singletons map[string]*action
	orderIDs   map[[2]*resource]string // of order constraints
	problems   []string
	next       time.Time // see Outcome.Next
}

// A health says what a node's health attributes are worth.
type health struct {
	strategy                 string
	red, yellow, green, base int
}

// A noQuorumPolicy says what is done without quorum.
type noQuorumPolicy int

const (
	noQuorumStop noQuorumPolicy = iota
	noQuorumFreeze
	noQuorumIgnore
	noQuorumFence
	noQuorumDemote
)
