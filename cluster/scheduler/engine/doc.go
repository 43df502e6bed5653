// Package engine holds Pacemaker's scheduling semantics: what a cluster's
// configuration and its nodes' histories mean, where each resource belongs, and
// which actions lead there in which order.
//
// [Run] maps an [Input] to an [Outcome]. It is pure: no clock, no I/O, no
// randomness, no goroutine; equal inputs give equal outcomes, whatever the
// order of what has none (nodes, histories, attribute sets of other scores).
//
// [Weigh] takes the first steps only and says where resources belong: a live
// cluster plans by itself.
//
// The specification is "Pacemaker Explained" 3.0; the files name its sections.
// They are to be read in this order: input (what is asked), unpack* (what it
// means), score and colocate (how much a node is liked), place* (who goes
// where), act* and order* (what is to be done, and when), outcome (what comes
// of it), explain (why).
package engine
