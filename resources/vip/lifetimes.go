package vip

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/resources"
)

var _ Guard = (*Lifetimes)(nil)

// LifetimeLease is the length of a lease that lifetimes can keep: whole seconds are
// their measure, and some of it passes before each renewal.
const LifetimeLease = 3 * time.Second

const (
	// The kernel looks at lifetimes up to a second late; a twelfth of the lease and
	// more passes after its end before another node may serve.
	latency = 750 * time.Millisecond
	// Renewals are rarer than those of the lease, as each is told to everybody who
	// listens to the kernel's messages.
	renewal = 250 * time.Millisecond
)

// Lifetimes are the guard where the packet filter cannot be had: every address
// has a lifetime in the kernel, which is renewed with the lease and ends with it.
// As the kernel counts it in seconds, the lease must be at least [LifetimeLease]
// long: so long do the others wait for a node that uses this guard.
//
// The rules are those of the other guard (lease protocol, rules 23 and 24): every
// write is made under a lock in which the lease is looked at, and an address that
// was revoked is never written again. A write that is frozen in the kernel ends too
// late: lifetimes are relative.
type Lifetimes struct {
	now     func() time.Duration
	present func() (time.Duration, bool)

	mu     sync.Mutex
	leased map[netip.Addr]time.Duration // when it was renewed last
}

// NewLifetimes makes a guard that has added nothing yet. deadline returns the end
// of the lease that the node holds, on the clock that now reads.
func NewLifetimes(now func() time.Duration, deadline func() (time.Duration, bool)) *Lifetimes {
	return &Lifetimes{now: now, present: deadline, leased: make(map[netip.Addr]time.Duration)}
}

// String says who ends the lease.
func (l *Lifetimes) String() string { return "address lifetime" }

// Add implements [Guard].
func (l *Lifetimes) Add(ctx context.Context, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.startable(); err != nil {
		return err
	}
	if ctx.Err() != nil { // looked at after the lease was
		return fmt.Errorf("%w: %w", resources.ErrNoLease, ctx.Err())
	}
	l.leased[addr] = l.now() - renewal
	return nil
}

// Revoke implements [Guard]. The address is not renewed any more, and silent only
// once it is removed.
func (l *Lifetimes) Revoke(addr netip.Addr) error { return l.Remove(addr) }

// Remove implements [Guard].
func (l *Lifetimes) Remove(addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.leased, addr)
	return nil
}

// Extend renews the lifetimes that are due. If the lease is over, or one cannot be
// renewed, all addresses are removed.
func (l *Lifetimes) Extend(time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	valid, err := l.lifetime()
	if err == nil {
		err = l.renew(valid)
	}
	if err != nil {
		return errors.Join(err, l.clear())
	}
	return nil
}

// Clear removes all addresses.
func (l *Lifetimes) Clear() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clear()
}

// Kept reports that nothing of an earlier agent is admitted by this guard.
func (l *Lifetimes) Kept() bool { return false }

// Close leaves the addresses to their lifetimes.
func (l *Lifetimes) Close() error { return nil }

// Lifetime is how long an address that is put on an interface now may be valid.
func (l *Lifetimes) Lifetime() (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.startable()
}

// startable is lifetime for an address that is not there yet. l.mu is held.
func (l *Lifetimes) startable() (time.Duration, error) {
	valid, err := l.lifetime()
	if err == nil && valid < time.Second {
		err = fmt.Errorf("%w that lasts for a second", resources.ErrNoLease)
	}
	return valid, err
}

// lifetime is how long an address may be valid from now on: whole seconds that,
// with the kernel's delay, are over when the present lease is. l.mu is held.
func (l *Lifetimes) lifetime() (time.Duration, error) {
	until, held := l.present()
	left := until - l.now()
	if !held || left <= 0 {
		return 0, resources.ErrNoLease
	}
	return (left - latency).Truncate(time.Second), nil
}

// renew writes the lifetimes that are due. l.mu is held.
func (l *Lifetimes) renew(valid time.Duration) error {
	if valid < time.Second {
		return nil // what was written last holds, until there is another ack
	}
	now := l.now()
	due := make(map[netip.Addr]bool)
	for addr, renewed := range l.leased {
		if now-renewed >= renewal {
			due[addr] = true
		}
	}
	if len(due) == 0 {
		return nil
	}
	all, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, unix.AF_UNSPEC) })
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, entry := range all {
		addr, _ := netip.AddrFromSlice(entry.IP)
		if addr = addr.Unmap(); !due[addr] || forever(entry) {
			continue
		}
		if err := live(entry, valid); err != nil {
			return fmt.Errorf("renew the lifetime of %s: %w", addr, err)
		}
		l.leased[addr] = now
	}
	return nil
}

// forever reports whether an entry has no lifetime: it is not ours, as a copy on
// the loopback interface.
func forever(entry netlink.Addr) bool { return entry.ValidLft >= math.MaxUint32 }

// live gives an entry that is there a lifetime, without touching it otherwise.
func live(entry netlink.Addr, valid time.Duration) error {
	setLifetime(&entry, valid)
	return netlink.AddrReplace(nil, &entry)
}

// setLifetime says how long an entry is to be valid; 0: forever. An IPv6 address
// stays deprecated (see choice.entry).
func setLifetime(entry *netlink.Addr, valid time.Duration) {
	entry.ValidLft = int(valid / time.Second)
	if valid == 0 {
		entry.ValidLft = math.MaxUint32
	}
	entry.PreferedLft = entry.ValidLft
	if entry.IP.To4() == nil {
		entry.PreferedLft = 0
	}
}

// clear removes all addresses from their interfaces. l.mu is held.
func (l *Lifetimes) clear() error {
	var errs []error
	for addr := range l.leased {
		errs = append(errs, withdraw(&wish{addr: addr}))
	}
	clear(l.leased)
	return errors.Join(errs...)
}
