package vip

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"quorate/resources"
)

// book is a guard that notes what is asked of it, and whether the address was
// on an interface then.
type book struct {
	t     *testing.T
	fail  error
	lines []string
}

func (b *book) note(what string, addr netip.Addr) {
	found, err := find(&wish{addr: addr})
	if err != nil {
		b.t.Error(err)
	}
	if len(found) > 0 {
		what += " while present"
	}
	b.lines = append(b.lines, what)
}

func (b *book) Add(_ context.Context, addr netip.Addr) error { b.note("add", addr); return b.fail }

func (b *book) Revoke(addr netip.Addr) error { b.note("revoke", addr); return nil }

func (b *book) Remove(addr netip.Addr) error { b.note("remove", addr); return nil }

func TestTheGuardIsSetBeforeTheAddressAndOffBeforeTheStopRule22(t *testing.T) {
	newLAN(t)
	g, r := &book{t: t}, resource("ip=10.9.0.100")
	a := up(t, Config{Guard: g}, r)
	if err := a.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want := []string{"add", "revoke while present", "remove"}
	if !slices.Equal(g.lines, want) {
		t.Errorf("guard was asked %q, want %q", g.lines, want)
	}
}

// slow is a guard whose Add waits until the address was revoked.
type slow struct {
	*book
	adding, revoked chan struct{}
}

func (s slow) Add(context.Context, netip.Addr) error {
	close(s.adding)
	<-s.revoked
	return nil
}

func (s slow) Revoke(netip.Addr) error {
	close(s.revoked)
	return nil
}

// The guard is given up only once no start can add the address any more: it
// would answer without a guard.
func TestAHaltFindsWhatAStartIsPlacingS1(t *testing.T) {
	newLAN(t)
	g := slow{&book{t: t}, make(chan struct{}), make(chan struct{})}
	a, r := newAgent(t, Config{Guard: g}), resource("ip=10.9.0.100")
	var starting sync.WaitGroup
	starting.Go(func() {
		if err := a.Start(t.Context(), r); err != nil {
			t.Error(err)
		}
	})
	<-g.adding
	if err := a.Halt(t.Context(), r); err != nil {
		t.Error(err)
	}
	starting.Wait()
	if s, err := a.Monitor(t.Context(), r); s != resources.Stopped {
		t.Errorf("after the halt: %v, %v; want stopped", s, err)
	}
	if !slices.Equal(g.lines, []string{"remove"}) {
		t.Errorf("guard was asked %q, want that it is removed once the address is off", g.lines)
	}
}

// named is a guard that says what it is.
type named struct{ Guard }

func (named) String() string { return "kernel, relative" }

func TestTheDetailNamesTheGuard(t *testing.T) {
	tests := []struct {
		guard Guard
		want  string
	}{
		{nil, "guard: agent"},
		{&book{t: t}, "guard: kernel"},
		{named{}, "guard: kernel, relative"},
	}
	for _, tt := range tests {
		a := newAgent(t, Config{Guard: tt.guard})
		if got := a.Detail(resource("ip=10.9.0.100")); got != tt.want {
			t.Errorf("detail with %T: %q, want %q", tt.guard, got, tt.want)
		}
	}
}

func TestWithoutTheGuardsAdmissionNothingStartsS1(t *testing.T) {
	newLAN(t)
	g, r := &book{t: t, fail: errors.New("no lease")}, resource("ip=10.9.0.100")
	a := newAgent(t, Config{Guard: g})
	if err := a.Start(t.Context(), r); !errors.Is(err, g.fail) {
		t.Errorf("start: %v, want the guard's error", err)
	}
	if s, err := a.Monitor(t.Context(), r); s != resources.Stopped {
		t.Errorf("monitor: %v, %v; want stopped", s, err)
	}
}
