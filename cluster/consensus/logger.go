package consensus

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// repeatAfter is how long Raft's line about a peer is not repeated: it says six
// times a second, all night, that a dead one does not answer.
const repeatAfter = time.Minute

// newLogger passes Raft's log lines on to slog. Raft warns of much that heals
// by itself, an election among it, so its lines are one level lower here, and
// repetitions are for debugging.
func newLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	l.RegisterSink(&sink{log: log, told: map[string]time.Time{}})
	return l
}

type sink struct {
	log *slog.Logger

	mu   sync.Mutex
	told map[string]time.Time // when, by message and peer
}

// Accept implements hclog.SinkAdapter.
func (s *sink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case hclog.Warn:
		to = slog.LevelInfo
	case hclog.Error:
		to = slog.LevelWarn
	default:
	}
	if s.repeats(msg, args) {
		to = slog.LevelDebug
	}
	s.log.Log(context.Background(), to, msg, args...)
}

// repeats tells whether the same was said of the same peer a moment ago.
func (s *sink) repeats(msg string, args []any) bool {
	i := slices.IndexFunc(args, func(a any) bool { return a == "peer" || a == "server-id" || a == "target" })
	if i < 0 || i+1 == len(args) {
		return false
	}
	key := fmt.Sprint(msg, " ", args[i+1])
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.told[key]; ok && now.Sub(last) < repeatAfter {
		return true
	}
	s.told[key] = now
	return false
}
