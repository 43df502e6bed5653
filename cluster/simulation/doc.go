// Package simulation runs whole clusters in one process on virtual time, and
// checks at every step what must always hold.
//
// Everything that decides is real: raft, the state, the lease, the controller,
// the scheduler and the executor, wired as on a machine (node.Core). Simulated
// are the network between the machines, their clocks (which run at different
// rates), their disks, and a kernel that runs resources and guards addresses.
// A world lives in a testing/synctest bubble, where an hour passes as fast as
// the processor allows.
//
// A schedule is drawn from a seed: crashes, power cuts, restarts, freezes
// (random ones, and before a chosen step), links cut in one or both
// directions, delay and loss. Then everything is repaired, and the world must
// come back.
//
//	S1  no two machines serve a resource at the same instant
//	S2  what was acknowledged is there after the repair
//	S3  a machine that reaches no majority is silent after its lease
//	S4  a resource without guard never runs on two machines, unless its agent was killed
//	S7  after the repair every resource runs again
//
// A violation prints its seed and the timeline. Goroutines are scheduled by the
// runtime, so a seed gives the same faults but not always the same interleaving.
package simulation
