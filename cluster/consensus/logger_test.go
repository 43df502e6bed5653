package consensus

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoggerSaysOnceAMinuteThatAPeerDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := newLogger(slog.New(slog.NewTextHandler(&out, nil)))
		for range 600 {
			log.Error("failed to heartbeat to", "peer", "b", "error", time.Now().String())
			log.Error("failed to heartbeat to", "peer", "c", "error", time.Now().String())
			time.Sleep(200 * time.Millisecond)
		}
		log.Warn("starting election")
		log.Warn("starting election")
		for text, want := range map[string]int{"peer=b": 2, "peer=c": 2, "starting election": 2} {
			if got := strings.Count(out.String(), text); got != want {
				t.Errorf("%q was said %d times in two minutes, want %d:\n%s", text, got, want, out.String())
			}
		}
	})
}
