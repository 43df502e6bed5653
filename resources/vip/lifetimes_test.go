package vip

import (
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"quorate/resources"
)

// A term is a lease whose end the test sets.
type term struct {
	began time.Time
	until time.Duration
}

func (l *term) now() time.Duration { return time.Since(l.began) }

func (l *term) deadline() (time.Duration, bool) { return l.until, l.until > 0 }

// mortal starts an address that lives as long as the shortest lease for that.
func mortal(t *testing.T, ip string) (*lan, *Agent, *Lifetimes, *term) {
	t.Helper()
	l, r := newLAN(t), resource("ip="+ip)
	lease := &term{began: time.Now(), until: LifetimeLease}
	g := NewLifetimes(lease.now, lease.deadline)
	return l, up(t, Config{Guard: g}, r), g, lease
}

// validity is the kernel's lifetime of an address in seconds; 0: it is not there.
func validity(t *testing.T, ip string) int {
	t.Helper()
	found, err := find(&wish{addr: netip.MustParseAddr(ip)})
	if err != nil || len(found) > 1 {
		t.Fatalf("%d entries of %s, %v", len(found), ip, err)
	}
	if len(found) == 0 {
		return 0
	}
	return found[0].ValidLft
}

func TestAnAddressOfADeadAgentEndsWithItsLifetime(t *testing.T) {
	for _, ip := range []string{"10.9.0.100", "fd09::100"} {
		t.Run(ip, func(t *testing.T) {
			_, a, _, lease := mortal(t, ip)
			if got, want := a.Detail(resource("ip="+ip)), "guard: address lifetime"; got[len(got)-len(want):] != want {
				t.Errorf("detail %q, want %q", got, want)
			}
			for asked := lease.now(); validity(t, ip) > 0; asked = lease.now() { // nobody renews it
				if asked > lease.until {
					t.Fatalf("there after %v of a lease of %v", asked, lease.until)
				}
			}
			if took := lease.now(); took < time.Second {
				t.Errorf("gone after %v of a lease of %v", took, lease.until)
			} else {
				t.Logf("gone after %v of a lease of %v", took, lease.until)
			}
		})
	}
}

func TestARenewalLosesNothingAndIsNoLoss(t *testing.T) {
	for _, ip := range []string{"10.9.0.100", "fd09::100"} {
		t.Run(ip, func(t *testing.T) {
			l, a, g, lease := mortal(t, ip)
			words := watched(t, a, resource("ip="+ip))
			addr := netip.MustParseAddr(ip)
			for n := range 700 { // 3.5 s, with each renewal the only one
				lease.until = lease.now() + LifetimeLease
				g.mu.Lock()
				g.leased[addr] -= renewal
				g.mu.Unlock()
				if err := g.Extend(lease.until); err != nil {
					t.Fatal(err)
				}
				if !l.client.Ping(t, addr, time.Second) {
					t.Fatalf("ping %d is lost", n)
				}
				time.Sleep(5 * time.Millisecond) // the pace of the pings
			}
			if v := validity(t, ip); v == 0 || v > 2 {
				t.Errorf("valid for %d s, want 2", v)
			}
			select {
			case word := <-words:
				t.Errorf("the watch said %q", word)
			default:
			}
		})
	}
}

func TestALifetimeIsOverWithTheLeaseS1(t *testing.T) {
	tests := []struct{ left, want time.Duration }{
		{-time.Second, 0}, {time.Second, 0}, {1749 * time.Millisecond, 0}, {1750 * time.Millisecond, time.Second},
		{2740 * time.Millisecond, time.Second}, {2935 * time.Millisecond, 2 * time.Second}, {10 * time.Second, 9 * time.Second},
	}
	for _, tt := range tests {
		at := time.Hour
		g := NewLifetimes(func() time.Duration { return at }, func() (time.Duration, bool) { return at + tt.left, true })
		if got, err := g.lifetime(); got != tt.want || (err != nil) != (tt.left <= 0) {
			t.Errorf("with %v left: %v, %v; want %v", tt.left, got, err, tt.want)
		}
		if err := g.Add(t.Context(), netip.MustParseAddr("10.9.0.100")); (err == nil) != (tt.want > 0) {
			t.Errorf("with %v left an address is added: %v", tt.left, err)
		}
	}
}

func TestTheEndOfTheLeaseRemovesTheAddressS3(t *testing.T) {
	for name, end := range map[string]func(*Lifetimes, *term) error{
		"by a renewal that comes too late": func(g *Lifetimes, lease *term) error {
			lease.until = 1
			if err := g.Extend(1); !errors.Is(err, resources.ErrNoLease) {
				return errors.Join(errors.New("Extend admits without a lease"), err)
			}
			return nil
		},
		"by Clear": func(g *Lifetimes, _ *term) error { return g.Clear() },
	} {
		t.Run(name, func(t *testing.T) {
			_, _, g, lease := mortal(t, "10.9.0.100")
			if err := end(g, lease); err != nil {
				t.Error(err)
			}
			if v := validity(t, "10.9.0.100"); v != 0 {
				t.Errorf("the address is there, for %d s", v)
			}
		})
	}
}

func TestWhatWasRevokedIsNeverRenewedS1(t *testing.T) {
	_, _, g, lease := mortal(t, "10.9.0.100")
	addr := netip.MustParseAddr("10.9.0.100")
	if err := g.Revoke(addr); err != nil {
		t.Fatal(err)
	}
	before := validity(t, "10.9.0.100")
	if err := withdraw(&wish{addr: addr}); err != nil {
		t.Fatal(err)
	}
	lease.until = lease.now() + time.Hour
	if err := g.Extend(lease.until); err != nil {
		t.Fatal(err)
	}
	if v := validity(t, "10.9.0.100"); v != 0 || before == 0 {
		t.Errorf("the address was there for %d s, and is for %d s after a renewal", before, v)
	}
	if err := g.Add(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	lease.until = 0
	if err := g.Add(t.Context(), addr); !errors.Is(err, resources.ErrNoLease) {
		t.Errorf("added without a lease: %v", err)
	}
}

// An address that is there already is adopted, with the lifetime that the guard
// of this start of the agent wants.
func TestAnAdoptedAddressHasTheLifetimeOfItsGuard(t *testing.T) {
	newLAN(t)
	r, ip := resource("ip=10.9.0.100"), "10.9.0.100"
	lease := &term{began: time.Now(), until: time.Hour}
	forgotten, limited := newAgent(t, Config{}), newAgent(t, Config{Guard: NewLifetimes(lease.now, lease.deadline)})
	t.Cleanup(func() { _ = forgotten.Stop(t.Context(), r) })
	for _, step := range []struct {
		agent   *Agent
		forever bool
	}{{forgotten, true}, {limited, false}, {forgotten, true}} {
		if err := step.agent.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if v := validity(t, ip); v == 0 || (v >= math.MaxUint32) != step.forever {
			t.Errorf("valid for %d s, want forever: %v", v, step.forever)
		}
	}
}
