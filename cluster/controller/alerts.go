package controller

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"quorate/cluster/alert"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// The leader tells alerts of what happens, beside its plans, which wait for none of
// it. It tells what the state has of events, so that what no majority knows of is
// told nowhere, and what an earlier leader did not come to tell is told by the next
// one: at least once, in order for each recipient. A run that ends with the term is
// repeated.

// An Alerter runs an alert on this node.
type Alerter func(ctx context.Context, c alert.Call) error

const (
	// mostAlerts is how many alerts run at once.
	mostAlerts = 8
	// mostWaiting is how many events may wait for a recipient. Of more the oldest
	// are dropped: a program that hangs is not told of yesterday tomorrow.
	mostWaiting = 100
	// noteInterval is the least time between two notes of how far alerts are.
	noteInterval = 2 * time.Second
)

// errTooSlow is the outcome of what was dropped.
var errTooSlow = errors.New("its program is too slow: the oldest events were not told")

// A lane is who is told one event after the other: a recipient of an alert.
type lane struct{ alert, recipient string } // ids; an empty recipient: nobody

func laneOf(c alert.Call) lane { return lane{c.Alert.GetId(), c.Recipient.GetId()} }

// A telling is a term's work on alerts. Its fields belong to the goroutine of run.
type telling struct {
	*term
	queued  uint64                // id of the event up to which runs were queued
	waiting map[lane][]alert.Call // not begun yet; there is a key while one runs
	open    map[uint64]int        // runs that have not ended, by event
	ended   chan outcome
	slots   chan struct{}
	news    map[lane]*pb.AlertCondition // not committed yet
	ran     bool                        // something has ended that is not noted yet
	noted   time.Time
}

type outcome struct {
	call alert.Call
	err  error
}

// tellAlerts tells alerts of events until the term ends.
func (t *term) tellAlerts(ctx context.Context) error {
	if t.alerts == nil {
		return nil
	}
	x := &telling{
		term: t, queued: t.state.Get().State.GetAlertsTold(),
		waiting: make(map[lane][]alert.Call), open: make(map[uint64]int), news: make(map[lane]*pb.AlertCondition),
		ended: make(chan outcome), slots: make(chan struct{}, mostAlerts),
	}
	return x.run(ctx)
}

func (x *telling) run(ctx context.Context) error {
	for {
		changed := x.state.Changed()
		st := x.state.Get().State
		x.queue(ctx, st)
		due, err := x.note(ctx, st)
		if err != nil {
			return err
		}
		timer := time.NewTimer(due)
		select {
		case <-changed:
		case <-timer.C:
		case o := <-x.ended:
			x.end(ctx, o)
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// queue queues the runs that new events lead to.
func (x *telling) queue(ctx context.Context, st *pb.State) {
	x.queued = max(x.queued, st.GetAlertsTold())
	first, _ := slices.BinarySearchFunc(st.GetEvents(), x.queued+1, func(e *pb.Event, id uint64) int { return int(e.GetId()) - int(id) })
	for _, e := range st.GetEvents()[first:] {
		x.queued = e.GetId()
		for _, c := range alert.Calls(st.GetAlerts(), e, func(resource, id string) bool { return state.Within(st, resource, id) }) {
			c.NodeID, c.Cluster = state.NodeByName(st, e.GetNode()).GetId(), st.GetClusterName()
			x.open[e.GetId()]++
			x.put(ctx, c)
		}
	}
}

// put begins a run, or lets it wait for those before it.
func (x *telling) put(ctx context.Context, c alert.Call) {
	of := laneOf(c)
	list, busy := x.waiting[of]
	if !busy {
		x.waiting[of] = nil
		x.begin(ctx, c)
		return
	}
	if len(list) >= mostWaiting {
		x.close(outcome{list[0], errTooSlow})
		list = list[1:]
	}
	x.waiting[of] = append(list, c)
}

func (x *telling) begin(ctx context.Context, c alert.Call) {
	x.group.Go(func() error {
		select {
		case x.slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		err := x.alerts(ctx, c)
		<-x.slots
		select {
		case x.ended <- outcome{c, err}:
		case <-ctx.Done():
		}
		return nil
	})
}

// end takes the outcome of a run, and begins the next one of its lane.
func (x *telling) end(ctx context.Context, o outcome) {
	x.close(o)
	of := laneOf(o.call)
	if list := x.waiting[of]; len(list) > 0 {
		x.waiting[of] = list[1:]
		x.begin(ctx, list[0])
		return
	}
	delete(x.waiting, of)
}

// close counts a run as ended, and says so if it ended otherwise than the one before.
func (x *telling) close(o outcome) {
	id, of := o.call.Event.GetId(), laneOf(o.call)
	if x.open[id]--; x.open[id] == 0 {
		delete(x.open, id)
	}
	x.ran = true
	failed := ""
	if o.err != nil {
		failed = o.err.Error()
		x.logger.Warn("alert failed", "alert", of.alert, "recipient", of.recipient, "event", id, "err", o.err)
	}
	known := cmp.Or(x.news[of], state.AlertConditionOf(x.state.Get().State, of.alert, of.recipient))
	if known == nil || (known.Error == "") != (failed == "") {
		x.news[of] = &pb.AlertCondition{Alert: of.alert, Recipient: of.recipient, Node: x.self, Error: failed}
	}
}

// told is the id of the event up to which no run is open.
func (x *telling) told() uint64 {
	told := x.queued
	for id := range x.open {
		told = min(told, id-1)
	}
	return told
}

// note commits how far the alerts are, if that is news, and returns when to look again.
func (x *telling) note(ctx context.Context, st *pb.State) (time.Duration, error) {
	told := x.told()
	if !x.ran || told <= st.GetAlertsTold() && len(x.news) == 0 {
		return time.Hour, nil
	}
	if left := noteInterval - time.Since(x.noted); left > 0 {
		return left, nil
	}
	r := &pb.RecordAlerts{Told: told}
	for _, c := range x.news {
		r.Conditions = append(r.Conditions, c)
	}
	_, err := x.log.Propose(ctx, &pb.Command{Body: &pb.Command_RecordAlerts{RecordAlerts: r}})
	var refused *state.Refusal
	if err != nil && ctx.Err() == nil && !errors.As(err, &refused) {
		return 0, err
	}
	clear(x.news)
	x.noted, x.ran = time.Now(), false
	return time.Hour, nil
}
