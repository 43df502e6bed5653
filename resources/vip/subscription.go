package vip

import (
	"context"

	"github.com/vishvananda/netlink"
)

// A subscription is a stream of the kernel's messages about addresses and links.
type subscription struct {
	addrs chan netlink.AddrUpdate
	links chan netlink.LinkUpdate
	done  chan struct{} // closed to end it
}

// update is one message. addr is nil when it is about the link.
type update struct {
	link int
	addr *netlink.AddrUpdate
}

func subscribe() (*subscription, error) {
	s := &subscription{
		addrs: make(chan netlink.AddrUpdate, 64),
		links: make(chan netlink.LinkUpdate, 64),
		done:  make(chan struct{}),
	}
	if err := netlink.AddrSubscribe(s.addrs, s.done); err != nil {
		close(s.done)
		return nil, err
	}
	if err := netlink.LinkSubscribe(s.links, s.done); err != nil {
		close(s.done)
		drain(s.addrs)
		return nil, err
	}
	return s, nil
}

// close ends the subscription and waits for the library's goroutines.
func (s *subscription) close() {
	close(s.done)
	drain(s.addrs)
	drain(s.links)
}

func drain[T any](c <-chan T) {
	for range c { // until the sender has closed it
	}
}

// A reason to look at the address.
type reason int

const (
	ended   reason = iota // none: ctx is canceled, or messages were lost
	begun                 // messages are heard from now on
	started               // a Start is done
	moved                 // a message says so
)

// next waits for a Start or for a message that is wanted.
func (s *subscription) next(ctx context.Context, starts <-chan struct{}, wanted func(update) bool) reason {
	for {
		var u update
		select {
		case <-ctx.Done():
			return ended
		case <-starts:
			return started
		case a, ok := <-s.addrs:
			if !ok {
				return ended
			}
			u = update{link: a.LinkIndex, addr: &a}
		case l, ok := <-s.links:
			if !ok {
				return ended
			}
			u = update{link: int(l.Index)}
		}
		if wanted(u) {
			return moved
		}
	}
}
