package warden

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

// notes are the warden's words for people. They are written by a goroutine of their
// own: who reads them may hang, with the disk that they go to. When there are too
// many some are lost.
type notes struct {
	queue  chan note
	logger *slog.Logger
	work   sync.WaitGroup
}

type note struct {
	kind   noteKind
	number int64
	took   time.Duration
	text   [textSize]byte
	length int
}

type noteKind int

const (
	noteStarted noteKind = iota
	noteHardened
	noteAgent
	noteAgentDied
	noteAgentRestarts
	noteKilled
	noteDogArmed
	noteDogDisarmed
	noteDogFailed
	noteDogStarves
	noteDogFed
	noteDogBites
)

func newNotes(to io.Writer) notes {
	if to == nil {
		to = io.Discard
	}
	return notes{queue: make(chan note, 64), logger: slog.New(slog.NewTextHandler(to, nil)).With("process", "warden")}
}

// tell writes a note down, for later.
func (n *notes) tell(kind noteKind, number int64, took time.Duration, text []byte) {
	one := note{kind: kind, number: number, took: took}
	one.length = copy(one.text[:], text)
	select {
	case n.queue <- one:
	default:
	}
}

func (n *notes) begin() {
	n.work.Go(func() {
		for one := range n.queue {
			n.write(&one)
		}
	})
}

// end returns when all was written.
func (n *notes) end() {
	close(n.queue)
	n.work.Wait()
}

func (n *notes) write(one *note) {
	text := string(one.text[:one.length])
	log := n.logger
	switch one.kind {
	case noteStarted:
		log.Info("warden started")
	case noteHardened:
		log.Info("warden hardened", "how", text)
	case noteAgent:
		log.Info("agent found", "pid", one.number)
	case noteAgentDied:
		log.Warn("the agent has died: what runs here is stopped at the end of the lease, unless an agent is back by then", "pid", one.number, "left", one.took)
	case noteAgentRestarts:
		log.Info("the agent restarts: what runs here goes on for the rest of the lease", "pid", one.number, "left", one.took)
	case noteKilled:
		log.Warn("the lease is over and the agent did not stop what ran: it was killed", "resources", text, "processes", one.number, "took", one.took)
	case noteDogArmed:
		log.Info("watchdog armed", "device", text, "timeout", one.took)
	case noteDogDisarmed:
		log.Info("watchdog disarmed: nothing needs it")
	case noteDogFailed:
		log.Error("no watchdog, and something needs it", "err", text)
	case noteDogStarves:
		log.Error("the lease is over, or a stop failed: the watchdog is not fed any more and resets this machine", "left", one.took)
	case noteDogFed:
		log.Warn("the watchdog is fed again: the lease is held, and no stop has failed")
	case noteDogBites:
		log.Error("watchdog", "err", text)
	}
}
