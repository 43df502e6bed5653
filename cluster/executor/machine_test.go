package executor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

const (
	start  = pb.OperationKind_OPERATION_KIND_START
	stop   = pb.OperationKind_OPERATION_KIND_STOP
	probe  = pb.OperationKind_OPERATION_KIND_PROBE
	reload = pb.OperationKind_OPERATION_KIND_RELOAD

	done    = pb.Outcome_OUTCOME_DONE
	refused = pb.Outcome_OUTCOME_REFUSED
)

// A machine is a simulated host: what runs on it, and a lease to grant and take.
type machine struct {
	t    *testing.T
	exec *Executor

	mu      sync.Mutex
	epoch   uint64
	held    bool
	running map[string]string // resource id: the parameter "value" it runs with
	history []string
	delay   map[string]time.Duration // of start, by resource id
	lasts   time.Duration            // how long a stop takes
	stays   error                    // why nothing can be stopped; nil: it can
	stuck   map[string]bool          // start ignores its context
	fail    map[string]error         // of start
	poke    map[string]func(string)
	reports []*pb.Result
	events  int
	taken   error // what is in the way of every start
	mute    bool  // no report reaches the leader
	meta    *pb.AgentMetadata
	looks   map[time.Duration]int // monitors, by interval; 0: probes
	told    map[string]string     // beside the resource, at the newest monitor
}

// onMachine runs f in a bubble on a machine that holds a lease of epoch 1.
func onMachine(t *testing.T, f func(m *machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{
			t: t, epoch: 1, held: true, running: map[string]string{}, delay: map[string]time.Duration{},
			stuck: map[string]bool{}, fail: map[string]error{}, poke: map[string]func(string){},
			meta: &pb.AgentMetadata{}, looks: map[time.Duration]int{},
		}
		m.exec = New(Config{
			Node: "n1", Nonce: 7, Lease: m, Log: m, Agents: m, Clear: m.clear, Logger: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		defer run.Wait() // also of a test that fails
		defer cancel()
		run.Go(func() { _ = m.exec.Run(ctx) })
		synctest.Wait()
		f(m)
	})
}

func (m *machine) Held() (uint64, time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch, 0, m.held
}

func (m *machine) hold(held bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = held
}

func (m *machine) Propose(_ context.Context, c *pb.Command) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mute {
		return errors.New("no leader")
	}
	if events := c.GetRecord().GetEvents(); len(events) > 0 {
		m.events += len(events)
		return nil
	}
	m.reports = append(m.reports, c.GetRecordResult().GetResult())
	return nil
}

func (m *machine) clear(ctx context.Context, _ *pb.Resource) (context.Context, context.CancelFunc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, done := context.WithCancel(ctx)
	return ctx, done, m.taken
}

func (m *machine) Find(string) (resources.Agent, error) { return agent{m}, nil }

func (m *machine) note(event string) {
	m.history = append(m.history, event)
}

func (m *machine) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.history
	m.history = nil
	return h
}

func (m *machine) runs(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.running[id]
	return ok
}

// agent acts on the machine.
type agent struct{ *machine }

func (a agent) Metadata() *pb.AgentMetadata { return a.meta }

func (a agent) Validate(context.Context, *pb.Resource) ([]string, error) { return nil, nil }

func (a agent) Start(ctx context.Context, r *pb.Resource) error {
	a.mu.Lock()
	delay, stuck := a.delay[r.Id], a.stuck[r.Id]
	a.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		if !stuck {
			return ctx.Err()
		}
		time.Sleep(delay)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.fail[r.Id]; err != nil {
		return err
	}
	a.running[r.Id] = r.Parameters["value"]
	a.note("start " + r.Id)
	return nil
}

func (a agent) Stop(_ context.Context, r *pb.Resource) error {
	time.Sleep(a.lasts)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stays != nil {
		return a.stays
	}
	delete(a.running, r.Id)
	a.note("stop " + r.Id + r.Parameters["value"])
	return nil
}

func (a agent) Halt(_ context.Context, r *pb.Resource) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.running, r.Id)
	a.note("halt " + r.Id)
	return nil
}

func (a agent) Monitor(ctx context.Context, r *pb.Resource) (resources.State, error) {
	a.mu.Lock()
	a.looks[resources.RecurringIn(ctx).GetInterval().AsDuration()]++
	a.told = resources.Told(ctx)
	a.mu.Unlock()
	if a.value(r.Id) == "promoted" {
		return resources.Promoted, nil
	}
	if a.runs(r.Id) {
		return resources.Running, nil
	}
	return resources.Stopped, nil
}

func (a agent) Reload(_ context.Context, r *pb.Resource) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[r.Id] = r.Parameters["value"]
	return nil
}

func (a agent) Watch(ctx context.Context, r *pb.Resource, changed func(string)) error {
	a.mu.Lock()
	a.poke[r.Id] = changed
	a.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// request makes an order with a fresh operation id for epoch 1 of this start.
func request(kind pb.OperationKind, id string, assignment uint64) *pb.ExecuteRequest {
	lastID++
	return &pb.ExecuteRequest{
		Nonce:     7,
		Resource:  &pb.Resource{Id: id, Parameters: map[string]string{"value": ""}},
		Operation: &pb.Operation{Id: lastID, Kind: kind, Resource: id, Epoch: 1, Assignment: assignment, Timeout: durationpb.New(10 * time.Second)},
	}
}

func (m *machine) do(r *pb.ExecuteRequest) *pb.Result {
	m.t.Helper()
	answer, err := m.exec.Execute(m.t.Context(), r)
	if err != nil {
		m.t.Fatalf("Execute(%v): %v", r.Operation, err)
	}
	return answer.Result
}

func (m *machine) want(res *pb.Result, outcome pb.Outcome) {
	m.t.Helper()
	if res.Outcome != outcome {
		m.t.Errorf("%s %s: got %s (%s), want %s", res.Kind, res.Resource, res.Outcome, res.Error, outcome)
	}
}
