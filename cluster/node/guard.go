package node

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"quorate/cluster/lease"
	"quorate/resources/ipvs"
	"quorate/resources/realserver"
	"quorate/resources/vip"
	"quorate/resources/vip/guard"
)

// An addressGuard silences this node's addresses when its lease ends.
type addressGuard interface {
	vip.Guard
	lease.Guard
	fmt.Stringer
	Close() error
}

// A realServerGuard also admits what a director sends to this node as a real server.
type realServerGuard interface {
	realserver.Guard
	ipvs.RealServer
}

// leaseFor is how long leases must be at least for a guard, if they would be
// shorter.
func leaseFor(g addressGuard, length time.Duration) time.Duration {
	if _, ok := g.(*vip.Lifetimes); ok {
		return max(length, vip.LifetimeLease)
	}
	return length
}

// openGuard opens the guard that the agent's file wants, or the best there is.
// Addresses that an earlier agent left on an interface speak until the lease ends
// that it left them under, and from then on are silent until they are started
// again.
func openGuard(want string, deadline func() (time.Duration, bool), logger *slog.Logger) addressGuard {
	now := lease.RawClock{}.Now
	if want == guardLifetime {
		if err := guard.Retire(vip.Withdraw); err != nil {
			logger.Warn("tables of an earlier agent may be left", "err", err)
		}
		return vip.NewLifetimes(now, deadline)
	}
	g, err := guard.Open(guard.Config{Now: now, Deadline: deadline}, present)
	if err != nil {
		logger.Warn("nftables does not guard addresses: they have lifetimes instead, and the others wait longer for this node", "lease", vip.LifetimeLease, "err", err)
		return vip.NewLifetimes(now, deadline)
	}
	return g
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

// guardUp opens the guard, for a machine that is about to be a member. One that
// is none has no tables of ours.
func (a *Agent) guardUp() addressGuard {
	g := openGuard(a.config.Guard, a.deadline, a.logger)
	a.vip.Use(g)
	if g, ok := g.(realServerGuard); ok {
		a.realServer.Use(g)
		a.director.Use(g)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.guard = g
	return g
}

func (a *Agent) guardDown() error {
	a.mu.Lock()
	g := a.guard
	a.mu.Unlock()
	if g == nil {
		return nil
	}
	return g.Close()
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
