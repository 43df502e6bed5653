package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

const (
	// proposeTimeout bounds how long a change may wait for a leader and its commit.
	proposeTimeout = 15 * time.Second
	// attemptTimeout is longer than a leader that is well takes, and than a follower
	// waits for one. It ends the wait for a main loop of this node's own that hangs.
	attemptTimeout = 3 * time.Second
	// catchUpTimeout is longer than a disk hangs now and then, and than a follower
	// takes to learn what is committed if it misses its echo.
	catchUpTimeout = 3 * time.Second
	// askAgain is long enough for no storm of questions, short beside an election.
	askAgain = 50 * time.Millisecond
)

// propose commits a command in the caller's name, once, and waits until this node
// has applied it too.
//
// While it is unknown whether the command was committed, as when the leader falls or
// its connection breaks, it is proposed again under the same request, by which the
// state knows it. Invariant: what is returned was said by the entry of the log that
// asked, never found in this node's own copy of the state. So a command is not taken
// for done because a history holds it that was discarded since, as one of a pair's
// may be.
func (s *Server) propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("draw the request's id: %w", err)
	}
	c.Actor = callerOf(ctx).actor
	c.Request = &pb.Request{Id: id[:], After: s.state.Get().Index}
	applied, err := s.untilKnown(ctx, c)
	if err == nil {
		s.catchUp(ctx, applied.Index)
	}
	return applied, err
}

// untilKnown proposes a command until it is known what became of it, or ctx ends.
func (s *Server) untilKnown(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	var doubt error // about the newest attempt that may have been committed
	for {
		applied, err := s.attempt(ctx, c)
		switch {
		case err == nil:
			return applied, nil
		case uncertain(err):
			doubt = err
			s.logger.Info("outcome unknown, asking again", "err", err)
		case !errors.Is(err, context.DeadlineExceeded): // else no leader was found
			return nil, verdict(err, doubt)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, verdict(err, doubt)
		}
	}
}

func (s *Server) attempt(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return s.log.Propose(ctx, proto.CloneOf(c))
}

// uncertain reports whether the command may have been committed all the same.
func uncertain(err error) bool {
	if reason, _ := Reason(err); reason != "" {
		return false // another node's own words
	}
	broken := []codes.Code{codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.Internal}
	return errors.Is(err, consensus.ErrUnknown) || slices.Contains(broken, status.Code(err))
}

// verdict is what the caller is told when the newest attempt failed for certain and
// there is doubt about an earlier one, or none. Only a refusal settles the doubt: of
// a command that was accepted it would have told that (see state.Step).
func verdict(err, doubt error) error {
	refused, ok := errors.AsType[*state.Refusal](err)
	if doubt == nil || ok && refused.Field != state.ForgottenRequest {
		return err
	}
	if !errors.Is(doubt, consensus.ErrUnknown) {
		doubt = fmt.Errorf("%w (%s)", consensus.ErrUnknown, status.Convert(doubt).Message())
	}
	return fmt.Errorf("%w; it may still be done: before you ask again, see `quorate events` once there is a leader", doubt)
}

// catchUp waits until this node has learned of what it proposed, so that its
// next answer tells of it, also where its disk hangs for a second meanwhile. A node
// that lags far behind is not waited for.
func (s *Server) catchUp(ctx context.Context, index uint64) {
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	err := s.until(ctx, func(*pb.State) bool { return s.state.Get().Index >= index })
	if err != nil {
		s.logger.Info("this node lags behind the log", "index", index)
	}
}
