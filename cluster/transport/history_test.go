package transport

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/fork"
)

var readyNow = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// unforked is a log that was never forked.
func unforked(log *slog.Logger) RaftConfig {
	return RaftConfig{Ready: readyNow, History: func() []string { return nil }, Log: log}
}

// An end is a node's way of Raft's messages, whose history tests change.
type end struct {
	*running
	way *RaftTransport

	mu      sync.Mutex
	history []string
	splits  chan string
}

func (l *lab) end(r *running, history string, ready <-chan struct{}) *end {
	e := &end{running: r, history: strings.Fields(history), splits: make(chan string, 16)}
	e.way = r.RaftTransport(RaftConfig{
		Ready: ready, History: e.forks, Log: slog.New(slog.NewTextHandler(r.log, nil)),
		Split: func(node string) { e.splits <- node },
	})
	return e
}

func (e *end) forks() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.history
}

func (e *end) setHistory(history string) {
	e.mu.Lock()
	e.history = strings.Fields(history)
	e.mu.Unlock()
	e.way.Recheck()
}

// answer answers what arrives until the way is closed.
func (e *end) answer(done <-chan struct{}) {
	for {
		select {
		case rpc := <-e.way.Consumer():
			rpc.Respond(&raft.RequestPreVoteResponse{Granted: true}, nil)
		case <-done:
			return
		}
	}
}

func (e *end) ask(other *end) error {
	id := other.running.id.ID()
	return e.way.RequestPreVote(raft.ServerID(id), raft.ServerAddress(id), &raft.RequestPreVoteRequest{}, &raft.RequestPreVoteResponse{})
}

// onTwo runs f on two ends whose calls are answered.
func onTwo(t *testing.T, a, b string, f func(a, b *end)) {
	t.Helper()
	ids, l := cluster(t, 2), newLab(t)
	near, far := l.end(l.start(ids[0], anyPort), a, readyNow), l.end(l.start(ids[1], anyPort), b, readyNow)
	done := make(chan struct{})
	var answering sync.WaitGroup
	answering.Go(func() { near.answer(done) })
	answering.Go(func() { far.answer(done) })
	f(near, far)
	close(done)
	answering.Wait()
	near.way.Close()
	far.way.Close()
}

func TestRaftsMessagesGoFromAForkToWhoIsBehindIt(t *testing.T) {
	tests := []struct {
		name, a, b   string // the histories
		toB, toA     error
		splits, told string
	}{
		{"never forked", "", "", nil, nil, "", ""},
		{"the same fork", "x", "x", nil, nil, "", ""},
		{"one is behind", "x", "", nil, fork.ErrBehind, "", "no messages of raft one way"},
		{"a split", "x y", "x z", fork.ErrSplit, fork.ErrSplit, "both", "no messages of raft to or from"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onTwo(t, tt.a, tt.b, func(a, b *end) {
				for range 3 {
					if err := a.ask(b); !errors.Is(err, tt.toB) {
						t.Errorf("a asks b: %v, want %v", err, tt.toB)
					}
					if err := b.ask(a); !errors.Is(err, tt.toA) {
						t.Errorf("b asks a: %v, want %v", err, tt.toA)
					}
				}
				for _, e := range []*end{a, b} {
					if tt.told != "" {
						e.log.await(t, tt.told)
					}
					if n := strings.Count(e.log.String(), "no messages of raft"); n > 1 {
						t.Errorf("the refusal was told %d times:\n%s", n, e.log.String())
					}
				}
				if tt.splits != "" {
					if got := <-a.splits; got != b.running.id.ID() {
						t.Errorf("a was told of a split from %s, want b", got)
					}
					if got := <-b.splits; got != a.running.id.ID() {
						t.Errorf("b was told of a split from %s, want a", got)
					}
				}
			})
		})
	}
}

