package vip

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/resources"
	"quorate/resources/internal/testlan"
)

// hold puts an address on the client's interface.
func (l *lan) hold(t *testing.T, address string) {
	t.Helper()
	l.client.Do(func() {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		addr, err := netlink.ParseAddr(address)
		if err != nil {
			t.Fatal(err)
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(link, addr); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheLANIsAskedWhoHasAnAddress(t *testing.T) {
	tests := []struct{ name, ip, held string }{
		{"nobody", "10.9.0.100", ""},
		{"another host", "10.9.0.100", "10.9.0.100/24"},
		{"nobody, IPv6", "fd09::100", ""},
		{"another host, IPv6", "fd09::100", "fd09::100/64"},
		{"another host, whose addresses end alike", "fd09::1:0:100", "fd09::2:0:100/64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, a := newLAN(t), newAgent(t, Config{})
			if tt.held != "" {
				l.hold(t, tt.held)
			}
			began := time.Now()
			claim, err := a.Ask(t.Context(), resource("ip="+tt.ip), false)
			took := time.Since(began)
			holds := strings.HasPrefix(tt.held, tt.ip+"/")
			switch {
			case err != nil:
				t.Fatal(err)
			case claim != nil != holds:
				t.Errorf("%v is claimed, want that it is: %v", claim, holds)
			case holds && (claim.By != l.tap.MAC().String() || claim.Asking || claim.Address != tt.ip || claim.Link != l.link):
				t.Errorf("claimed by %+v, want %s of %s on %s", claim, tt.ip, l.tap.MAC(), l.link)
			case !holds && took < 2*probeInterval+probeWait:
				t.Errorf("nobody was heard within %v, too soon to be sure", took)
			case holds:
				t.Logf("the answer took %v", took)
				if n := l.questions(t, netip.MustParseAddr(tt.ip)); n == 0 || n == probes {
					t.Errorf("it was asked %d times, want an end with the first answer", n)
				}
			}
		})
	}
}

// questions counts those that have come for an address.
func (l *lan) questions(t *testing.T, addr netip.Addr) (n int) {
	t.Helper()
	for l.tap.Next(t, 50*time.Millisecond, asksFor(addr)) != nil {
		n++
	}
	return n
}

func asksFor(addr netip.Addr) func([]byte) bool {
	return func(f []byte) bool {
		if addr.Is4() {
			return isARP(f) && slices.Equal(f[arpTargetIP:arpTargetIP+4], addr.AsSlice())
		}
		return len(f) >= ndpLength && f[ndpType] == neighborSolicitation && slices.Equal(f[ndpTarget:ndpLength], addr.AsSlice())
	}
}

// RFC 5227, section 2.1.1: another host's probe is a conflict, if one that
// somebody must decide. A client that asks where the address is, is none.
func TestTheLANIsHeardToAskForTheSameAddress(t *testing.T) {
	addr, addr6 := netip.MustParseAddr("10.9.0.100"), netip.MustParseAddr("fd09::100")
	tests := []struct {
		name  string
		frame func(t *testing.T, l *lan) []byte
		want  string
	}{
		{"a probe", func(_ *testing.T, l *lan) []byte {
			return testlan.ARPFrame(1, l.tap.MAC(), netip.IPv4Unspecified(), addr)
		}, "about to take 10.9.0.100"},
		{"a client's question", func(_ *testing.T, l *lan) []byte {
			return testlan.ARPFrame(1, l.tap.MAC(), netip.MustParseAddr("10.9.0.2"), addr)
		}, ""},
		{"a probe for another address", func(_ *testing.T, l *lan) []byte {
			return testlan.ARPFrame(1, l.tap.MAC(), netip.IPv4Unspecified(), netip.MustParseAddr("10.9.0.101"))
		}, ""},
		{"an announcement", func(_ *testing.T, l *lan) []byte {
			return testlan.ARPFrame(1, l.tap.MAC(), addr, addr)
		}, "answers for 10.9.0.100"},
		{"a solicitation before an address is taken", func(t *testing.T, l *lan) []byte {
			f, err := solicitation(l.tap.MAC(), addr6)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}, "about to take fd09::100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, a := newLAN(t), newAgent(t, Config{})
			frame := tt.frame(t, l)
			of := addr
			if frame[12] == 0x86 {
				of = addr6
			}
			var said *resources.Claim
			var err error
			var asking sync.WaitGroup
			asking.Go(func() { said, err = a.Ask(t.Context(), resource("ip="+of.String()), false) })
			if l.tap.Next(t, time.Second, asksFor(of)) == nil {
				t.Error("nothing was asked")
			}
			l.tap.Send(t, frame)
			// This machine may have stood still until that came too late.
			for range probes - 1 {
				if l.tap.Next(t, 2*probeInterval, asksFor(of)) != nil {
					l.tap.Send(t, frame)
				}
			}
			asking.Wait()
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if said != nil {
				got = said.String()
			}
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("heard %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAtMostThreeProbesAreSentAndNobodyLearnsFromThem(t *testing.T) {
	t.Run("in full", func(t *testing.T) { countProbes(t, false, probes) })
	t.Run("again", func(t *testing.T) { countProbes(t, true, probesAgain) })
}

func countProbes(t *testing.T, again bool, want int) {
	t.Helper()
	l, a := newLAN(t), newAgent(t, Config{})
	if _, err := a.Ask(t.Context(), resource("ip=10.9.0.100"), again); err != nil {
		t.Fatal(err)
	}
	n := 0
	for f := l.tap.Next(t, 50*time.Millisecond, isARP); f != nil; f = l.tap.Next(t, 50*time.Millisecond, isARP) {
		n++
		if !slices.Equal(f[arpSenderIP:arpSenderIP+4], []byte{0, 0, 0, 0}) {
			t.Errorf("a probe says that it comes from % d", f[arpSenderIP:arpSenderIP+4])
		}
	}
	if n != want {
		t.Errorf("%d probes were sent, want %d", n, want)
	}
}

func isARP(f []byte) bool { return f[12] == 0x08 && f[13] == 0x06 }

func TestWhatThisNodeHoldsIsNoClaim(t *testing.T) {
	r := resource("ip=10.9.0.100")
	newLAN(t)
	a := up(t, Config{}, r)
	if claim, err := a.Ask(t.Context(), r, false); claim != nil || err != nil {
		t.Errorf("asked for its own address: %v, %v", claim, err)
	}
}

func TestALinkThatIsDownCannotBeAsked(t *testing.T) {
	l, a := newLAN(t), newAgent(t, Config{})
	l.client.Do(func() {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			err = netlink.LinkSetDown(link)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	claim, err := a.Ask(t.Context(), resource("ip=10.9.0.100", "nic="+l.link), false)
	if err == nil || !strings.Contains(err.Error(), "carrier") {
		t.Errorf("asked without a carrier: %v, %v", claim, err)
	}
}
