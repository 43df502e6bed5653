package lab

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
)

// A chronicle is what the agents of a lab say while something goes on. Each is
// asked over and over: they keep the newest events only, and their counters
// begin anew with each start.
type chronicle struct {
	cluster *Cluster
	every   time.Duration

	mu      sync.Mutex
	events  map[eventKey]Told
	nodes   map[string]*NodeTale
	leader  string
	changes int // of the leader
}

// eventKey tells events apart, also those of two halves of a cluster that went
// on without each other and gave the same ids.
type eventKey struct {
	id   uint64
	at   time.Duration
	text string
}

// Told is an event of a cluster.
type Told struct {
	ID       uint64        `json:"id"`
	At       time.Duration `json:"at"`   // on the machine's monotonic clock
	Took     time.Duration `json:"took"` // from its first sign to its end
	Kind     string        `json:"kind"`
	Node     string        `json:"node,omitempty"`
	Resource string        `json:"resource,omitempty"`
	Text     string        `json:"text"`
}

// NodeTale is what one agent counted, over all its lives.
type NodeTale struct {
	Node    string        `json:"node"`
	Lapses  uint64        `json:"lapses"`           // times that it lost its lease
	Worst   time.Duration `json:"worst_beat_delay"` // that a beat was sent late, by
	Threads string        `json:"threads"`          // how those that beat are scheduled

	last uint64 // lapses at the last look, of this life
	seen bool
}

func newChronicle(c *Cluster, every time.Duration) *chronicle {
	k := &chronicle{cluster: c, every: every, events: map[eventKey]Told{}, nodes: map[string]*NodeTale{}}
	for _, n := range c.Lab.Spec.Nodes() {
		k.nodes[n] = &NodeTale{Node: n}
	}
	return k
}

// Run asks until ctx ends, and once more then.
func (k *chronicle) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, node := range k.cluster.Lab.Spec.Nodes() {
		g.Go(func() error {
			for pause(ctx, k.every) == nil {
				k.look(ctx, node)
			}
			k.look(context.WithoutCancel(ctx), node)
			return nil
		})
	}
	return g.Wait()
}

// look asks one agent, which may not run or have no time.
func (k *chronicle) look(ctx context.Context, node string) {
	v, err := k.cluster.View(ctx, node)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nodes[node].add(v.GetLease())
	for _, e := range v.GetState().GetEvents() {
		t := newTold(e)
		k.events[eventKey{t.ID, time.Duration(e.GetAt().AsTime().UnixNano()), t.Text}] = t
	}
	if v.Leader != "" && v.Leader != k.leader && v.Leader == node { // by its own word
		if k.leader != "" {
			k.changes++
		}
		k.leader = node
	}
}

func (t *NodeTale) add(l *pb.LeaseStatus) {
	t.Worst, t.Threads = max(t.Worst, l.GetWorstBeatDelay().AsDuration()), l.GetScheduling()
	lapses := l.GetLapses()
	switch {
	case !t.seen:
	case lapses >= t.last:
		t.Lapses += lapses - t.last
	default:
		t.Lapses += lapses // of a new life
	}
	t.last, t.seen = lapses, true
}

func newTold(e *pb.Event) Told {
	t := Told{
		ID: e.GetId(), At: monotonic(unix.NsecToTimespec(e.GetAt().AsTime().UnixNano())),
		Kind: e.GetKind(), Node: e.GetNode(), Resource: e.GetResource(), Text: e.GetText(),
	}
	if phases := e.GetPhases(); len(phases) > 0 {
		t.Took = phases[len(phases)-1].GetAt().AsDuration()
	}
	return t
}

// since returns the events after a moment, oldest first.
func (k *chronicle) since(at time.Duration) []Told {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []Told
	for _, t := range k.events {
		if t.At >= at {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b Told) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	return all
}

// tales returns what each agent counted, by name.
func (k *chronicle) tales() []NodeTale {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []NodeTale
	for _, t := range k.nodes {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b NodeTale) int { return cmp.Compare(a.Node, b.Node) })
	return all
}

func (k *chronicle) leaderChanges() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changes
}

func count(events []Told, kind string) int {
	n := 0
	for _, e := range events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
