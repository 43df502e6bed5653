// Package vip keeps a floating IP address on one node: kind quorate:vip, known
// to tutorials as ocf:heartbeat:IPaddr2.
//
// The address is on an interface or it is not; there is no process behind it.
// So the agent reads and changes the kernel over netlink, announces the address
// to the neighbours (gratuitous ARP, unsolicited neighbour advertisement) in
// the instant in which it is added, and, while it is watched, from time to time
// and whenever another host claims it. It touches no address but the
// resource's own, on whichever interface and with whichever prefix that is.
//
// Who may hold the address is not decided here. A [Guard], where there is one,
// makes the kernel silence it when the node's lease ends.
package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var (
	_ resources.Agent    = (*Agent)(nil)
	_ resources.Watcher  = (*Agent)(nil)
	_ resources.Halter   = (*Agent)(nil)
	_ resources.Detailer = (*Agent)(nil)
	_ resources.Asker    = (*Agent)(nil)
	_ resources.Surveyor = (*Agent)(nil)
	_ resources.Tracer   = (*Agent)(nil)
)

// A Guard silences addresses in the kernel while the node holds no lease. Where
// it is a [fmt.Stringer], that is how the details of a resource name it.
type Guard interface {
	// Add admits an address under the present lease, or fails, as it does once
	// ctx, and so the right to serve, has ended. It is called before the address
	// is added to an interface.
	Add(ctx context.Context, addr netip.Addr) error
	// Revoke silences an address at once; Remove forgets it, once it is on no
	// interface. Both do nothing for an address that was not added.
	Revoke(addr netip.Addr) error
	Remove(addr netip.Addr) error
}

// Config is what the agent is given.
type Config struct {
	Log   *slog.Logger // nil: none
	Guard Guard        // nil: the address is as safe as the agent is alive
	// Deadline returns the end of the lease that the node holds now, on the
	// clock that Now reads, and whether it holds one. Nothing is announced
	// without. Nil: the caller's Start and Stop alone say what is held.
	Deadline func() (time.Duration, bool)
	Now      func() time.Duration // nil: CLOCK_MONOTONIC_RAW
	// Conflict is told when another host claims an address that is held here, and
	// every minute while it goes on. It does not block. Nil: it is only logged.
	Conflict func(resource, text string)
}

// An Agent runs all addresses of one node. Its methods may be called at the
// same time, for one resource too: a halt does not wait for a start.
type Agent struct {
	log      *slog.Logger
	guard    Guard
	deadline func() (time.Duration, bool)
	now      func() time.Duration
	conflict func(resource, text string)
	out      sender
	late     sync.WaitGroup // sockets that are being closed

	mu    sync.Mutex
	holds map[string]*hold // by resource id
}

// A hold is what the agent knows of one resource's address. It outlives a stop.
type hold struct {
	started chan struct{} // holds a token when Start has announced the address
	again   chan struct{} // holds a token when it is to be announced anew
	limit   limiter       // of its announcements
	placing sync.Mutex    // held while the address is put on an interface, or taken off

	mu     sync.Mutex
	active bool   // between the end of Start and the beginning of Stop
	starts int    // how often Start has ended
	link   string // where Start or Monitor last saw it; "" before the first
	rival  rival  // who claimed it last
}

// A rival is another host that claims the address.
type rival struct {
	mac  string
	told time.Time // when Config.Conflict was called for it last
}

// New returns an agent that has done nothing yet.
func New(c Config) *Agent {
	a := &Agent{
		log: c.Log, guard: c.Guard, deadline: c.Deadline, now: c.Now, conflict: c.Conflict, holds: make(map[string]*hold),
	}
	if a.conflict == nil {
		a.conflict = func(string, string) {}
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = rawNow
	}
	return a
}

// Use has a guard admit what is started from now on. Nothing may have been
// started before.
func (a *Agent) Use(g Guard) { a.guard = g }

// Announce announces all addresses that are held here, from the beginning of
// their schedule: neighbours may have learned something else while the network
// was cut. However often it is called, the limit of each address holds.
func (a *Agent) Announce() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.holds {
		h.anew()
	}
}

// anew has the watch begin the announcements anew, as soon as their limit allows.
func (h *hold) anew() {
	select {
	case h.again <- struct{}{}:
	default: // about to already
	}
}

// Close releases what the agent holds beside its addresses, which stay. Nothing
// else may be called from then on, and no Watch may run.
func (a *Agent) Close() error {
	a.late.Wait()
	return a.out.close()
}

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata { return metadata }

// Validate implements [resources.Agent]. It finds out the interface and the
// prefix that Start would use on this node.
func (a *Agent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	w, err := parse(r)
	if err != nil {
		return nil, err
	}
	p, err := pick(w)
	if err != nil {
		return nil, err
	}
	return append([]string{p.note()}, w.notes...), nil
}

// Start implements [resources.Agent]. The first announcement leaves before it
// returns; the others are Watch's.
func (a *Agent) Start(ctx context.Context, r *pb.Resource) error {
	w, err := parse(r)
	if err != nil {
		return err
	}
	h := a.hold(r)
	p, err := h.choose(w)
	if err != nil {
		return err
	}
	if err := a.place(ctx, h, w, p); err != nil {
		return err
	}
	wait := h.limit.take(time.Now())
	if !a.leased() || ctx.Err() != nil {
		return errors.Join(fmt.Errorf("start %s: %w: it ended meanwhile", w.addr, resources.ErrNoLease), a.remove(r))
	}
	if wait > 0 { // it was started over and over within a second
		h.anew()
	} else if err := a.out.announce(p.link, w.addr); err != nil {
		a.log.Warn("announcement not sent", "resource", r.GetId(), "err", err)
	}
	h.begin(p.link.Attrs().Name)
	return nil
}

