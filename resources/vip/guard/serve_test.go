package guard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"pgregory.net/rapid"

	"quorate/resources/internal/testlan"
)

// knows has a host send packets for addresses to a neighbour without asking: as a
// director does to a real server, which it knows by another address.
func knows(t *testing.T, link string, neighbour net.HardwareAddr, addrs ...string) {
	t.Helper()
	out, err := netlink.LinkByName(link)
	if err != nil {
		t.Error(err)
		return
	}
	for _, addr := range addrs {
		n := &netlink.Neigh{LinkIndex: out.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(addr), HardwareAddr: neighbour}
		if err := netlink.NeighSet(n); err != nil {
			t.Error(err)
		}
	}
}

// newServedLAN is a LAN whose client is a director. This machine knows it, too: it
// would ask for it in the name of the address, which is on the same interface here.
func newServedLAN(t *testing.T) *lan {
	t.Helper()
	client := testlan.NewHost(t)
	here := client.Cable(t, []string{"10.9.0.1/24", "fd09::1/64", vip4.String() + "/32", vip6.String() + "/128"}, []string{"10.9.0.2/24", "fd09::2/64"})
	l := &lan{client: client, tap: client.Tap(t, "eth0")}
	link, err := netlink.LinkByName(here)
	if err != nil {
		t.Fatal(err)
	}
	client.Do(func() { knows(t, "eth0", link.Attrs().HardwareAddr, vip4.String(), vip6.String()) })
	knows(t, here, l.tap.MAC(), "10.9.0.2", "fd09::2")
	l.settle(t)
	return l
}

// serves expects packets that are sent here to be answered, or not, and never a
// word about whose the addresses are.
func (l *lan) serves(t *testing.T, want bool, when string) {
	t.Helper()
	for _, p := range l.probes() {
		timeout := 40 * time.Millisecond
		ping := p.name == "ping IPv4" || p.name == "ping IPv6"
		if ping && want {
			timeout = 3 * time.Second
		}
		if got := p.speak(t, timeout); got != (want && ping) {
			t.Errorf("%s, %s: answered = %v, want %v", p.name, when, got, want && ping)
		}
	}
}

func both(f func(netip.Addr) error) error { return errors.Join(f(vip4), f(vip6)) }

func attend(t *testing.T, g *Guard) {
	t.Helper()
	t.Cleanup(func() {
		if err := both(g.Dismiss); err != nil {
			t.Error(err)
		}
	})
	if err := both(g.Attend); err != nil {
		t.Fatal(err)
	}
}

func TestARealServerTakesPacketsAndSaysToNobodyThatItHasTheAddress(t *testing.T) {
	l := newServedLAN(t)
	g := open(t, Config{}, none)
	attend(t, g)
	l.serves(t, false, "before it is admitted")
	if err := both(g.Admit); err != nil {
		t.Fatal(err)
	}
	l.serves(t, true, "admitted")
	if err := g.Clear(); err != nil { // the end of a lease
		t.Fatal(err)
	}
	l.serves(t, true, "after the end of a lease that it needs not")
	if err := both(g.Dismiss); err != nil {
		t.Fatal(err)
	}
	l.speaks(t, true, "when nothing is guarded any more")
}

// The director was frozen: nobody has told the kernel anything since the last
// renewal. What the next director sends it must not come to its table.
func TestADirectorThatIsARealServerIsSilentAfterItsLeaseS1(t *testing.T) {
	l := newServedLAN(t)
	g := open(t, Config{}, none)
	attend(t, g)
	if err := both(g.Admit); err != nil {
		t.Fatal(err)
	}
	grant(t, g, time.Minute)
	if err := both(func(addr netip.Addr) error { return g.Add(t.Context(), addr) }); err != nil {
		t.Fatal(err)
	}
	l.speaks(t, true, "as the director")
	grant(t, g, time.Second)
	for end := Now() + time.Second; Now() < end; {
		l.speaksNow(t, vip4)
	}
	l.serves(t, false, "after its lease")
	if err := g.Admit(vip4); !errors.Is(err, ErrHeld) {
		t.Errorf("Admit while the lease was not given up: %v, want ErrHeld", err)
	}
	if err := both(g.Revoke); err != nil {
		t.Fatal(err)
	}
	select {
	case <-g.Freed():
	default:
		t.Error("nobody is told that the addresses may be served again")
	}
	if err := both(g.Admit); err != nil {
		t.Fatal(err)
	}
	l.serves(t, true, "as a real server again")
}

