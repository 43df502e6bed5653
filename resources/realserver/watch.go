package realserver

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"

	pb "quorate/proto/quorate/v1"
)

// reread is how often the kernel's settings are compared with what is wanted, of
// which nothing tells.
const reread = 2 * time.Second

// Watch implements [resources.Watcher].
func (a *Agent) Watch(ctx context.Context, r *pb.Resource, changed func(why string)) error {
	for ctx.Err() == nil {
		updates, done := make(chan netlink.AddrUpdate, 64), make(chan struct{})
		if err := netlink.AddrSubscribe(updates, done); err != nil {
			return fmt.Errorf("subscribe to the kernel's messages: %w", err)
		}
		a.follow(ctx, r, updates, changed)
		close(done)
		for range updates { // until the sender has closed it
		}
	}
	return nil
}

// follow returns when ctx is canceled or the kernel dropped messages.
func (a *Agent) follow(ctx context.Context, r *pb.Resource, updates <-chan netlink.AddrUpdate, changed func(string)) {
	tick := time.NewTicker(reread)
	defer tick.Stop()
	a.look(r, changed)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case u, ok := <-updates:
			addr, _ := netip.AddrFromSlice(u.LinkAddress.IP)
			switch {
			case !ok:
				return
			case u.NewAddr || !a.has(r, addr.Unmap()):
				continue
			}
		}
		a.look(r, changed)
	}
}

func (a *Agent) has(r *pb.Resource, addr netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.running[r.GetId()]
	if s == nil {
		return false
	}
	for _, own := range s.addrs {
		if own == addr {
			return true
		}
	}
	return false
}

// look tells of addresses that are gone, and mends what can be mended.
func (a *Agent) look(r *pb.Resource, changed func(string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.running[r.GetId()]
	if s == nil {
		return // a Start will say when there is something to do
	}
	found, err := present()
	if err != nil {
		return // the monitor says so
	}
	for _, addr := range s.addrs {
		if !found[addr] {
			changed(removed([]netip.Addr{addr}).Error())
			return
		}
	}
	if err := a.mend(r, s); err != nil {
		changed(err.Error())
	}
}
