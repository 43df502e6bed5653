package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cmd/quorate/grammar"
)

// Exit statuses.
const (
	exitDone     = 0
	exitFailed   = 1
	exitBadInput = 2
)

// A saidError ends a command that has already printed what failed.
type saidError struct{ error }

func (e saidError) Unwrap() error { return e.error }

// errSaid is one without a cause of its own.
var errSaid error = saidError{errors.New("failed")}

// A failedError is one that came after the work had begun: no bad input.
type failedError struct{ error }

func (e failedError) Unwrap() error { return e.error }

// noCluster is what a node says that is in none.
func noCluster(program, node string) error {
	return fmt.Errorf("%s is in no cluster: make one with %q, or join one with %q",
		node, program+" cluster setup NAME NODE NODE …", program+" cluster join TOKEN")
}

// badReasons are those of refusals that other input would have avoided.
var badReasons = []string{"INVALID", "NOT_FOUND", "EXISTS", "PRECONDITION", "PASSWORD", "BAD_INPUT", reasonInterrupts}

// exitStatus tells bad input from what failed.
func (a *app) exitStatus(err error) int {
	var exit labExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	var script scriptError
	if errors.As(err, &script) {
		return script.status
	}
	if errors.As(err, new(*grammar.Error)) || errors.As(err, new(*certificateError)) {
		return exitBadInput
	}
	s, ok := statusOf(err)
	if !ok || errors.As(err, new(failedError)) {
		return exitFailed
	}
	switch s.Code() {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.OutOfRange:
		return exitBadInput
	case codes.FailedPrecondition, codes.PermissionDenied:
		reason := errorInfo(s).GetReason()
		if slices.Contains(badReasons, reason) || reason == "DENIED" && a.server != "" { // by the certificate
			return exitBadInput
		}
	default:
	}
	return exitFailed
}

// explain makes one line of an error; nothing if it was said already.
func (a *app) explain(err error) string {
	if errors.As(err, new(saidError)) {
		return ""
	}
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	s, ok := statusOf(err)
	if !ok {
		return oneLine(err.Error())
	}
	switch s.Code() { //nolint:exhaustive // the rest says itself what is wrong
	case codes.Canceled:
		return "interrupted"
	case codes.DeadlineExceeded:
		if errorInfo(s) != nil {
			break // the agent's own words
		}
		return "no answer in time; what was asked may or may not be done yet: see \"" + a.name + " status\""
	case codes.Unavailable:
		if errorInfo(s) == nil {
			return "the connection to the agent broke (" + oneLine(s.Message()) + "); what was asked may or may not be done"
		}
	case codes.Unimplemented:
		return "the agent does not know this command: is it of an older version?"
	}
	return sentence(s)
}

// statusOf returns the status in err. That of a wrapped one says what the
// agent said, without the wrapping.
func statusOf(err error) (*status.Status, bool) {
	var g interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &g) {
		return nil, false
	}
	return g.GRPCStatus(), true
}

// sentence makes "field: what is wrong; what would be right" of a refusal.
func sentence(s *status.Status) string {
	text := s.Message()
	if info := errorInfo(s); info != nil {
		field, fix := info.GetMetadata()["field"], info.GetMetadata()["fix"]
		if field != "" && !strings.Contains(text, field) {
			text = field + ": " + text
		}
		if fix != "" && !strings.Contains(text, fix) {
			text += "; " + fix
		}
	}
	return oneLine(text)
}

func errorInfo(s *status.Status) *errdetails.ErrorInfo {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
