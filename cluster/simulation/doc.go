// Package simulation runs whole clusters in one process on virtual time, and
// checks at every step what must always hold.
//
// Everything that decides is real: raft, the state, the lease, the controller,
// the scheduler and the executor, wired as on a machine (node.Core). Simulated
// are the networks between the machines, their clocks (which run at different
// rates), their disks, a kernel that runs resources and guards addresses, and the
// warden that kills processes.
// A world lives in a testing/synctest bubble, where an hour passes as fast as
// the processor allows.
//
// A schedule is drawn from a seed: the cluster (one node, two, two and a
// witness, three, five), how likely each kind of fault is, and then the faults
// (see faults.go). Half of the schedules are gentle: no agent dies or stands still
// without its machine; in a third a fencing device, which fails, hangs and lies at times,
// switches the machines. Then everything is repaired, and the world must come back.
//
//	S1  no two machines serve a resource at the same instant, and no more than may a
//	    clone; the end of an epoch finds its node silent. A machine whose clock stood
//	    still may, until its beats are refused
//	S2  what clients write to the configuration, and read through the log, is
//	    linearizable and takes effect once (history.go), and all machines apply the
//	    same states (audit.go)
//	S3  a machine that reaches no majority is silent after its lease; no guard is
//	    extended beyond what the acks so far can give (contacts.go)
//	S4  a resource without guard never runs on two machines
//	S5  a failed stop starts nothing elsewhere, and the state says so
//	S7  after the repair every resource runs again
//	S8  what must be refused is, and changes no byte of the state (audit.go)
//
// A violation prints its seed and the timeline. Goroutines are scheduled by the
// runtime, so a seed gives the same faults but not always the same interleaving;
// each process has one processor, so that it mostly does.
package simulation
