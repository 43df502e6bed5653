package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"quorate/cluster/fork"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// How two nodes heal that each went on alone.
//
// Raft's streams find the split and carry nothing (cluster/fork). The node with
// the smaller id then asks the other one to meet, and that one alone decides,
// once: so both know the same winner, whichever of their messages are lost, and
// never do both give way. The loser drops what it serves and ends its core with
// a DivergedError; what becomes of its log is the agent's business. It comes back
// as a server without any, which the winner catches up.

// A DivergedError ends a core whose log went apart from another node's and gives
// way to it.
type DivergedError struct {
	Own, Winner *pb.Side
	Reason      string // why the other one goes on
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("node %s went on alone as well, and this node gives way to it: %s", e.Winner.GetNode(), e.Reason)
}

// Changes lists what was configured here alone, and is not on the winner.
func (e *DivergedError) Changes() []string { return fork.Changes(e.Own, e.Winner) }

var (
	errTogether = errors.New("the logs of the two nodes did not go apart")
	errOther    = errors.New("this node is giving way to another one")
)

const (
	meetTimeout = 2 * time.Second
	meetPause   = 200 * time.Millisecond // between attempts
)

// healing is what a core knows of logs that went apart from its own.
type healing struct {
	splits   chan string   // ids of nodes with such a log
	won      chan *pb.Side // those that give way to this node
	conceded chan struct{} // closed when lost is set

	mu     sync.Mutex // also makes decisions one after the other
	lost   *DivergedError
	beaten map[string]string // by the loser's newest fork: why this node goes on
	told   map[string]bool   // by the loser's newest fork: the event is recorded
}

func newHealing() *healing {
	return &healing{
		splits: make(chan string, 4), won: make(chan *pb.Side, 4), conceded: make(chan struct{}),
		beaten: map[string]string{}, told: map[string]bool{},
	}
}

// concede makes this node the loser. h.mu is held.
func (h *healing) concede(e *DivergedError) {
	if h.lost == nil {
		h.lost = e
		close(h.conceded)
	}
}

// over reports whether this node gives way, and so begins nothing any more.
func (h *healing) over() error {
	select {
	case <-h.conceded:
		return errOther
	default:
		return nil
	}
}

// Split tells that a node's log and this one's went apart. It does not wait.
func (k *Core) Split(node string) {
	select {
	case k.healing.splits <- node:
	default: // told again with the next stream
	}
}

// Meet decides, for a node whose log went apart from this one's, which of the
// two gives way. Once it has decided it always says so: what runs where may have
// changed when it is asked again, and then both would give way.
func (k *Core) Meet(r *pb.MeetRequest) (*pb.MeetResponse, error) {
	h := k.healing
	h.mu.Lock()
	defer h.mu.Unlock()
	theirs := r.GetSide()
	if h.lost != nil {
		if h.lost.Winner.GetNode() != theirs.GetNode() {
			return nil, errOther
		}
		return &pb.MeetResponse{Side: h.lost.Own, Winner: theirs.GetNode(), Reason: h.lost.Reason}, nil
	}
	mine := k.side()
	if fork.Compare(fork.History(mine.Forks), fork.History(theirs.GetForks())) != fork.Split {
		return nil, errTogether
	}
	winner, reason := fork.Settle(mine, theirs)
	if why, beaten := h.beaten[newestFork(theirs)]; beaten {
		winner, reason = k.id, why
	}
	if winner == k.id {
		h.beaten[newestFork(theirs)] = reason
		k.win(theirs)
	} else {
		h.concede(&DivergedError{Own: mine, Winner: theirs, Reason: reason})
	}
	return &pb.MeetResponse{Side: mine, Winner: winner, Reason: reason}, nil
}

// newestFork is the id by which a side is known.
func newestFork(s *pb.Side) string {
	forks := s.GetForks()
	if len(forks) == 0 {
		return ""
	}
	return forks[len(forks)-1].GetId()
}

