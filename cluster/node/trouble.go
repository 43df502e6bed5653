package node

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/executor"
	"quorate/cluster/reach"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

const (
	// An obstacle must have been gone for so long before it is called gone: a link
	// that flaps moves things once.
	settle = time.Second
	// reportTimeout bounds one attempt to commit a report, after which there may be
	// something else to report.
	reportTimeout = time.Second
	reportRetry   = 100 * time.Millisecond
)

// A reporter tells the cluster what keeps this node from serving: that it reaches
// none of the ping targets, what obstacles the resources would meet here, and for
// which of them it has yet to hear something. It
// compares what it finds with what the state says of this node, so that neither
// a lost report nor one of an earlier start of the agent stays wrong.
type reporter struct {
	id       string // of this node
	store    *state.Store
	propose  func(context.Context, *pb.Command) error
	reach    *reach.Pinger // nil: nothing is pinged
	agents   executor.Agents
	watchdog func() error // why this node has no watchdog; nil: it needs none
	logger   *slog.Logger

	poked     chan struct{} // has a token when something may be found otherwise
	confirmed atomic.Uint64 // see pb.Reach

	// Of the loop alone:
	lacking   bool                    // something needs a watchdog, and there is none: looked again by and by
	surveyed  bool                    // obstacles is of this configuration and nothing has changed since
	of        uint64                  // index of that configuration
	obstacles map[string]*pb.Obstacle // by resource
	gone      map[string]time.Time    // since when an obstacle of the state is not met any more

	awaited  []expected // of this configuration
	epoch    uint64     // of this node, since admitted
	admitted time.Time
}

func newReporter(k *Core, c CoreConfig) *reporter {
	return &reporter{
		id: c.ID, store: c.Store, propose: leaseLog{k}.Propose, reach: c.Pinger, agents: c.Agents, watchdog: c.Watchdog, logger: c.Log,
		poked: make(chan struct{}, 1), gone: make(map[string]time.Time),
	}
}

// Run reports until ctx is canceled.
func (t *reporter) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if t.reach != nil {
		g.Go(func() error { return t.reach.Run(ctx) })
		g.Go(func() error { return t.confirm(ctx) })
	}
	g.Go(func() error { return t.loop(ctx) })
	return g.Wait()
}

func (t *reporter) poke() {
	select {
	case t.poked <- struct{}{}:
	default:
	}
}

func (t *reporter) loop(ctx context.Context) error {
	following := &followers{poke: t.poke, known: make(map[resources.Surveyor]bool)}
	defer following.wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	verdict := make(<-chan struct{})
	for ctx.Err() == nil {
		changed := t.store.Changed()
		s := t.store.Get().State
		if t.reach != nil {
			verdict = t.reach.Changed()
			t.reach.Set(state.PingTargets(s))
		}
		wait := t.report(ctx, s, following)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-verdict:
		case <-t.poked:
			t.surveyed = false
		case <-time.After(wait):
		}
	}
	return nil
}

// idle is how long nothing has to be looked at again without a sign.
const idle = time.Hour

