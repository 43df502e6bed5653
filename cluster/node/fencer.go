package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"quorate/cluster/pair"
	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// A fencer fences the peer of a pair, which has no leader then that could: by what
// this node knows of the devices, and with its own hands.
type fencer struct {
	core  *Core
	begin chan struct{} // has a token when there is something to do

	mu      sync.Mutex
	target  target
	outcome pair.Fencing
	how     string    // what switched the target off
	asked   time.Time // when the driver last wanted to know
	again   time.Time // when a fencing that failed may be tried anew
}

// A target is the peer, of one epoch.
type target struct {
	node  string
	epoch uint64
}

const (
	// fenceAgain is how long to wait after a fencing failed.
	fenceAgain = 2 * time.Second
	// unwanted is after how long without a question the fencing is not wanted any more.
	unwanted = time.Second
)

func newFencer(k *Core) *fencer { return &fencer{core: k, begin: make(chan struct{}, 1)} }

// Configured implements pair.Fencer. Only where something needs a node that is gone
// to be off is it fenced.
func (f *fencer) Configured(st *pb.State, peer string) bool {
	return state.NeedsPower(st) && len(state.WaysToFence(st, peer)) > 0
}

// Fence implements pair.Fencer.
func (f *fencer) Fence(peer string, epoch uint64) pair.Fencing {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = time.Now()
	if wanted := (target{peer, epoch}); f.target != wanted {
		f.target, f.outcome, f.how, f.again = wanted, pair.FencingPending, "", time.Time{}
		f.poke()
	}
	if f.outcome == pair.FencingFailed && !time.Now().Before(f.again) {
		f.outcome = pair.FencingPending
		f.poke()
	}
	return f.outcome
}

func (f *fencer) poke() {
	select {
	case f.begin <- struct{}{}:
	default:
	}
}

// Run fences what is to be fenced until ctx is canceled.
func (f *fencer) Run(ctx context.Context) error {
	for {
		select {
		case <-f.begin:
		case <-ctx.Done():
			return nil
		}
		f.mu.Lock()
		t, pending := f.target, f.outcome == pair.FencingPending
		f.mu.Unlock()
		if !pending {
			continue
		}
		how, err := f.fence(ctx, t)
		f.end(t, how, err)
	}
}

// end notes how a fencing ended, unless another one is wanted by now.
func (f *fencer) end(t target, how string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.target != t || f.outcome != pair.FencingPending:
		return
	case err == nil:
		f.outcome, f.how = pair.FencingDone, how
	case errors.Is(err, errUnwanted):
		f.outcome, f.again = pair.FencingFailed, time.Time{}
	default:
		f.outcome, f.again = pair.FencingFailed, time.Now().Add(fenceAgain)
		f.core.logger.Error("peer not fenced", "peer", state.NodeName(f.state(), t.node), "err", err)
	}
}

// state is what this node knows, be it from before its start.
func (f *fencer) state() *pb.State { return f.core.foresight.Get().State }

// fence tries the ways to switch the peer off, after the delay that settles a race.
func (f *fencer) fence(ctx context.Context, t target) (how string, err error) {
	st := f.state()
	if !f.delay(ctx, raceDelay(st, f.core.id, t.node)) {
		return "", errUnwanted
	}
	err = errors.New("no device can switch it")
	for _, w := range state.WaysToFence(st, t.node) {
		var did []string
		for _, d := range w.Devices {
			if err = f.use(ctx, st, d, t); err != nil {
				break
			}
			did = append(did, fmt.Sprintf("%s, by %s", d.Id, state.NodeName(st, f.core.id)))
		}
		if err == nil {
			return strings.Join(did, " and "), nil
		}
	}
	return "", err
}

var errUnwanted = errors.New("the peer is heard again")

func (f *fencer) use(ctx context.Context, st *pb.State, d *pb.FencingDevice, t target) error {
	name := state.NodeName(st, t.node)
	if !f.delay(ctx, fencing.Delay(d, name, rand.Float64())) { //nolint:gosec // no secret
		return errUnwanted
	}
	if p := state.MissingSecret(st, d); p != "" {
		return fmt.Errorf("%s: its %s is not known", d.Id, p)
	}
	// No number of the log's, and another one for each epoch of the peer.
	r := &pb.OperateRequest{Fencing: 1<<63 | t.epoch, Device: state.Revealed(st, d), Action: fencing.Off, Target: name}
	answer, err := f.order(ctx, r)
	switch {
	case err != nil:
		return err
	case fencing.Yielded(answer.Error):
		return errUnwanted
	case answer.Error != "":
		return fmt.Errorf("%s: %s", d.Id, answer.Error)
	}
	return nil
}

// order has a device do something for as long as that is wanted: a peer that is heard
// again is not to be switched off by a device that answers at last.
func (f *fencer) order(ctx context.Context, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	done, end := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer end()
	watching.Go(func() {
		if f.lapses(done) {
			f.core.operator.CallOff(func(fencing uint64, _ string) bool { return fencing != r.Fencing })
		}
	})
	return f.core.operator.Operate(ctx, r)
}

// lapses waits until the fencing is not wanted any more; false: ctx ended before.
func (f *fencer) lapses(ctx context.Context) bool {
	tick := time.NewTicker(unwanted / 10)
	defer tick.Stop()
	for f.wanted() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// wanted reports whether the fencing that was begun is still asked for.
func (f *fencer) wanted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.asked) <= unwanted && f.outcome == pair.FencingPending
}

// delay waits, and reports whether the fencing is still wanted then.
func (f *fencer) delay(ctx context.Context, d time.Duration) bool {
	for end := time.Now().Add(d); ; {
		if !f.wanted() || ctx.Err() != nil {
			return false
		}
		left := time.Until(end)
		if left <= 0 {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(left, unwanted/10)):
		}
	}
}

// raceDelay is how long a node waits before it fences its peer, so that two that see
// each other die do not shoot each other: the one that runs less waits, or of equals
// the one that is not preferred ("priority-fencing-delay").
func raceDelay(st *pb.State, self, peer string) time.Duration {
	d, err := state.ParseDuration(state.Property(st, "priority-fencing-delay"))
	if err != nil || !state.YieldsRace(st, self, peer) {
		return 0
	}
	return d
}

// by is what switched a peer off.
func (f *fencer) by(peer string, epoch uint64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.target != (target{peer, epoch}) || f.outcome != pair.FencingDone {
		return ""
	}
	return f.how
}

// confirm takes a person's word that the peer is off, if its fencing is waited for.
func (f *fencer) confirm(peer, actor string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := f.outcome == pair.FencingPending || f.outcome == pair.FencingFailed
	if f.target.node != peer || !waiting || time.Since(f.asked) > unwanted+pair.Again {
		return false
	}
	f.outcome, f.how = pair.FencingDone, actor+" says so"
	return true
}
