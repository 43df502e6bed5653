package vip

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// announced reports a frame that announces the address, and which MAC it tells.
func announced(addr netip.Addr) func([]byte) bool {
	return func(f []byte) bool {
		if addr.Is4() {
			return len(f) >= 42 && binary.BigEndian.Uint16(f[12:]) == unix.ETH_P_ARP &&
				bytes.Equal(f[28:32], addr.AsSlice()) && bytes.Equal(f[38:42], addr.AsSlice())
		}
		return len(f) >= 78 && binary.BigEndian.Uint16(f[12:]) == unix.ETH_P_IPV6 && f[20] == unix.IPPROTO_ICMPV6 &&
			f[54] == 136 && bytes.Equal(f[62:78], addr.AsSlice())
	}
}

// The neighbour's cache is what counts: it held another host's address.
func TestStartTellsTheNeighboursInTheSameInstant(t *testing.T) {
	for _, ip := range []string{"10.9.0.100", "fd09::100"} {
		t.Run(ip, func(t *testing.T) {
			l, addr := newLAN(t), netip.MustParseAddr(ip)
			l.client.Do(func() { stale(t, addr) })
			r := resource("ip="+ip, "cidr_netmask="+map[bool]string{true: "32", false: "128"}[addr.Is4()])
			began := time.Now()
			a := up(t, Config{}, r)
			started := time.Since(began)
			if l.tap.Next(t, time.Second, announced(addr)) == nil {
				t.Fatal("no announcement")
			}
			t.Logf("start returned after %v, the announcement was read after %v", started, time.Since(began))
			if !l.client.Ping(t, addr, time.Second) {
				t.Error("the neighbour did not learn where the address is")
			}
			began = time.Now()
			if err := a.Halt(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			t.Logf("halt took %v", time.Since(began))
		})
	}
}

// stale makes the client believe that the address is at another host.
func stale(t *testing.T, addr netip.Addr) {
	t.Helper()
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Error(err)
		return
	}
	if err := netlink.NeighSet(&netlink.Neigh{
		LinkIndex: link.Attrs().Index, State: netlink.NUD_STALE, IP: addr.AsSlice(), HardwareAddr: otherMAC,
	}); err != nil {
		t.Error(err)
	}
}

var otherMAC = []byte{2, 0, 0, 0, 0, 9}

func TestWatchAnnouncesInABurst(t *testing.T) {
	l, r, addr := newLAN(t), resource("ip=10.9.0.100", "arp_interval=20", "arp_count=3"), netip.MustParseAddr("10.9.0.100")
	a := up(t, Config{}, r)
	watched(t, a, r)
	// Each is a request and a reply: 3 of the burst and the one after a second.
	for n := range 8 {
		f := l.tap.Next(t, 2*time.Second, announced(addr))
		if f == nil {
			t.Fatalf("only %d frames", n)
		}
		if want := byte(1 + n%2); f[21] != want {
			t.Errorf("frame %d has operation %d, want %d", n, f[21], want)
		}
	}
}

func TestAClaimOfAnotherHostIsAnsweredAndTold(t *testing.T) {
	for _, ip := range []string{"10.9.0.100", "fd09::100"} {
		t.Run(ip, func(t *testing.T) {
			l, addr := newLAN(t), netip.MustParseAddr(ip)
			r := resource("ip="+ip, "arp_count=1")
			a := up(t, Config{}, r)
			words := watched(t, a, r)
			l.tap.Next(t, time.Second, announced(addr)) // of Start
			if addr.Is4() {
				l.tap.Next(t, time.Second, announced(addr))
			}
			if l.tap.Next(t, 2*time.Second, announced(addr)) == nil { // after a second: the watch works
				t.Fatal("no announcement by the watch")
			}
			if addr.Is4() {
				l.tap.Next(t, time.Second, announced(addr))
			}
			began := time.Now()
			l.claim(t, addr)
			if l.tap.Next(t, time.Second, announced(addr)) == nil {
				t.Fatal("the claim was not answered")
			}
			t.Logf("answered after %v", time.Since(began))
			said(t, words, "02:00:00:00:00:09")
		})
	}
}

func TestAConflictIsNoStorm(t *testing.T) {
	l, r, addr := newLAN(t), resource("ip=10.9.0.100", "arp_count=1"), netip.MustParseAddr("10.9.0.100")
	a := up(t, Config{}, r)
	watched(t, a, r)
	sent, began := 0, time.Now()
	for end := began.Add(2500 * time.Millisecond); time.Now().Before(end); {
		l.claim(t, addr)
		for f := l.tap.Next(t, 5*time.Millisecond, announced(addr)); f != nil; f = l.tap.Next(t, time.Millisecond, announced(addr)) {
			if f[21] == 1 { // one of each pair
				sent++
			}
		}
	}
	if sent < 10 {
		t.Errorf("only %d announcements against a continuing conflict", sent)
	}
	// What is read here may have been sent a while ago, by Start in part.
	if took := time.Since(began); float64(sent) > burstLimit*(took.Seconds()+1) {
		t.Errorf("%d announcements within %v", sent, took)
	}
}

func TestAnAnnouncementFollowsTheLinksReturn(t *testing.T) {
	l, r, addr := newLAN(t), resource("ip=10.9.0.100", "arp_count=1"), netip.MustParseAddr("10.9.0.100")
	a := up(t, Config{}, r)
	words := watched(t, a, r)
	for range 4 { // of Start, and after a second
		if l.tap.Next(t, 2*time.Second, announced(addr)) == nil {
			t.Fatal("no announcement")
		}
	}
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	said(t, words, "is down")
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	if l.tap.Next(t, time.Second, announced(addr)) == nil {
		t.Error("no announcement after the link came back")
	}
}
