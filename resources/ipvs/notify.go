package ipvs

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources/check"
)

// What a change of a server's state leads to beside the table is told here: an event
// of the cluster, and programs of the administrator's. Neither is waited for.

const (
	// programTime is how long a program may take, and endingTime how long those of a
	// stop may take together.
	programTime = time.Minute
	endingTime  = 5 * time.Second
	// tellEvery is the least time between two tellings of one director, and calmly
	// that of one whose servers come and go without end.
	tellEvery = time.Second
	calmly    = time.Minute
	// mostTold is how many events are told in one telling, each by itself, and
	// mostHasty how many in ten minutes before it is told calmly.
	mostTold  = 10
	mostHasty = 20
)

// run runs a program to its end, or kills it.
func (a *Agent) run(ctx context.Context, r *pb.Resource, command string, timeout time.Duration) {
	said, took, err := check.Once(ctx, check.Check{Kind: "program", Command: command, Timeout: timeout}, netip.AddrPort{})
	if err != nil {
		a.log.Warn("program failed, which changes nothing", "resource", r.GetId(), "command", command, "err", err)
		return
	}
	a.log.Info("program ran", "resource", r.GetId(), "command", command, "took", took, "said", said)
}

// end runs the programs of a stop.
func (a *Agent) end(ctx context.Context, r *pb.Resource, commands []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endingTime)
	defer cancel()
	for _, c := range commands {
		if ctx.Err() != nil {
			a.log.Warn("program is not run: those before it took too long", "resource", r.GetId(), "command", c)
			continue
		}
		a.run(ctx, r, c, endingTime)
	}
}

// notice compares how the services stand with how they stood, and keeps what is to
// be told of it. h.mu is held.
func (h *hold) notice() {
	now := h.config.Stand(h.standing, h.down, h.orders.InForce())
	var ill *sick
	h.news = append(h.news, h.config.Notices(h.standing, now, func(v Virtual, r Real) string {
		if ill == nil {
			ill = new(h.down.sick())
		}
		return v.why(r, *ill, h.known)
	})...)
	h.standing = now
}

// why is what the checks said last of a server: of one that is down, a check that failed.
func (v Virtual) why(r Real, down sick, known map[string]check.Status) string {
	isDown := v.downAnywhere(r, down)
	for _, k := range v.Keys {
		for _, q := range v.questions(k, r) {
			if down.Health[q] == isDown {
				return known[q.id()].Reason
			}
		}
	}
	return ""
}

// takeNews returns what is to be told, and forgets it.
func (h *hold) takeNews() []Notice {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.news
	h.news = nil
	return list
}

// A teller tells the news of one director: programs at once, one after the other, and
// events at most so many, so that a flapping server does not push all else out of the
// cluster's memory.
type teller struct {
	agent    *Agent
	r        *pb.Resource
	programs chan string
	pending  []Notice
	told     []time.Time // events, within the last ten minutes
	next     time.Time   // that events may be told again
}

// waitingPrograms is how many programs may wait; of more, the newest are not run.
const waitingPrograms = 1000

func newTeller(a *Agent, r *pb.Resource) *teller {
	return &teller{agent: a, r: r, programs: make(chan string, waitingPrograms)}
}

// Run runs the programs until ctx is canceled.
func (t *teller) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case command := <-t.programs:
			t.agent.run(ctx, t.r, command, programTime)
		}
	}
}

// take takes news, and tells what may be told now.
func (t *teller) take(news []Notice, now time.Time) {
	for _, n := range news {
		t.pending = append(t.pending, n)
		if n.Command == "" {
			continue
		}
		select {
		case t.programs <- n.Command:
		default:
			t.agent.log.Warn("program is not run: too many wait", "resource", t.r.GetId(), "command", n.Command)
		}
	}
	if len(t.pending) > 0 && !now.Before(t.next) {
		t.flush(nil, now)
	}
}

// flush tells what is left to be told, and of these news the events.
func (t *teller) flush(news []Notice, now time.Time) {
	t.pending = append(t.pending, news...)
	for _, e := range summed(t.pending) {
		e.Resource = t.r.GetId()
		t.agent.tell(e)
		t.told = append(t.told, now)
	}
	t.pending = nil
	for len(t.told) > 0 && now.Sub(t.told[0]) > 10*time.Minute {
		t.told = t.told[1:]
	}
	t.next = now.Add(tellEvery)
	if len(t.told) > mostHasty {
		t.next = now.Add(calmly)
	}
}

// summed are the events of some news: each by itself, or if there are too many, one
// for all of a kind.
func summed(news []Notice) (events []*pb.Event) {
	event := func(n Notice) *pb.Event { return &pb.Event{Kind: n.Kind, Severity: n.Severity, Text: n.Text} }
	if len(news) <= mostTold {
		for _, n := range news {
			events = append(events, event(n))
		}
		return events
	}
	more := make(map[string]int)
	for _, n := range news {
		if more[n.Kind]++; more[n.Kind] == 1 {
			events = append(events, event(n))
		}
	}
	for _, e := range events {
		if n := more[e.Kind] - 1; n > 0 {
			e.Text = fmt.Sprintf("%s; so it is with %d more", e.Text, n)
		}
	}
	return events
}