// win has the loser's end recorded. It does not wait.
func (k *Core) win(loser *pb.Side) {
	select {
	case k.healing.won <- loser:
	default:
	}
}

// side is this node's log, as another one needs to know it.
func (k *Core) side() *pb.Side {
	st := k.store.Get().State
	s := &pb.Side{Node: k.id, Forks: st.Forks, Configuration: state.Configuration(st)}
	for _, i := range st.Instances {
		if i.Node == k.id && i.State == pb.InstanceState_INSTANCE_STATE_RUNNING {
			s.Running++
		}
	}
	if n := state.NodeByID(st, k.id); n != nil {
		s.Priority, _ = strconv.ParseInt(n.Attributes["priority"], 10, 64) // none is 0
	}
	return s
}

// heal meets the nodes whose logs went apart from this one's, until ctx is
// canceled or this node gives way, with the error that says so.
func (k *Core) heal(ctx context.Context) error {
	h := k.healing
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.conceded:
			k.executor.Drop(h.lost.Error()) // set before conceded was closed, and only then
			return h.lost
		case loser := <-h.won:
			k.tellHealed(ctx, loser)
		case node := <-h.splits:
			if k.id < node && h.over() == nil { // who has given way asks no more
				k.meet(ctx, node)
			}
		}
	}
}

// meet asks another node to decide, and does as it says.
func (k *Core) meet(ctx context.Context, node string) {
	mine := k.side()
	asking, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	answer, err := k.peers.Meet(asking, node, &pb.MeetRequest{Side: mine})
	switch {
	case err != nil:
		k.logger.Info("a split is not settled yet", "node", node, "err", err)
	case answer.Winner == k.id:
		k.tellHealed(ctx, answer.Side) // before the pause, in which the loser may be back
	case answer.Winner == node:
		k.healing.mu.Lock()
		k.healing.concede(&DivergedError{Own: mine, Winner: answer.Side, Reason: answer.Reason})
		k.healing.mu.Unlock()
		return
	}
	select { // its streams are refused many times a second
	case <-ctx.Done():
	case <-k.healing.conceded:
	case <-time.After(meetPause):
	}
}

// mostChanges is how many changes an event lists.
const mostChanges = 20

// tellHealed records, once, who gave way and what is lost with its log.
func (k *Core) tellHealed(ctx context.Context, loser *pb.Side) {
	mine := k.side()
	newest := newestFork(loser)
	k.healing.mu.Lock()
	known := k.healing.told[newest]
	k.healing.told[newest] = true
	k.healing.mu.Unlock()
	if known {
		return
	}
	event := healed(k.store.Get().State, loser, mine)
	k.logger.Warn(event.Text)
	proposing, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	_, err := k.log.Propose(proposing, &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: []*pb.Event{event}}}})
	if err != nil {
		k.logger.Warn("the end of the split is not recorded yet", "err", err)
		k.healing.mu.Lock()
		delete(k.healing.told, newest) // the loser asks again until it is answered
		k.healing.mu.Unlock()
	}
}

// healed is the event of a split's end.
func healed(st *pb.State, loser, winner *pb.Side) *pb.Event {
	from, to := state.NodeName(st, loser.GetNode()), state.NodeName(st, winner.GetNode())
	changes := fork.Changes(loser, winner)
	e := &pb.Event{
		Kind: "split-healed", Node: from, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s and %s both went on alone, and %s gives way; nothing was configured there alone", from, to, from),
	}
	if len(changes) > 0 {
		rest := ""
		if n := len(changes) - mostChanges; n > 0 {
			changes, rest = changes[:mostChanges], fmt.Sprintf("; and %d more", n)
		}
		e.Severity = pb.Severity_SEVERITY_ERROR
		e.Text = fmt.Sprintf("%s and %s both went on alone, and %s gives way. Configured there alone, and lost but for the archive on %s: %s%s",
			from, to, from, from, strings.Join(changes, "; "), rest)
	}
	return e
}