func TestStreamsEndWithTheHistoryTheyBeganWith(t *testing.T) {
	onTwo(t, "", "", func(a, b *end) {
		if err := errors.Join(a.ask(b), b.ask(a)); err != nil {
			t.Fatal(err)
		}
		a.setHistory("x")
		if err := b.ask(a); err == nil {
			t.Error("a stream from before the fork carries a question to who forked")
		}
		if err := b.ask(a); !errors.Is(err, fork.ErrBehind) {
			t.Errorf("a new one: %v, want ErrBehind", err)
		}
		_ = a.ask(b) // finds that its stream is over
		if err := a.ask(b); err != nil {
			t.Errorf("who forked does not reach the other: %v", err)
		}
		b.setHistory("x")
		_ = b.ask(a)
		if err := b.ask(a); err != nil {
			t.Errorf("who was caught up is refused: %v", err)
		}
		b.log.await(t, "messages of raft pass again")
	})
}

// TestAMessageThatMeetsAnEndedStreamGoesOverAnother ends the streams that Raft
// keeps for its next messages, by either end.
func TestAMessageThatMeetsAnEndedStreamGoesOverAnother(t *testing.T) {
	onTwo(t, "", "", func(a, b *end) {
		for _, ends := range []*end{a, b} {
			var asking sync.WaitGroup
			for range raftPool { // each over a stream of its own
				asking.Go(func() {
					if err := a.ask(b); err != nil {
						t.Error(err)
					}
				})
			}
			asking.Wait()
			ends.way.streams.closeConns(func(*raftConn) bool { return true })
			if err := a.ask(b); err != nil {
				t.Errorf("the message was lost with its stream: %v", err)
			}
		}
	})
}

func TestAMessageOfBeforeAForkIsNotSentAgain(t *testing.T) {
	onTwo(t, "", "", func(a, b *end) {
		sent := 0
		err := a.way.again(func() error {
			sent++
			a.setHistory("x")
			return net.ErrClosed
		})
		if sent != 1 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("sent %d times: %v", sent, err)
		}
	})
}

func TestNothingIsTakenInBeforeTheHistoryIsKnown(t *testing.T) {
	ids, l := cluster(t, 2), newLab(t)
	ready := make(chan struct{})
	a, b := l.end(l.start(ids[0], anyPort), "x", readyNow), l.end(l.start(ids[1], anyPort), "", ready)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer a.way.Close()
	defer b.way.Close()
	answers := make(chan error, 1)
	asking.Go(func() { answers <- a.ask(b) })
	select {
	case err := <-answers:
		t.Fatalf("answered before it is ready: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	b.setHistory("y")
	close(ready)
	if err := <-answers; !errors.Is(err, fork.ErrSplit) {
		t.Errorf("judged by the history of before: %v", err)
	}
}

func TestClosingEndsCallsUnderWay(t *testing.T) {
	ids, l := cluster(t, 2), newLab(t)
	a, b := l.end(l.start(ids[0], anyPort), "", readyNow), l.end(l.start(ids[1], anyPort), "", readyNow)
	defer b.way.Close()
	answers := make(chan error, 1)
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() { answers <- a.ask(b) })
	rpc := <-b.way.Consumer() // not answered
	began := time.Now()
	a.way.Close()
	if err := <-answers; err == nil || time.Since(began) > raftTimeout/2 {
		t.Errorf("the call ended with %v after %v", err, time.Since(began))
	}
	rpc.Respond(nil, net.ErrClosed)
}

func TestGarbageIsNoHistory(t *testing.T) {
	for line, want := range map[string]string{
		"forks\n":                        "",
		"forks x y\nrest":                "x y",
		"GET / HTTP/1.1\n":               "error",
		"forks":                          "error",
		strings.Repeat("x", historySize): "error",
	} {
		got, err := readHistory(strings.NewReader(line))
		if (err != nil) != (want == "error") || err == nil && strings.Join(got, " ") != want {
			t.Errorf("%.20q gives %q, %v, want %q", line, got, err, want)
		}
	}
}
