package vip

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/resources"
)

// unplug takes the carrier from the test's interface, or gives it back.
func (l *lan) unplug(t *testing.T, out bool) {
	t.Helper()
	l.client.Do(func() {
		set := netlink.LinkSetUp
		if out {
			set = netlink.LinkSetDown
		}
		far, err := netlink.LinkByName("eth0")
		if err == nil {
			err = set(far)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

func (l *lan) device(t *testing.T) netlink.Link {
	t.Helper()
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func kindOf(err error) (kind string, obstacle bool) {
	var f *resources.Fault
	if !errors.As(err, &f) {
		return "", false
	}
	return f.Kind, f.Obstacle
}

func TestMonitorNamesTheKindOfItsFault(t *testing.T) {
	tests := []struct {
		name, ip, kind string
		obstacle       bool
		state          resources.State
		lose           func(t *testing.T, l *lan)
	}{
		{"carrier", "10.9.0.100", carrierLost, true, resources.Failed, func(t *testing.T, l *lan) { l.unplug(t, true) }},
		{"IPv6 carrier", "fd09::100", carrierLost, true, resources.Failed, func(t *testing.T, l *lan) { l.unplug(t, true) }},
		{"interface", "10.9.0.100", interfaceDown, true, resources.Failed, func(t *testing.T, l *lan) { setDown(t, l) }},
		{"IPv6 interface", "fd09::100", interfaceDown, true, resources.Stopped, func(t *testing.T, l *lan) { setDown(t, l) }},
		{"another hand", "10.9.0.100", addressRemoved, false, resources.Stopped, func(t *testing.T, l *lan) { remove(t, l, l.device(t)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, r := newLAN(t), resource("ip="+tt.ip)
			a := up(t, Config{}, r)
			tt.lose(t, l)
			s, err := a.Monitor(t.Context(), r)
			if kind, obstacle := kindOf(err); s != tt.state || kind != tt.kind || obstacle != tt.obstacle {
				t.Errorf("Monitor() = %v, %v (kind %q, obstacle %v); want %v, kind %q, obstacle %v", s, err, kind, obstacle, tt.state, tt.kind, tt.obstacle)
			}
			if tt.obstacle {
				if kind, _ := kindOf(a.Start(t.Context(), r)); kind != tt.kind {
					t.Errorf("Start() meets kind %q, want %q", kind, tt.kind)
				}
			}
			if err := a.Stop(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if s, err := a.Monitor(t.Context(), r); s != resources.Stopped || err != nil {
				t.Errorf("after a stop Monitor() = %v, %v; want stopped, nil", s, err)
			}
		})
	}
}

func setDown(t *testing.T, l *lan) {
	t.Helper()
	if err := netlink.LinkSetDown(l.device(t)); err != nil {
		t.Fatal(err)
	}
}

func TestASurveyFindsWhatAStartWouldMeet(t *testing.T) {
	l := newLAN(t)
	a := newAgent(t, Config{})
	changes := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	following.Go(func() {
		_ = a.Follow(ctx, func() {
			select {
			case changes <- struct{}{}:
			default:
			}
		})
	})
	// until waits for a survey with an outcome, looking whenever Follow says so.
	until := func(want string, parameters ...string) {
		t.Helper()
		timeout := time.After(2 * time.Second)
		for {
			got := ""
			if f := a.Survey(resource(parameters...)); f != nil {
				got = f.Kind
			}
			if got == want {
				return
			}
			select {
			case <-changes:
			case <-timeout:
				t.Fatalf("Survey(%q) finds %q, want %q", parameters, got, want)
			}
		}
	}
	until("", "ip=10.9.0.100")
	until("", "ip=10.77.0.1") // wrong, which is no obstacle
	l.unplug(t, true)
	until(carrierLost, "ip=10.9.0.100")
	until(carrierLost, "ip=10.9.0.100", "nic="+l.link)
	l.unplug(t, false)
	until("", "ip=10.9.0.100")
	setDown(t, l) // with the route that the interface is picked by
	until(interfaceDown, "ip=10.9.0.100")
	until(interfaceDown, "ip=10.9.0.100", "nic="+l.link)
	if err := netlink.LinkSetUp(l.device(t)); err != nil {
		t.Fatal(err)
	}
	until("", "ip=10.9.0.100")
}

func TestAnnounceBeginsTheScheduleAnew(t *testing.T) {
	l, r, addr := newLAN(t), resource("ip=10.9.0.100", "arp_interval=20", "arp_count=2"), netip.MustParseAddr("10.9.0.100")
	a := up(t, Config{}, r)
	watched(t, a, r)
	for n := range 6 { // two of the burst and the one after a second, in both forms
		if l.tap.Next(t, 2*time.Second, announced(addr)) == nil {
			t.Fatalf("only %d frames", n)
		}
	}
	began := time.Now()
	a.Announce()
	for n := range 6 {
		if l.tap.Next(t, 2*time.Second, announced(addr)) == nil {
			t.Fatalf("only %d frames after Announce", n)
		}
		if n == 0 {
			t.Logf("announced after %v", time.Since(began))
		}
	}
}

func TestStartsWithoutEndAreNoStorm(t *testing.T) {
	l, r, addr := newLAN(t), resource("ip=10.9.0.100"), netip.MustParseAddr("10.9.0.100")
	a := newAgent(t, Config{})
	watched(t, a, r)
	began := time.Now()
	for range 3 * burstLimit {
		if err := a.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := a.Halt(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	frames := 0
	for time.Since(began) < 900*time.Millisecond {
		if l.tap.Next(t, 50*time.Millisecond, announced(addr)) != nil && time.Since(began) < time.Second {
			frames++
		}
	}
	if frames > 2*burstLimit { // each is a request and a reply
		t.Errorf("%d frames within a second, want at most %d", frames, 2*burstLimit)
	}
	if l.tap.Next(t, time.Second, announced(addr)) == nil {
		t.Error("the last start is never announced")
	}
}

func TestAConflictIsToldOnceAMinute(t *testing.T) {
	l, r, addr := newLAN(t), resource("ip=10.9.0.100", "arp_count=1"), netip.MustParseAddr("10.9.0.100")
	told := make(chan string, 10)
	a := up(t, Config{Conflict: func(resource, text string) { told <- resource + ": " + text }}, r)
	words := watched(t, a, r)
	for range 4 { // of Start, and after a second: the watch works
		if l.tap.Next(t, 2*time.Second, announced(addr)) == nil {
			t.Fatal("no announcement")
		}
	}
	for range 3 {
		l.claim(t, addr)
	}
	said(t, words, "claims")
	if err := a.Stop(t.Context(), r); err != nil { // its watch has heard them all
		t.Fatal(err)
	}
	if len(told) != 1 {
		t.Fatalf("told %d times, want once", len(told))
	}
	t.Log(<-told)
	h := a.hold(r)
	if h.contest("02:00:00:00:00:09", time.Now().Add(conflictReport/2)) || !h.contest("02:00:00:00:00:09", time.Now().Add(conflictReport*2)) {
		t.Error("a continuing conflict is not told once a minute")
	}
}
