package vip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	pb "quorate/proto/quorate/v1"
)

// A watch looks after one address while it is to be held: it notices from the
// kernel's messages that the address or its link is lost, and announces the
// address while it is there.
type watch struct {
	agent   *Agent
	id      string // of the resource
	log     *slog.Logger
	wish    *wish
	hold    *hold
	changed func(why string)

	at       place  // where the address was last seen
	announce func() // ends the announcements under way, and waits for that
}

// Watch implements [resources.Watcher]. It also owns the announcements after
// the first.
func (a *Agent) Watch(ctx context.Context, r *pb.Resource, changed func(why string)) error {
	w, err := parse(r)
	if err != nil {
		return err
	}
	x := &watch{
		agent:    a,
		id:       r.GetId(),
		log:      a.log.With("resource", r.GetId()),
		wish:     w,
		hold:     a.hold(r),
		changed:  changed,
		announce: func() {},
	}
	defer func() { x.announce() }()
	for {
		if err := x.follow(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(resubscribe):
		}
	}
}

// resubscribe is how long to wait before the kernel is asked for messages
// again, after it had more to say than we could hear.
const resubscribe = 10 * time.Millisecond

// follow looks at the address at first, after every Start and after every
// message that may concern it. It returns without an error when ctx is canceled
// or the kernel dropped messages.
func (x *watch) follow(ctx context.Context) error {
	s, err := subscribe()
	if err != nil {
		return fmt.Errorf("subscribe to the kernel's messages: %w", err)
	}
	defer s.close()
	reason := begun
	select {
	case <-x.hold.started:
		reason = started
	default:
	}
	for reason != ended {
		if err := x.look(ctx, reason); err != nil {
			return err
		}
		reason = s.next(ctx, x.hold.started, x.concerns)
	}
	return nil
}

// concerns reports whether the address may be served otherwise after a message.
// Renewed lifetimes of an address that is there are none of that.
func (x *watch) concerns(u update) bool {
	if u.addr == nil {
		return u.link == x.at.index || x.at.link == ""
	}
	return is(&u.addr.LinkAddress, x.wish.addr) && !(u.addr.NewAddr && x.at.index == u.link && x.at.good())
}

// look finds out where the address is. When that has changed, or a Start has
// been done, the announcements begin anew: neighbours may have learned
// something else while the link was down. A loss is told.
func (x *watch) look(ctx context.Context, why reason) error {
	starts := x.hold.begun()
	now, err := locate(x.wish)
	if err != nil {
		return fmt.Errorf("look for %s: %w", x.wish.addr, err)
	}
	before := x.at
	x.at = now
	if why == moved && now.good() == before.good() && now.index == before.index {
		return nil
	}
	x.announce()
	x.announce = func() {}
	switch {
	case x.hold.ended() || x.hold.begun() != starts: // or a Start is under way, and will say so
	case now.good():
		x.begin(ctx, now.link, why)
	default:
		x.changed(x.loss(before, now))
	}
	return nil
}

// loss says why the address is served no more.
func (x *watch) loss(before, now place) string {
	if now.fault != nil {
		return now.fault.Error()
	}
	if before.link == "" { // it went before this watch saw it
		before = x.hold.place()
	}
	return removed(x.wish, before).Text
}

// begin announces the address on a link from now on. The first announcement of
// a Start has been sent when it ends.
func (x *watch) begin(ctx context.Context, name string, why reason) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return // it went: a message says so
	}
	ctx, cancel := context.WithCancel(ctx)
	claims := make(chan struct{}, 1)
	var w sync.WaitGroup
	if l, err := listen(link, x.wish.addr); err != nil {
		x.log.Warn("claims of other hosts go unheard", "err", err)
	} else {
		w.Go(func() { x.hear(ctx, l, name, claims) })
	}
	first := 0
	if why == started {
		first = 1
	}
	a := &announcer{count: x.wish.count, interval: x.wish.interval, limit: &x.hold.limit, send: func() { x.send(link) }, again: x.hold.again}
	w.Go(func() { a.run(ctx, first, claims) })
	x.announce = func() {
		cancel()
		w.Wait()
	}
}

// send announces the address, unless the right to it has ended. This process
// may have been frozen since the announcement was due, and no firewall rule
// holds its frames back: they would take the address from its new owner.
func (x *watch) send(link netlink.Link) {
	if x.hold.ended() || !x.agent.leased() {
		return
	}
	if err := x.agent.out.announce(link, x.wish.addr); err != nil {
		x.log.Warn("announcement not sent", "err", err)
	}
}

const (
	claimReport    = time.Second // how often a continuing conflict is logged
	conflictReport = time.Minute // how often it is told
)

// contest notes a claim, and reports whether it is to be told.
func (h *hold) contest(mac string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rival.mac == mac && now.Sub(h.rival.told) < conflictReport {
		return false
	}
	h.rival = rival{mac, now}
	return true
}

// hear passes claims on to the announcer, and tells of them with the other
// host's hardware address.
func (x *watch) hear(ctx context.Context, l *listener, link string, claims chan<- struct{}) {
	var told time.Time
	var last string
	err := l.run(ctx, func(mac net.HardwareAddr) {
		select {
		case claims <- struct{}{}:
		default: // one is waiting to be answered
		}
		if mac.String() == last && time.Since(told) < claimReport {
			return
		}
		told, last = time.Now(), mac.String()
		x.log.Warn("another host claims the address", "address", x.wish.addr, "interface", link, "mac", last)
		text := fmt.Sprintf("another host, %s, claims %s on %s", last, x.wish.addr, link)
		if x.hold.contest(last, told) {
			x.agent.conflict(x.id, text+": it is defended here, since it would be claimed elsewhere as well; find that host")
		}
		x.changed(text)
	})
	x.agent.late.Go(func() { _ = l.file.Close() }) // nothing was written to it
	if err != nil {
		x.log.Info("claims of other hosts go unheard", "err", err)
	}
}
