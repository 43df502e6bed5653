// Package health lets what a check says of a node decide where resources run: kind
// quorate:health, which is meant to be cloned.
//
// While it runs on a node it asks again and again, and keeps the answer as a
// transient attribute of the node; rules of locations say what follows from it.
// So no decision is made here, and a failing check is no failure of the resource:
// it runs as long as it can tell. The first answer is committed before Start
// returns, so what is ordered after it is placed by what is known.
package health

import (
	"context"
	"log/slog"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var (
	_ resources.Agent    = (*Agent)(nil)
	_ resources.Watcher  = (*Agent)(nil)
	_ resources.Reloader = (*Agent)(nil)
	_ resources.Detailer = (*Agent)(nil)
)

// Attributes are those of this node that programs set.
type Attributes interface {
	// Set has one set, and returns at once; an empty value removes it.
	Set(name, value string, dampen time.Duration) error
	// Settle waits until what was set is committed.
	Settle(ctx context.Context, names ...string) error
}

// Config is what the agent is given.
type Config struct {
	RunDir     string // for records; empty: /run/quorate
	Attributes Attributes
	Log        *slog.Logger // nil: none
}

// An Agent runs the health resources of one node. Its methods may be called at the
// same time, for one resource too.
type Agent struct {
	log        *slog.Logger
	runDir     string
	attributes Attributes

	mu    sync.Mutex
	holds map[string]*hold // by resource id
}

// A hold is what the agent knows of one resource.
type hold struct {
	renewed chan struct{} // has a token when the settings are others

	mu       sync.Mutex // held over a change of the record
	settings *settings  // nil: it does not run, or the agent began after it
	value    string
	reason   string
}

// New returns an agent that has done nothing yet.
func New(c Config) *Agent {
	a := &Agent{log: c.Log, runDir: c.RunDir, attributes: c.Attributes, holds: make(map[string]*hold)}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.runDir == "" {
		a.runDir = "/run/quorate"
	}
	return a
}

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata { return metadata }

// Validate implements [resources.Agent].
func (a *Agent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	s, err := parse(r)
	if err != nil {
		return nil, err
	}
	return []string{"attribute " + s.attribute + " " + s.source.String()}, nil
}

// firstAnswer is how long a Start waits for one at most; then the answer is that
// there was none.
const firstAnswer = 10 * time.Second

// Start implements [resources.Agent].
func (a *Agent) Start(ctx context.Context, r *pb.Resource) error {
	s, err := parse(r)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	value, reason := s.source.first(limited)
	if err := a.take(r, s, value, reason); err != nil {
		return err
	}
	_ = a.attributes.Settle(limited, s.attribute) // it is committed as soon as that is possible
	return nil
}

// Reload implements [resources.Reloader].
func (a *Agent) Reload(ctx context.Context, r *pb.Resource) error { return a.Start(ctx, r) }

// take makes the settings those that are in force, with the value that they give.
func (a *Agent) take(r *pb.Resource, s *settings, value, reason string) error {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	last, err := a.read(r)
	if err != nil {
		a.log.Warn("record not read; it is made anew", "resource", r.GetId(), "err", err)
	}
	if last != nil && last.Attribute != "" && last.Attribute != s.attribute {
		if err := a.attributes.Set(last.Attribute, "", 0); err != nil {
			return err
		}
	}
	h.settings = s
	if err := a.say(r, h, s, value, reason, 0); err != nil {
		return err
	}
	signal(h.renewed)
	return nil
}

// say makes a value the attribute's. h.mu is held.
func (a *Agent) say(r *pb.Resource, h *hold, s *settings, value, reason string, dampen time.Duration) error {
	if err := a.write(r, record{Attribute: s.attribute, Value: value}); err != nil {
		return err
	}
	a.log.Info("health found", "resource", r.GetId(), "attribute", s.attribute, "value", value, "reason", reason)
	h.value, h.reason = value, reason
	return a.attributes.Set(s.attribute, value, dampen)
}

// Stop implements [resources.Agent]. The attribute goes with it.
func (a *Agent) Stop(_ context.Context, r *pb.Resource) error {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	last, err := a.read(r)
	if err == nil && last != nil && last.Attribute != "" {
		err = a.attributes.Set(last.Attribute, "", 0)
	}
	h.settings, h.value, h.reason = nil, "", ""
	if err != nil {
		a.log.Warn("attribute not removed", "resource", r.GetId(), "err", err)
	}
	return a.remove(r)
}

// Monitor implements [resources.Agent].
func (a *Agent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	last, err := a.read(r)
	switch {
	case last == nil && err != nil:
		return resources.Unknown, err
	case last == nil:
		return resources.Stopped, nil
	}
	return resources.Running, nil
}

// Watch implements [resources.Watcher]. It owns the checks; of faults it has none to
// tell.
func (a *Agent) Watch(ctx context.Context, r *pb.Resource, _ func(why string)) error {
	h := a.hold(r)
	for ctx.Err() == nil {
		s, last := a.current(r, h)
		asking, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		if s != nil {
			running.Go(func() {
				s.source.follow(asking, last, func(value, reason string) { a.tell(r, h, s, value, reason) })
			})
		}
		select {
		case <-ctx.Done():
		case <-h.renewed:
		}
		stop()
		running.Wait()
	}
	return nil
}

// current returns the settings in force and the value that is known. Where the agent
// began after the resource they are those of its record, which may have to be told
// again: the attribute is gone if the node was gone meanwhile.
func (a *Agent) current(r *pb.Resource, h *hold) (*settings, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.settings != nil {
		return h.settings, h.value
	}
	last, err := a.read(r)
	if err != nil || last == nil {
		return nil, "" // a Start will say when there is something to ask
	}
	s, err := parse(r)
	if err != nil {
		a.log.Warn("health is not found any more", "resource", r.GetId(), "err", err)
		return nil, ""
	}
	h.settings, h.value, h.reason = s, last.Value, "as before the agent began"
	if err := a.attributes.Set(s.attribute, last.Value, 0); err != nil {
		a.log.Warn("attribute not set", "resource", r.GetId(), "err", err)
	}
	return s, last.Value
}

// tell takes a new value, unless other settings are in force by now.
func (a *Agent) tell(r *pb.Resource, h *hold, s *settings, value, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.settings != s {
		return
	}
	if err := a.say(r, h, s, value, reason, s.dampen); err != nil {
		a.log.Warn("attribute not set", "resource", r.GetId(), "err", err)
	}
}

// Detail implements [resources.Detailer]: "web-ok=1: status 200".
func (a *Agent) Detail(r *pb.Resource) string {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.settings == nil {
		return ""
	}
	return h.settings.attribute + "=" + h.value + ": " + h.reason
}

func (a *Agent) hold(r *pb.Resource) *hold {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok := a.holds[r.GetId()]
	if !ok {
		h = &hold{renewed: make(chan struct{}, 1)}
		a.holds[r.GetId()] = h
	}
	return h
}

// signal leaves a token for whoever waits.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is one
	}
}
