package vip

import (
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/resources"
)

func TestWatchSeesTheLossOfTheAddress(t *testing.T) {
	tests := []struct {
		name, ip, want string
		lose           func(t *testing.T, l *lan, link netlink.Link)
	}{
		{"removed", "10.9.0.100", "removed from lan", remove},
		{"removed, IPv6", "fd09::100", "removed from lan", remove},
		{"link down", "10.9.0.100", "is down", func(t *testing.T, _ *lan, link netlink.Link) {
			if err := netlink.LinkSetDown(link); err != nil {
				t.Fatal(err)
			}
		}},
		{"no carrier", "10.9.0.100", "has no carrier", func(t *testing.T, l *lan, _ netlink.Link) {
			l.client.Do(func() {
				far, err := netlink.LinkByName("eth0")
				if err == nil {
					err = netlink.LinkSetDown(far)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}},
		{"link deleted", "10.9.0.100", "is gone", func(t *testing.T, _ *lan, link netlink.Link) {
			if err := netlink.LinkDel(link); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, r := newLAN(t), resource("ip="+tt.ip)
			a := up(t, Config{}, r)
			words := watched(t, a, r)
			link, err := netlink.LinkByName(l.link)
			if err != nil {
				t.Fatal(err)
			}
			tt.lose(t, l, link)
			said(t, words, tt.want)
			if s, err := a.Monitor(t.Context(), r); s == resources.Running {
				t.Errorf("monitor: %v, %v", s, err)
			}
		})
	}
}

func remove(t *testing.T, l *lan, link netlink.Link) {
	t.Helper()
	all, err := netlink.AddrList(link, unix.AF_UNSPEC)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.IP.String() == "10.9.0.100" || a.IP.String() == "fd09::100" {
			if err := netlink.AddrDel(link, &a); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Neither a stop, nor a halt, nor renewed lifetimes are a loss.
func TestWatchIsSilentAboutWhatIsNoLoss(t *testing.T) {
	l, r := newLAN(t), resource("ip=10.9.0.100")
	a := newAgent(t, Config{})
	words := watched(t, a, r) // before Start, as is allowed
	for range 5 {
		if err := a.Start(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		link, err := netlink.LinkByName(l.link)
		if err != nil {
			t.Fatal(err)
		}
		all, err := netlink.AddrList(link, unix.AF_INET)
		if err != nil {
			t.Fatal(err)
		}
		for _, addr := range all {
			addr.ValidLft, addr.PreferedLft = 3600, 3600
			if err := netlink.AddrReplace(link, &addr); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Halt(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, l, link)
	said(t, words, "removed from") // fails on any word before this one
}
