package node

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"quorate/cluster/lease"
	"quorate/resources/vip"
	"quorate/resources/vip/guard"
)

// A kernelGuard lets the kernel keep the lease over this node's addresses, or
// does nothing where the kernel cannot.
type kernelGuard struct{ guard *guard.Guard }

// openGuard opens the kernel's guard. Addresses that an earlier agent left on
// an interface speak until the lease ends that it left them under, and from then
// on are silent until they are started again.
func openGuard(deadline func() (time.Duration, bool), logger *slog.Logger) kernelGuard {
	g, err := guard.Open(guard.Config{Now: lease.RawClock{}.Now, Deadline: deadline}, present)
	if err != nil {
		logger.Warn("the kernel does not guard addresses: a killed or frozen agent would not let them go", "err", err)
		return kernelGuard{}
	}
	return kernelGuard{g}
}

// present reports whether an interface of this machine has the address.
func present(addr netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // unknown: better silent
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr.Unmap() {
			return true
		}
	}
	return false
}

// forVIP is the guard as addresses need it; nil when there is none.
func (k kernelGuard) forVIP() vip.Guard {
	if k.guard == nil {
		return nil
	}
	return k.guard
}

// Extend implements lease.Guard.
func (k kernelGuard) Extend(deadline time.Duration) error {
	if k.guard == nil {
		return nil
	}
	return k.guard.Extend(deadline)
}

// Clear implements lease.Guard.
func (k kernelGuard) Clear() error {
	if k.guard == nil {
		return nil
	}
	return k.guard.Clear()
}

// Kept implements lease.Guard.
func (k kernelGuard) Kept() bool { return k.guard != nil && k.guard.Kept() }

func (k kernelGuard) close() error {
	if k.guard == nil {
		return nil
	}
	return k.guard.Close()
}

// deadline is the end of the lease that this node holds now. The guard asks
// for it inside its lock.
func (a *Agent) deadline() (time.Duration, bool) {
	core := a.current()
	if core == nil {
		return 0, false
	}
	_, until, held := core.lease.Held()
	return until, held
}
