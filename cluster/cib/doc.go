// Package cib reads and writes the configuration and state of a Pacemaker
// cluster, its "CIB", an XML document.
//
// [Parse] takes any well-formed document with a cib element; what is in it may
// be wrong. A [Document] gives the scheduler's input ([Document.Input]), and
// Quorate's own configuration with a report ([Document.Configuration]): what was
// taken, what approximated and what not, by the id of each element. Write gives
// a CIB that Pacemaker's tools read.
//
// The package translates between notations: templates, tags, id-refs and the
// names of older schemas are resolved here, so that nobody else need know them.
// What scores, rules and histories mean is the scheduler's to say. It reads and
// writes values only: no file, clock or network.
//
// The notation is that of "Pacemaker Explained", schemas 1.0 to 4.0.
package cib
