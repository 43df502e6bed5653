package node

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// withAttributes runs f beside the attributes of a site's node, and counts what
// they commit.
func withAttributes(t *testing.T, f func(s *site, a *attributes, commits func() int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, store: state.New()}
		s.setUp("")
		before := s.index
		a := newAttributes(&Core{}, CoreConfig{ID: "a", Store: s.store, Log: slog.New(slog.DiscardHandler)})
		a.propose = func(ctx context.Context, c *pb.Command) (*state.Applied, error) {
			err := s.propose(ctx, c)
			return &state.Applied{Index: s.index}, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		var run sync.WaitGroup
		run.Go(func() { _ = a.Run(ctx) })
		f(s, a, func() int { synctest.Wait(); return int(s.index - before) })
		cancel()
		run.Wait()
	})
}

func TestAnAttributeIsCommittedOnceItChanges(t *testing.T) {
	withAttributes(t, func(s *site, a *attributes, commits func() int) {
		for _, value := range []string{"1", "1", "2"} {
			if err := a.Set("score", value, 0); err != nil {
				t.Fatal(err)
			}
			if err := a.Settle(context.Background(), "score"); err != nil {
				t.Fatal(err)
			}
			if got := s.node().Transient["score"]; got != value {
				t.Errorf("it is %q when it has settled, want %q", got, value)
			}
		}
		if n := commits(); n != 2 {
			t.Errorf("%d commits of two changes", n)
		}
	})
}

func TestADampenedAttributeIsCommittedAtTheEndOfItsTime(t *testing.T) {
	withAttributes(t, func(s *site, a *attributes, commits func() int) {
		set := func(value string) {
			if err := a.Set("load", value, 5*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		set("1")
		time.Sleep(3 * time.Second)
		set("2")
		if n := commits(); n != 0 {
			t.Errorf("%d commits before its time", n)
		}
		time.Sleep(2 * time.Second)
		if n := commits(); n != 1 || s.node().Transient["load"] != "2" {
			t.Errorf("%d commits in its time, to %v; want one, of the newest value", n, s.node().Transient)
		}
		set("3")
		time.Sleep(time.Second)
		set("2")
		time.Sleep(time.Minute)
		if n := commits(); n != 1 {
			t.Errorf("a change that was taken back was committed")
		}
	})
}

func TestAnAttributeIsCommittedWhenThatIsPossibleAgain(t *testing.T) {
	withAttributes(t, func(s *site, a *attributes, _ func() int) {
		s.set(func() { s.refuse = consensus.ErrUnknown })
		if err := a.Set("score", "1", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.set(func() { s.refuse = nil })
		if err := a.Settle(context.Background(), "score"); err != nil || s.node().Transient["score"] != "1" {
			t.Errorf("%v, %v", s.node().Transient, err)
		}
	})
}