// report commits what the state does not say yet, and returns when to look again.
func (t *reporter) report(ctx context.Context, s *pb.State, following *followers) time.Duration {
	n := state.NodeByID(s, t.id)
	if n == nil || n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Role == pb.Role_ROLE_WITNESS {
		return idle
	}
	t.survey(ctx, s, following)
	found, wait := t.find(n)
	if t.lacking {
		wait = min(wait, watchdogLook)
	}
	if same(n, found) {
		return wait
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	err := t.propose(ctx, &pb.Command{Body: &pb.Command_LocalTrouble{LocalTrouble: found}})
	if err != nil {
		t.logger.Info("local trouble not reported yet", "err", err)
		return reportRetry
	}
	return wait
}

// survey asks the agents what the resources would meet here, if that may have
// changed.
func (t *reporter) survey(ctx context.Context, s *pb.State, following *followers) {
	if t.surveyed && t.of == s.ConfigurationIndex && !t.lacking {
		return
	}
	t.surveyed, t.of, t.lacking = true, s.ConfigurationIndex, false
	t.obstacles, t.awaited = make(map[string]*pb.Obstacle), nil
	for _, r := range s.Resources {
		agent, err := t.agents.Find(r.Agent)
		if err != nil || r.Deleting {
			continue
		}
		if rehearser, ok := agent.(resources.Rehearser); ok {
			t.awaited = append(t.awaited, expected{r, rehearser})
		}
		if o := t.unwatched(s, r); o != nil {
			t.lacking, t.obstacles[r.Id] = true, o
			continue
		}
		surveyor, ok := agent.(resources.Surveyor)
		if !ok {
			continue
		}
		following.follow(ctx, surveyor, t.logger.Warn)
		if f := surveyor.Survey(r); f != nil {
			t.obstacles[r.Id] = &pb.Obstacle{Resource: r.Id, Kind: f.Kind, Text: f.Text}
		}
	}
}

// watchdogLook is how long a watchdog that was loaded goes unnoticed.
const watchdogLook = 5 * time.Second

// unwatched is the obstacle of a node without a watchdog for what needs one; nil: none.
func (t *reporter) unwatched(s *pb.State, r *pb.Resource) *pb.Obstacle {
	if t.watchdog == nil || state.WatchdogTimeout(s, r.Id) == 0 {
		return nil
	}
	if err := t.watchdog(); err != nil {
		return &pb.Obstacle{Resource: r.Id, Kind: "no-watchdog", Text: "fencing=watchdog needs a watchdog: " + err.Error()}
	}
	return nil
}

// find returns what is to be reported, and when that may change by itself.
func (t *reporter) find(n *pb.Node) (*pb.LocalTrouble, time.Duration) {
	l := &pb.LocalTrouble{Node: n.Id, Epoch: n.Epoch, Isolated: n.Reach.GetIsolated() > 0, Confirmed: max(t.confirmed.Load(), n.Reach.GetConfirmed())}
	if t.reach == nil {
		l.Isolated = false
	} else if isolated, known := t.reach.Isolated(); known {
		l.Isolated = isolated
	}
	standings, wait := t.standings(n)
	l.Standings = standings
	for resource := range t.gone {
		if state.ObstacleOf(n, resource) == nil {
			delete(t.gone, resource)
		}
	}
	for _, o := range t.obstacles {
		l.Obstacles = append(l.Obstacles, o)
		delete(t.gone, o.Resource)
	}
	for _, o := range n.Obstacles {
		if t.obstacles[o.Resource] != nil {
			continue
		}
		since, noted := t.gone[o.Resource]
		if !noted {
			since = time.Now()
			t.gone[o.Resource] = since
		}
		if left := settle - time.Since(since); left > 0 {
			l.Obstacles = append(l.Obstacles, o)
			wait = min(wait, left)
		}
	}
	return l, wait
}

// same reports whether the state says of a node what it would report.
func same(n *pb.Node, l *pb.LocalTrouble) bool {
	if l.Isolated != (n.Reach.GetIsolated() > 0) || l.Confirmed != n.Reach.GetConfirmed() || len(l.Obstacles) != len(n.Obstacles) ||
		!sameStandings(n, l.Standings) {
		return false
	}
	for _, o := range l.Obstacles {
		if !proto.Equal(o, state.ObstacleOf(n, o.Resource)) {
			return false
		}
	}
	return true
}

// confirm answers the isolation of other nodes: whether this one has reached a
// target since then. So the leader need not wait to find out whether the targets
// are out of reach for all.
func (t *reporter) confirm(ctx context.Context) error {
	for ctx.Err() == nil {
		changed, verdict := t.store.Changed(), t.reach.Changed()
		asked := state.Isolation(t.store.Get().State, t.id)
		if asked > t.confirmed.Load() && t.reaches(ctx) {
			t.confirmed.Store(asked)
			t.poke()
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-verdict:
		}
	}
	return nil
}

// reaches asks the targets anew.
func (t *reporter) reaches(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, t.reach.Patience)
	defer cancel()
	return t.reach.Confirm(ctx)
}

// followers listen for the surveyors' signs, one goroutine each.
type followers struct {
	poke  func()
	known map[resources.Surveyor]bool
	group errgroup.Group
}

func (f *followers) follow(ctx context.Context, s resources.Surveyor, warn func(string, ...any)) {
	if f.known[s] {
		return
	}
	f.known[s] = true
	f.group.Go(func() error {
		if err := s.Follow(ctx, f.poke); err != nil && ctx.Err() == nil {
			warn("obstacles are seen by starts and monitors only", "err", err)
		}
		return nil
	})
}

func (f *followers) wait() { _ = f.group.Wait() }
