// Package lab runs whole clusters on one machine, for demonstrations, tests
// and measurements: every node is a set of namespaces of its own, with its own
// network card, processes, disk and power switch.
//
// A lab is a tree of processes:
//
//	keeper       outside; starts the supervisor and removes the lab's files after it
//	supervisor   first process of the lab's namespaces; owns the bridges, the
//	             power switches and the meter
//	host's init  first process of one host; runs its agent and what [Lab.Exec] asks
//
// It promises that nothing outside its namespaces is touched (the machine's
// file systems are read-only within, but for /tmp and the lab's own directory)
// and that all of it is gone when the supervisor is, however it ended: the
// kernel kills what lives in its process namespace, and the keeper removes the
// files. It needs root or user namespaces, and nothing else.
//
// What it measures it measures from outside the nodes: a [Prober] in the client's
// namespace asks as a client would, and a meter on every node's cable asks who
// answers for an address.
package lab
