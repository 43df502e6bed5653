package api

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
)

// Domain is the domain of the ErrorInfo that every refusal carries. Its reason
// is one of the constants below, and its metadata hold "field" and "fix" where
// there are any.
const Domain = "quorate"

// Reasons of refusals. Programs may branch on them.
const (
	ReasonInvalid      = "INVALID"      // a value that can never be right
	ReasonNotFound     = "NOT_FOUND"    // names something that is not there
	ReasonExists       = "EXISTS"       // makes something that is there already
	ReasonPrecondition = "PRECONDITION" // something else is needed first
	ReasonStale        = "STALE"        // the state has gone on; read it and try again
	ReasonInterrupts   = "INTERRUPTS"   // it interrupts what runs and was not named; asked with force it is done
	ReasonDenied       = "DENIED"       // this caller may not
	ReasonPassword     = "PASSWORD"     // a wrong user or password
	ReasonNotTrusted   = "NOT_TRUSTED"  // `cluster auth` is needed first
	ReasonNoCluster    = "NO_CLUSTER"   // this node is in no cluster
	ReasonNotLeader    = "NOT_LEADER"   // metadata: leader, a node id or empty
	ReasonUnreachable  = "UNREACHABLE"  // metadata: host, check
	ReasonUnfinished   = "UNFINISHED"   // the wish is committed, and not all of it came about
	ReasonUnknown      = "UNKNOWN"      // it may or may not have been done
)

// Keys of an ErrorInfo's metadata.
const (
	keyField   = "field"   // what is wrong
	keyProblem = "problem" // why
	keyFix     = "fix"     // what would be right
	keyLeader  = "leader"  // a node id
	keyLines   = "lines"   // of a text: those that are wrong, from 1, with commas between
	keyHost    = "host"    // which host failed
	keyCheck   = "check"   // which check it failed: resolve, connect, tls, password, answer
)

// refusals maps what the state refuses to what callers see.
var refusals = []struct {
	code   state.Code
	grpc   codes.Code
	reason string
}{
	{state.Invalid, codes.InvalidArgument, ReasonInvalid},
	{state.NotFound, codes.NotFound, ReasonNotFound},
	{state.Exists, codes.AlreadyExists, ReasonExists},
	{state.Precondition, codes.FailedPrecondition, ReasonPrecondition},
	{state.Stale, codes.FailedPrecondition, ReasonStale},
}

// toStatus makes a gRPC status of an error. The message is the whole sentence.
func toStatus(err error) error {
	var refusal *state.Refusal
	var other *consensus.NotLeaderError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusalStatus(err, refusal)
	case errors.As(err, &other):
		return fail(codes.Unavailable, ReasonNotLeader, other.Error(), keyLeader, other.Leader)
	case errors.Is(err, consensus.ErrUnknown):
		return fail(codes.Unknown, ReasonUnknown, err.Error())
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Internal, err.Error())
}

func refusalStatus(err error, r *state.Refusal) error {
	lines := ""
	if text, ok := errors.AsType[*textError](err); ok {
		lines = text.numbers()
	}
	for _, m := range refusals {
		if m.code == r.Code {
			return fail(m.grpc, m.reason, err.Error(), keyField, r.Field, keyProblem, r.Problem, keyFix, r.Fix, keyLines, lines)
		}
	}
	return fail(codes.FailedPrecondition, ReasonPrecondition, err.Error(), keyField, r.Field, keyProblem, r.Problem, keyFix, r.Fix)
}

// A textError is the refusal of a text that says which of its lines are wrong.
type textError struct {
	error // wraps a *state.Refusal
	lines []int
}

func (e *textError) Unwrap() error { return e.error }

func (e *textError) numbers() string {
	var list []string
	for _, n := range e.lines {
		list = append(list, strconv.Itoa(n))
	}
	return strings.Join(list, ",")
}

// fail makes a status with an ErrorInfo; metadata are keys and values in turn,
// and empty values are left out.
func fail(code codes.Code, reason, message string, metadata ...string) error {
	info := &errdetails.ErrorInfo{Domain: Domain, Reason: reason, Metadata: make(map[string]string)}
	for i := 0; i+1 < len(metadata); i += 2 {
		if metadata[i+1] != "" {
			info.Metadata[metadata[i]] = metadata[i+1]
		}
	}
	s, err := status.New(code, message).WithDetails(info)
	if err != nil { // only for an OK code, which is no failure
		return status.Error(code, message)
	}
	return s.Err()
}

// Reason returns the reason and metadata that an error of this API carries.
func Reason(err error) (reason string, metadata map[string]string) {
	s, ok := status.FromError(err)
	if !ok {
		return "", nil
	}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.Domain == Domain {
			return info.Reason, info.Metadata
		}
	}
	return "", nil
}

// FromError makes of an answer of another node's Agent service what its Log
// had returned: a *state.Refusal, a *consensus.NotLeaderError or
// consensus.ErrUnknown. Other errors are returned as they are.
func FromError(err error) error {
	reason, metadata := Reason(err)
	switch reason {
	case ReasonNotLeader:
		return &consensus.NotLeaderError{Leader: metadata[keyLeader]}
	case ReasonUnknown:
		return consensus.ErrUnknown
	}
	for _, m := range refusals {
		if m.reason == reason {
			return &state.Refusal{Code: m.code, Field: metadata[keyField], Problem: metadata[keyProblem], Fix: metadata[keyFix]}
		}
	}
	return err
}

// invalid is the refusal of a value.
func invalid(field, problem, fix string) error {
	return &state.Refusal{Code: state.Invalid, Field: field, Problem: problem, Fix: fix}
}

// precondition is the refusal of what needs something else first.
func precondition(field, problem, fix string) error {
	return &state.Refusal{Code: state.Precondition, Field: field, Problem: problem, Fix: fix}
}

// unfinished says what is left of a work that goes no further by itself.
func unfinished(field, problem, fix string) error {
	return fail(codes.Aborted, ReasonUnfinished, (&state.Refusal{Field: field, Problem: problem, Fix: fix}).Error(),
		keyField, field, keyProblem, problem, keyFix, fix)
}

// errNoCluster is the answer of a node that is in no cluster.
var errNoCluster = fail(codes.FailedPrecondition, ReasonNoCluster,
	"this node is in no cluster: use `quorate cluster setup` or `quorate cluster join`")

// errUnheard is the answer of a member that has heard no leader yet.
var errUnheard = fail(codes.Unavailable, ReasonNotLeader,
	"this node has heard nothing of its cluster since its agent started: start the agents of the others, of most of the voters")

// joined makes one status of what failed on several hosts: with the text of
// all, and the code and reason of the worst, which is bad input before what may
// heal. Nil if nothing failed.
func joined(errs []error, details ...protoadapt.MessageV1) error {
	var worst *status.Status
	var texts []string
	for _, err := range errs {
		if err == nil {
			continue
		}
		s := status.Convert(toStatus(err))
		texts = append(texts, s.Message())
		if worst == nil || worst.Code() == codes.Unavailable {
			worst = s
		}
	}
	if worst == nil {
		return nil
	}
	for _, d := range worst.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			details = append(details, info)
		}
	}
	s, err := status.New(worst.Code(), strings.Join(texts, "\n")).WithDetails(details...)
	if err != nil {
		return worst.Err()
	}
	return s.Err()
}