// place puts the address on its interface, guarded first.
func (a *Agent) place(ctx context.Context, h *hold, w *wish, p *choice) error {
	h.placing.Lock()
	defer h.placing.Unlock()
	if a.guard != nil {
		if err := a.guard.Add(ctx, w.addr); err != nil {
			return fmt.Errorf("start %s: %w", w.addr, err)
		}
	} else if ctx.Err() != nil {
		return fmt.Errorf("start %s: %w: %w", w.addr, resources.ErrNoLease, ctx.Err())
	}
	if g, ok := a.guard.(*Lifetimes); ok {
		var err error
		if p.valid, err = g.Lifetime(); err != nil {
			return fmt.Errorf("start %s: %w", w.addr, err)
		}
	}
	if err := p.assign(); err != nil {
		return fmt.Errorf("add %s to %s: %w", w.addr, p.link.Attrs().Name, err)
	}
	return nil
}

func rawNow() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &now); err != nil {
		panic(fmt.Sprintf("read CLOCK_MONOTONIC_RAW: %v", err)) // Linux has it since 2.6.28
	}
	return time.Duration(now.Nano())
}

// leased reports whether the node holds its lease at this moment.
func (a *Agent) leased() bool {
	if a.deadline == nil {
		return true
	}
	end, held := a.deadline()
	return a.now() < end && held // the clock is read last: a freeze in between counts
}

// Stop implements [resources.Agent].
func (a *Agent) Stop(_ context.Context, r *pb.Resource) error {
	return a.remove(r)
}

// Halt implements [resources.Halter]: an address has no grace to be given.
func (a *Agent) Halt(_ context.Context, r *pb.Resource) error {
	return a.remove(r)
}

// remove takes the address away from wherever it is. The guard is off before
// that (lease protocol, rule 22), so that the address is silent even when it
// cannot be removed.
func (a *Agent) remove(r *pb.Resource) error {
	w, err := parse(r)
	if err != nil {
		return err
	}
	h := a.hold(r)
	h.end()
	if a.guard != nil {
		if err := a.guard.Revoke(w.addr); err != nil {
			a.log.Warn("guard not withdrawn", "resource", r.GetId(), "err", err)
		}
	}
	h.placing.Lock() // silent already; what a start is placing must be found
	defer h.placing.Unlock()
	if err := withdraw(w); err != nil {
		return fmt.Errorf("remove %s: %w", w.addr, err)
	}
	if a.guard != nil {
		if err := a.guard.Remove(w.addr); err != nil {
			a.log.Warn("guard not removed", "resource", r.GetId(), "err", err)
		}
	}
	return nil
}

// Monitor implements [resources.Agent]. An address on an interface that is
// down or has no carrier is Failed, and the error says so; so it does of one that
// is gone and should not be.
func (a *Agent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	w, err := parse(r)
	if err != nil {
		return resources.Unknown, err
	}
	p, err := locate(w)
	switch {
	case err != nil:
		return resources.Unknown, fmt.Errorf("look for %s: %w", w.addr, err)
	case p.link == "":
		return resources.Stopped, a.hold(r).missing(w)
	case p.fault != nil:
		return resources.Failed, p.fault
	}
	a.hold(r).seen(p.link)
	return resources.Running, nil
}

// Detail implements [resources.Detailer]: "eth0, guard: kernel".
func (a *Agent) Detail(r *pb.Resource) string {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	guard := "guard: " + a.keeper()
	if h.link == "" {
		return guard
	}
	return h.link + ", " + guard
}

// keeper names who silences the addresses when the lease ends.
func (a *Agent) keeper() string {
	switch g := a.guard.(type) {
	case nil:
		return "agent"
	case fmt.Stringer:
		return g.String()
	default:
		return "kernel"
	}
}

func (a *Agent) hold(r *pb.Resource) *hold {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok := a.holds[r.GetId()]
	if !ok {
		h = &hold{started: make(chan struct{}, 1), again: make(chan struct{}, 1)}
		a.holds[r.GetId()] = h
	}
	return h
}

// begin notes that the address is held and wakes its watch.
func (h *hold) begin(link string) {
	h.mu.Lock()
	h.active, h.link, h.starts = true, link, h.starts+1
	h.mu.Unlock()
	select {
	case h.started <- struct{}{}:
	default:
	}
}

func (h *hold) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active = false
}

func (h *hold) seen(link string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.link = link
}

// place is where Start has put the address, if it is to be held.
func (h *hold) place() place {
	h.mu.Lock()
	active, name := h.active, h.link
	h.mu.Unlock()
	if !active {
		return place{}
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return place{link: name}
	}
	return place{link: name, index: link.Attrs().Index}
}

// ended reports whether Stop or Halt has begun since the last Start.
func (h *hold) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.active
}

// begun counts the Starts that have ended.
func (h *hold) begun() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.starts
}