func TestWhatATableBalancesIsNotServed(t *testing.T) {
	l := newServedLAN(t)
	g := open(t, Config{}, none)
	attend(t, g)
	if err := both(g.Admit); err != nil {
		t.Fatal(err)
	}
	if err := g.Direct("web", []netip.Addr{vip4, vip6}); err != nil {
		t.Fatal(err)
	}
	l.serves(t, false, "while a table balances it")
	if err := g.Admit(vip6); !errors.Is(err, ErrHeld) {
		t.Errorf("Admit = %v, want ErrHeld", err)
	}
	if err := errors.Join(g.Direct("web", nil), both(g.Admit)); err != nil {
		t.Fatal(err)
	}
	l.serves(t, true, "when no table does")
	if err := g.Direct("marks", []netip.Addr{netip.IPv6Unspecified()}); err != nil {
		t.Fatal(err)
	}
	l.serves(t, false, "while a table may balance anything")
	if !g.Held(vip4) {
		t.Error("a table that may balance anything balances this, too")
	}
}

func TestANewAgentGoesOnServingWithoutAGap(t *testing.T) {
	l := newServedLAN(t)
	old, err := Open(Config{}, none)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(both(old.Attend), old.Admit(vip4)); err != nil {
		t.Fatal(err)
	}
	abandon(t, old)
	g := open(t, Config{}, func(netip.Addr) bool { return true })
	if !g.Admitted(vip4) || g.Admitted(vip6) || !l.answers(t, vip4) || l.speaksNow(t, vip6) {
		t.Errorf("admitted: %v and %v, want the first alone", g.Admitted(vip4), g.Admitted(vip6))
	}
	attend(t, g)
	if err := both(g.Admit); err != nil {
		t.Fatal(err)
	}
	l.serves(t, true, "under the new agent")
}

// Whatever is asked for in whatever order: what is served is attended, not leased,
// and balanced by no table; and what may be silent is exactly what somebody cares
// for.
func TestNothingIsServedThatIsLeasedOrBalancedS1(t *testing.T) {
	testlan.Need(t)
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	g := open(t, Config{}, none)
	reset := func() {
		for _, addr := range []netip.Addr{vip4, vip6} {
			if err := errors.Join(g.Remove(addr), g.Dismiss(addr), g.Direct(addr.String(), nil), g.Clear()); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(reset)
	rapid.Check(t, func(t *rapid.T) {
		reset()
		owned, attended, directed := map[netip.Addr]bool{}, map[netip.Addr]bool{}, map[netip.Addr]bool{}
		addr := rapid.SampledFrom([]netip.Addr{vip4, vip6})
		step := func(t *rapid.T, f func(a netip.Addr) error) {
			if err := f(addr.Draw(t, "address")); err != nil && !errors.Is(err, ErrHeld) && !errors.Is(err, ErrNoLease) {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"extend": func(t *rapid.T) { _ = g.Extend(Now() + time.Minute) },
			"clear":  func(t *rapid.T) { _ = g.Clear() },
			"add": func(t *rapid.T) {
				step(t, func(a netip.Addr) error {
					err := g.Add(t.Context(), a)
					owned[a] = owned[a] || err == nil
					return err
				})
			},
			"revoke": func(t *rapid.T) { step(t, g.Revoke) },
			"remove": func(t *rapid.T) {
				step(t, func(a netip.Addr) error {
					delete(owned, a)
					return g.Remove(a)
				})
			},
			"attend": func(t *rapid.T) {
				step(t, func(a netip.Addr) error {
					attended[a] = true
					return g.Attend(a)
				})
			},
			"admit": func(t *rapid.T) {
				step(t, func(a netip.Addr) error {
					if !attended[a] {
						return nil
					}
					return g.Admit(a)
				})
			},
			"dismiss": func(t *rapid.T) {
				step(t, func(a netip.Addr) error {
					delete(attended, a)
					return g.Dismiss(a)
				})
			},
			"direct": func(t *rapid.T) {
				step(t, func(a netip.Addr) error {
					if directed[a] = !directed[a]; directed[a] {
						return g.Direct(a.String(), []netip.Addr{a})
					}
					return g.Direct(a.String(), nil)
				})
			},
			"": func(t *rapid.T) {
				managed, served, leased := g.sets.list(conn), g.sets.listServed(conn), elementsOf(conn, g.sets.v4[0].leased, g.sets.v6.leased)
				for _, a := range []netip.Addr{vip4, vip6} {
					is := fmt.Sprintf("%s: owned %v, attended %v, balanced %v; in the kernel: managed %v, served %v, leased %v",
						a, owned[a], attended[a], directed[a], slices.Contains(managed, a), slices.Contains(served, a), slices.Contains(leased, a))
					switch {
					case slices.Contains(served, a) && (slices.Contains(leased, a) || !attended[a] || directed[a]),
						slices.Contains(managed, a) != (owned[a] || attended[a]),
						slices.Contains(leased, a) && !owned[a],
						slices.Contains(served, a) != g.Admitted(a):
						t.Fatal(is)
					}
				}
			},
		})
	})
}
