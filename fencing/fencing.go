// Package fencing says what a fencing device is, which nodes it can switch off,
// which of several is tried when, and when a node counts as off.
//
// A device is of a [Type], a program on a node that can reach it; the types of one
// kind live in a package of their own below this one. What people say of a device
// is replicated (pb.FencingDevice); the rest of this package is pure functions of
// that, but for [Operate], which uses a device.
//
// A node is off when its device has said so, asked after it was told to switch off.
// That a device took an order is no proof, and neither is a cycle of off and on at
// once, of which nobody saw the off. Who decides that a node must be off, and what
// may start then, is not said here.
//
// Source: FenceAgentAPI.md of ClusterLabs' fence-agents; Pacemaker Explained 3.0,
// "Fencing".
package fencing

import (
	"context"
	"errors"

	pb "quorate/proto/quorate/v1"
)

// Actions of devices.
const (
	Off     = "off"
	On      = "on"
	Status  = "status"
	Monitor = "monitor" // whether the device itself can be reached
	List    = "list"
)

// A Type is a kind of fencing devices on the local node.
type Type interface {
	// Missing returns why devices of this type cannot be used here; nil: they can.
	Missing() error
	// Describe returns the type's parameters and what the cluster must know of it,
	// neither of which may be modified.
	Describe(ctx context.Context) (*pb.AgentMetadata, *pb.DeviceTraits, error)
	// Run has a device do one thing to a plug; empty: it has one, or none is meant.
	// An error says that it was not done, or that it is not known.
	Run(ctx context.Context, d *pb.FencingDevice, action string, to Target) (Answer, error)
}

// A Catalog finds types.
type Catalog interface {
	Find(name string) (Type, error) // the error says what is wrong with the name
	Installed() []string            // names, in order
}

// A Target is what a device switches.
type Target struct {
	Node string // name
	Plug string // what the device calls it
}

// An Answer is what a device said.
type Answer struct {
	Power Power // of a Status
	Text  string
}

// Power is whether a plug is on.
type Power int

// What a device may say of a plug.
const (
	Unknown Power = iota
	PowerOn
	PowerOff
)

// ErrUnconfirmed is returned when a device took an order to switch off, and what it
// says of the plug is not that it is off. It is not success.
var ErrUnconfirmed = errors.New("switched off, it says, but its status does not say so")

// A ParameterError says which parameter of a device is wrong, and why.
type ParameterError struct{ Parameter, Problem, Fix string }

func (e *ParameterError) Error() string {
	text := "parameter " + e.Parameter + ": " + e.Problem
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}
