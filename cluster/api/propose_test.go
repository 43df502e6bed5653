package api

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func TestACommandSurvivesAChangeOfTheLeaderAndIsDoneOnce(t *testing.T) {
	tests := []struct {
		name    string
		falls   func(*world)
		entries uint64 // of the log
	}{
		{"after the commit, before the answer", func(w *world) { w.unsure = 2 }, 3},
		{"before the commit", func(w *world) { w.vain = 2 }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.boot("lvsm")
			a.setup(t, true)
			before := w.store.Get()
			w.with(func() { w.idle = true; tt.falls(w) })
			made, err := a.change(t, create("flag", "ocf:quorate:file", map[string]string{"path": filepath.Join(t.TempDir(), "flag")}))
			must(t, err)
			if made.Index != before.Index+1 {
				t.Errorf("it is answered with index %d, want that of the one that did it, %d", made.Index, before.Index+1)
			}
			after := w.store.Get()
			if n := len(after.State.Resources); n != 1 {
				t.Errorf("%d resources", n)
			}
			if n := after.State.LastEvent - before.State.LastEvent; n != 1 {
				t.Errorf("%d events of one command", n)
			}
			if n := len(after.State.Accepted); n != len(before.State.Accepted)+1 {
				t.Errorf("%d requests are remembered, and were %d before", n, len(before.State.Accepted))
			}
			if n := after.Index - before.Index; n != tt.entries {
				t.Errorf("the log has %d entries of it, want %d", n, tt.entries)
			}
		})
	}
}

// A logFunc is a log that answers as a test wants it.
type logFunc func(ctx context.Context, attempt int, c *pb.Command) (*state.Applied, error)

type countingLog struct {
	answer logFunc
	asked  []*pb.Command
}

func (l *countingLog) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	l.asked = append(l.asked, c)
	return l.answer(ctx, len(l.asked), c)
}

// proposed is what comes of a command to a log, and how long that took.
func proposed(t *testing.T, answer logFunc) (applied *state.Applied, took time.Duration, asked []*pb.Command, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log, began := &countingLog{answer: answer}, time.Now()
		s := &Server{log: log, state: state.New(), logger: slog.New(slog.DiscardHandler)}
		applied, err = s.propose(t.Context(), &pb.Command{Body: &pb.Command_Change{}})
		took, asked = time.Since(began), log.asked
	})
	return applied, took, asked, err
}

func TestACommandIsAskedAboutAgainUnderOneRequest(t *testing.T) {
	applied, _, asked, err := proposed(t, func(_ context.Context, attempt int, _ *pb.Command) (*state.Applied, error) {
		switch attempt {
		case 1:
			return nil, consensus.ErrUnknown
		case 2:
			return nil, status.Error(codes.Unavailable, "error reading from server: EOF")
		default:
			return &state.Applied{}, nil
		}
	})
	if err != nil || applied == nil || len(asked) != 3 {
		t.Fatalf("%v, %v after %d attempts", applied, err, len(asked))
	}
	for _, c := range asked {
		if id := string(c.Request.GetId()); len(id) != 16 || id != string(asked[0].Request.Id) {
			t.Errorf("request %x, and %x before", id, asked[0].Request.Id)
		}
	}
}

func TestALogThatHangsIsLeftForTheNextLeader(t *testing.T) {
	_, took, asked, err := proposed(t, func(ctx context.Context, attempt int, _ *pb.Command) (*state.Applied, error) {
		if attempt == 1 {
			<-ctx.Done()
			return nil, errors.Join(consensus.ErrUnknown, ctx.Err())
		}
		return &state.Applied{}, nil
	})
	if err != nil || len(asked) != 2 || took > attemptTimeout+time.Second {
		t.Errorf("%v after %d attempts and %v", err, len(asked), took)
	}
}

func TestWhatIsCertainIsToldAtOnceAndWhatIsNotAsUnknown(t *testing.T) {
	exists := &state.Refusal{Code: state.Exists, Field: "resource id", Problem: "vip exists"}
	forgotten := &state.Refusal{Code: state.Stale, Field: state.ForgottenRequest, Problem: "too long ago"}
	leaderless := func(ctx context.Context) error {
		<-ctx.Done()
		return errors.Join(ctx.Err(), &consensus.NotLeaderError{})
	}
	tests := []struct {
		name    string
		answers []error // by attempt; nil: no leader is found, as after the last
		reason  string
		text    string
		quick   bool
	}{
		{"refused", []error{exists}, ReasonExists, "vip exists", true},
		{"refused at the second attempt", []error{consensus.ErrUnknown, exists}, ReasonExists, "vip exists", true},
		{"never a leader", nil, ReasonNotLeader, "no leader is known", false},
		{"a leader that fell, and then none", []error{consensus.ErrUnknown}, ReasonUnknown, "before you ask again, see `quorate events`", false},
		{"a leader that vanished, and then none", []error{status.Error(codes.Unavailable, "EOF")}, ReasonUnknown, "(EOF); it may still be done", false},
		{"too late to tell", []error{consensus.ErrUnknown, forgotten}, ReasonUnknown, "it may still be done", true},
		{"a node that lags far behind", []error{forgotten}, ReasonStale, "too long ago", true},
		{"in no cluster", []error{errNoCluster}, ReasonNoCluster, "in no cluster", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, took, _, err := proposed(t, func(ctx context.Context, attempt int, _ *pb.Command) (*state.Applied, error) {
				if attempt <= len(tt.answers) {
					return nil, tt.answers[attempt-1]
				}
				return nil, leaderless(ctx)
			})
			if reason, _ := Reason(toStatus(err)); reason != tt.reason || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v (%s), want %s with %q", err, reason, tt.reason, tt.text)
			}
			if quick := took < time.Second; quick != tt.quick || took > proposeTimeout+time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
