package vip

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Kinds of faults, as events name them.
const (
	carrierLost     = "carrier-lost"
	interfaceDown   = "interface-down"
	addressRemoved  = "address-removed"
	addressConflict = "address-conflict"
)

// hindrance is what keeps a link from carrying frames; nil: nothing. It ends with
// its cause, and no resource has failed by it.
func hindrance(link netlink.Link) *resources.Fault {
	a := link.Attrs()
	switch {
	case a.RawFlags&unix.IFF_UP == 0:
		return &resources.Fault{Kind: interfaceDown, Text: fmt.Sprintf("interface %s is down", a.Name), Obstacle: true}
	case a.RawFlags&unix.IFF_LOWER_UP == 0:
		return &resources.Fault{Kind: carrierLost, Text: fmt.Sprintf("interface %s has no carrier", a.Name), Obstacle: true}
	}
	return nil
}

func conflict(format string, args ...any) error {
	return &resources.Fault{Kind: addressConflict, Text: fmt.Sprintf(format, args...)}
}

// removed says why the address is no longer at a place. The kernel itself removes
// IPv6 addresses from a link that is set down.
func removed(w *wish, from place) *resources.Fault {
	link, err := netlink.LinkByIndex(from.index)
	if err != nil {
		return &resources.Fault{Kind: addressRemoved, Text: fmt.Sprintf("%s was removed: interface %s is gone", w.addr, from.link)}
	}
	if f := hindrance(link); f != nil {
		return f
	}
	return &resources.Fault{Kind: addressRemoved, Text: fmt.Sprintf("%s was removed from %s by another hand", w.addr, from.link)}
}

// missing says why an address is on no interface that should be on one; nil: it
// should not.
func (h *hold) missing(w *wish) error {
	at := h.place()
	if at.link == "" {
		return nil
	}
	return removed(w, at)
}

// choose decides where the address goes, or finds what keeps it from there.
func (h *hold) choose(w *wish) (*choice, error) {
	p, err := pick(w)
	if err != nil {
		if f := h.dormant(w); f != nil {
			return nil, f
		}
		return nil, err
	}
	return p, p.usable()
}

// dormant finds the interface that would hold the address if it were up. With it
// the kernel has taken away the routes, by which one is picked.
func (h *hold) dormant(w *wish) *resources.Fault {
	if w.nic != "" {
		return nil
	}
	h.mu.Lock()
	last := h.link
	h.mu.Unlock()
	if link, err := netlink.LinkByName(last); last != "" && err == nil {
		if f := hindrance(link); f != nil {
			return f
		}
	}
	return dormantNetwork(w)
}

// dormantNetwork finds a network of the address on an interface that is not
// ready. IPv4 addresses stay on such a one.
func dormantNetwork(w *wish) *resources.Fault {
	entries, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, w.family()) })
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if ones, _ := e.Mask.Size(); ones == 0 || ones == w.addr.BitLen() || !e.Contains(w.addr.AsSlice()) {
			continue
		}
		link, err := netlink.LinkByIndex(e.LinkIndex)
		if err != nil {
			continue
		}
		if f := hindrance(link); f != nil {
			return f
		}
	}
	return nil
}

// Survey implements [resources.Surveyor].
func (a *Agent) Survey(r *pb.Resource) *resources.Fault {
	w, err := parse(r)
	if err != nil {
		return nil
	}
	_, err = a.hold(r).choose(w)
	var f *resources.Fault
	if errors.As(err, &f) && f.Obstacle {
		return f
	}
	return nil
}

// Follow implements [resources.Surveyor]: what changes of a link may be its state.
func (a *Agent) Follow(ctx context.Context, changed func()) error {
	for ctx.Err() == nil {
		links, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
		if err := netlink.LinkSubscribe(links, done); err != nil {
			return fmt.Errorf("subscribe to the kernel's messages: %w", err)
		}
		changed() // what came before this subscription
		followLinks(ctx, links, changed)
		close(done)
		drain(links)
	}
	return nil
}

// followLinks returns when ctx is canceled or the kernel dropped messages.
func followLinks(ctx context.Context, links <-chan netlink.LinkUpdate, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-links:
			if !ok {
				return
			}
			changed()
		}
	}
}
