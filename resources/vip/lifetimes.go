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

const (
	// The kernel counts lifetimes in whole seconds, and looks at them about once a
	// second.
	shortestLifetime = 2 * time.Second
	// Renewals are rarer than those of the lease, as each is told to everybody who
	// listens to the kernel's messages.
	renewal = 500 * time.Millisecond
)

// Lifetimes are the guard where the packet filter cannot be had: every address
// has a lifetime in the kernel, which is renewed with the lease. An address of an
// agent that was killed or frozen is gone two to three seconds after the lease.
// Another node may serve it by then, so this is the lesser guard.
//
// The rules are those of the greater one (lease protocol, rules 23 and 24): every
// write is made under a lock in which the lease is looked at, and an address that
// was revoked is never written again.
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
	if _, err := l.lifetime(); err != nil {
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
	return l.lifetime()
}

// lifetime is how long an address may be valid from now on: for the present
// lease, in the seconds of the kernel. l.mu is held.
func (l *Lifetimes) lifetime() (time.Duration, error) {
	until, held := l.present()
	left := until - l.now()
	if !held || left <= 0 {
		return 0, resources.ErrNoLease
	}
	return max((left + 2*time.Second - 1).Truncate(time.Second), shortestLifetime), nil
}

// renew writes the lifetimes that are due. l.mu is held.
func (l *Lifetimes) renew(valid time.Duration) error {
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
