package engine

import "time"

// Outcome is a decision.
type Outcome struct {
	Instances []Instance // of primitives, in the order of the resources
	Nodes     []NodeOutcome
	Fenced    []Fencing
	Actions   []Action // what changes, a line a resource
	Steps     []Step   // all that is done, each after what it waits for
	Problems  []string // sentences
	// Next is the earliest later time at which the decision may be another one
	// although nothing happens: a date of a rule, a failure-timeout, another
	// limit. Zero: there is none.
	Next time.Time
}

// Instance is one primitive, or one instance of it in a clone.
type Instance struct {
	Resource      string // the primitive's id
	Number        int    // in its clone; -1: in none
	Unique        bool   // told from its siblings by the number
	Parent        string // id of the resource at the top; its own if that is none
	Removed       bool   // it is not configured any more
	Before, After []Place
	Scores        []NodeScore // by node
	Reason        string      // the deciding one, a sentence
}

// Place is a node and the role there.
type Place struct {
	Node, Role string
}

// NodeScore is what a node is worth to an instance, and why.
type NodeScore struct {
	Node    string
	Score   int
	Reasons []Reason // in the order they were counted
}

// Reason is one part of a score.
type Reason struct {
	Score  int
	Source string // id of a constraint, or a word for what else it comes from
	Text   string // a clause that says what that is; empty for constraints
}

// NodeOutcome is what a node is found to be.
type NodeOutcome struct {
	Name  string
	State string // online, offline, unclean, standby, pending, maintenance
}

// Fencing is a node that is fenced.
type Fencing struct {
	Node, How, Reason string
	Delay             int64 // seconds (priority-fencing-delay)
}

// Action is what happens to one instance, as people say it.
type Action struct {
	Action           string // start, stop, move, migrate, restart, recover, reload, promote, demote, re-promote, fence
	Resource         string
	Number           int
	From, To         string
	FromRole, ToRole string // where roles matter
	Node, How        string // of a fencing
	Reason           string
	Blocked          bool // it cannot be carried out
}

// Step is one operation.
type Step struct {
	Operation string
	Resource  string // with the number in a clone
	Node      string
	Pseudo    bool  // nothing is executed
	After     []int // indexes of the steps it waits for
	Reason    string
}
