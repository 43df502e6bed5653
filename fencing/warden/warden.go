// Package warden stops what a node runs when its lease is over and its agent
// cannot: it was killed, it stands still, or its disk hangs. The kernel's guard
// silences addresses; this is for processes.
//
// A warden is a second process of the same program, `quorate warden`. Agent and
// warden share a table in memory (see [table]): the agent writes the end of its
// lease there, at each renewal, and what it runs; the warden writes how it fares.
// The agent's end of it is a [Link], the warden's is [Run].
//
// When the end has passed, everything on the list is killed, last started first:
// at once when the agent has died or is stopped, else after a moment in which a
// living agent says that it stops things itself, and then when that should be done.
// Nothing is killed before. A planned restart of the agent is none of the warden's
// business: the lease is longer then (lease protocol, rule 25), and the agent that
// comes back takes the list over.
//
// What is killed is found by what it bears: a variable of its environment, an open
// file, an argument of its command line, its cgroup. A process that only has the number of
// another one is never hit: the match and the kill are of one open process.
//
// The warden also feeds the watchdog, while the lease is held or nothing needs it.
// Its loop opens no file on a disk, talks to nobody, takes no lock and allocates
// nothing; its program and its memory are locked in memory, and its threads run in
// real time, as far as it is permitted.
//
// What it cannot stop is a process that hangs in the kernel. That is for a watchdog
// or a fencing device.
package warden

import "time"

// An Entry is one resource that runs, or is about to.
type Entry struct {
	Resource string
	Traces   []Trace
	// Lapse is how long others wait for it beyond the lease.
	Lapse time.Duration
	// Watchdog is within what time after the lease's end the watchdog must have
	// fired; 0: the resource needs none.
	Watchdog time.Duration
}

// A Trace is by what something that runs is found.
type Trace struct {
	Kind Kind
	Mark string
}

// A Kind says of what a mark is a part.
type Kind uint8

// The kinds.
const (
	None        Kind = iota
	Environment      // NAME=VALUE, in the environment of each of its processes
	Argument         // one of the arguments of each of its processes
	Cgroup           // its cgroup, below the mount point of version 2
	Address          // ADDRESS/PREFIX@INDEX, on the interface of that index
	Descriptor       // path of a file that each of its processes has open as DescriptorNumber
)

// DescriptorNumber is the number of the descriptor that marks processes.
const DescriptorNumber = 199
