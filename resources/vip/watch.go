package vip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"

	pb "quorate/proto/quorate/v1"
)

// A watch looks after one address while it is to be held: it notices from the
// kernel's messages that the address or its link is lost, and announces the
// address while it is there.
type watch struct {
	agent   *Agent
	log     *slog.Logger
	wish    *wish
	hold    *hold
	changed func(why string)
	moved   chan struct{} // holds a token when the address came, went or lost its link
}

// Watch implements [resources.Watcher]. It also owns the announcements after
// the first.
func (a *Agent) Watch(ctx context.Context, r *pb.Resource, changed func(why string)) error {
	w, err := parse(r)
	if err != nil {
		return err
	}
	x := &watch{
		agent:   a,
		log:     a.log.With("resource", r.GetId()),
		wish:    w,
		hold:    a.hold(r),
		changed: changed,
		moved:   make(chan struct{}, 1),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return x.notice(ctx) })
	g.Go(func() error { return x.announce(ctx) })
	return g.Wait()
}

// resubscribe is how long to wait before the kernel is asked for messages
// again, after it had more to say than we could hear.
const resubscribe = 10 * time.Millisecond

// notice follows the kernel's messages until ctx is canceled.
func (x *watch) notice(ctx context.Context) error {
	p := x.hold.place()
	for ctx.Err() == nil {
		if err := x.follow(ctx, &p); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(resubscribe):
		}
	}
	return nil
}

// follow subscribes and looks at the address after every message that may
// concern it. It returns without an error when the kernel dropped messages.
func (x *watch) follow(ctx context.Context, p *place) error {
	s, err := subscribe()
	if err != nil {
		return fmt.Errorf("subscribe to the kernel's messages: %w", err)
	}
	defer s.close()
	for {
		if err := x.look(p); err != nil {
			return err
		}
		if !s.next(ctx, func(u update) bool { return x.concerns(u, p) }) {
			return nil
		}
	}
}

// concerns reports whether the address may be served otherwise after a message.
// Renewed lifetimes of an address that is there are none of that.
func (x *watch) concerns(u update, p *place) bool {
	if u.addr == nil {
		return u.link == p.index || p.link == ""
	}
	return is(&u.addr.LinkAddress, x.wish.addr) && !(u.addr.NewAddr && p.index == u.link && p.good())
}

// look finds out where the address is and tells what changed for the worse.
func (x *watch) look(p *place) error {
	now, err := locate(x.wish)
	if err != nil {
		return fmt.Errorf("look for %s: %w", x.wish.addr, err)
	}
	before := *p
	*p = now
	if now.good() == before.good() && now.index == before.index {
		return nil
	}
	select {
	case x.moved <- struct{}{}:
	default:
	}
	if !now.good() && !x.hold.ended() {
		x.changed(x.loss(before, now))
	}
	return nil
}

// loss says why the address is served no more. The kernel itself removes IPv6
// addresses from a link that is set down.
func (x *watch) loss(before, now place) string {
	if now.fault != nil {
		return now.fault.Error()
	}
	link, err := netlink.LinkByIndex(before.index)
	if err != nil {
		return fmt.Sprintf("%s was removed: interface %s is gone", x.wish.addr, before.link)
	}
	if err := ready(link); err != nil {
		return fmt.Sprintf("%s was removed: %v", x.wish.addr, err)
	}
	return fmt.Sprintf("%s was removed from %s by another hand", x.wish.addr, before.link)
}

// announce announces the address on whichever link it is, until ctx is
// canceled. When it comes to another link, or its link comes back, all begins
// anew, since neighbours may have learned something else meanwhile.
func (x *watch) announce(ctx context.Context) error {
	first := 0
	select {
	case <-x.hold.started:
		first = 1
	default:
	}
	for ctx.Err() == nil {
		p, err := locate(x.wish)
		if err != nil {
			return fmt.Errorf("look for %s: %w", x.wish.addr, err)
		}
		round, end := context.WithCancel(ctx)
		var w sync.WaitGroup
		if p.good() && !x.hold.ended() {
			w.Go(func() { x.announceOn(round, p.link, first) })
		}
		first = x.untilMoved(ctx)
		end()
		w.Wait()
	}
	return nil
}

// untilMoved waits for a reason to begin anew, and returns with which
// announcement: the first of a Start has been sent when it ends.
func (x *watch) untilMoved(ctx context.Context) int {
	for {
		select {
		case <-ctx.Done():
			return 0
		case <-x.hold.started:
			return 1
		case <-x.moved:
			if !x.hold.ended() { // else a Start is under way
				return 0
			}
		}
	}
}

func (x *watch) announceOn(ctx context.Context, name string, first int) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return // it went: a message says so
	}
	claims := make(chan struct{}, 1)
	var w sync.WaitGroup
	if l, err := listen(link, x.wish.addr); err != nil {
		x.log.Warn("claims of other hosts go unheard", "err", err)
	} else {
		w.Go(func() { x.hear(ctx, l, name, claims) })
	}
	a := &announcer{count: x.wish.count, interval: x.wish.interval, limit: &x.hold.limit, send: func() {
		if err := x.agent.out.announce(link, x.wish.addr); err != nil {
			x.log.Warn("announcement not sent", "err", err)
		}
	}}
	a.run(ctx, first, claims)
	w.Wait()
}

// claimReport is how often a continuing conflict is told.
const claimReport = time.Second

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
		x.changed(fmt.Sprintf("another host, %s, claims %s on %s", last, x.wish.addr, link))
	})
	x.agent.late.Go(func() { _ = l.file.Close() }) // nothing was written to it
	if err != nil {
		x.log.Info("claims of other hosts go unheard", "err", err)
	}
}
