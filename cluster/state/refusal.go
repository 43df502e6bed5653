package state

import "fmt"

// Code says what kind of wrong a refused command was.
type Code int

// The zero Code is none of these.
const (
	Invalid      Code = iota + 1 // the command is wrong by itself
	NotFound                     // it names what is not there
	Exists                       // it makes what is there already
	Precondition                 // it would be right after something else
	Stale                        // it was about a state that has passed
)

func (c Code) String() string {
	switch c {
	case Invalid:
		return "invalid"
	case NotFound:
		return "not found"
	case Exists:
		return "exists"
	case Precondition:
		return "precondition"
	case Stale:
		return "stale"
	default:
		return fmt.Sprintf("code %d", int(c))
	}
}

// A Refusal says why a command changed nothing (S8), in words for people.
type Refusal struct {
	Code    Code
	Field   string // what is wrong, as the user knows it: "meta priority", "node"
	Problem string // what is wrong with it
	Fix     string // optional; what would be right
}

func (r *Refusal) Error() string {
	text := r.Problem
	if r.Field != "" {
		text = r.Field + ": " + text
	}
	if r.Fix != "" {
		text += "; " + r.Fix
	}
	return text
}

func refuse(code Code, field, fix, problem string, args ...any) error {
	return &Refusal{Code: code, Field: field, Problem: fmt.Sprintf(problem, args...), Fix: fix}
}
