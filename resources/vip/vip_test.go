package vip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
)

func TestMain(m *testing.M) { testlan.Main(m) }

// lan is a client, and this machine's link to it.
type lan struct {
	client *testlan.Host
	tap    *testlan.Tap // on the client
	link   string       // here
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{client: testlan.NewHost(t)}
	l.link = l.client.Cable(t, []string{"10.9.0.1/24", "fd09::1/64"}, []string{"10.9.0.2/24", "fd09::2/64"})
	l.tap = l.client.Tap(t, "eth0")
	own := netip.MustParseAddr("fd09::1")
	for n := 0; !l.client.Ping(t, own, 100*time.Millisecond); n++ { // IPv6 takes a moment on a new link
		if n == 50 {
			t.Fatal("the LAN does not work")
		}
	}
	return l
}

func resource(parameters ...string) *pb.Resource {
	r := &pb.Resource{Id: "VirtualIP", Agent: "ocf:heartbeat:IPaddr2", Parameters: map[string]string{}}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		r.Parameters[name] = value
	}
	return r
}

// addresses lists the link's addresses as "10.9.0.1/24 LABEL".
func (l *lan) addresses(t *testing.T) []string {
	t.Helper()
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	all, err := netlink.AddrList(link, unix.AF_UNSPEC)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, a := range all {
		if !a.IP.IsLinkLocalUnicast() {
			list = append(list, strings.TrimSpace(a.IPNet.String()+" "+strings.TrimPrefix(a.Label, l.link)))
		}
	}
	return list
}

func newAgent(t *testing.T, c Config) *Agent {
	t.Helper()
	a := New(c)
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// up makes an agent and starts the resource; both end with the test.
func up(t *testing.T, c Config, r *pb.Resource) *Agent {
	t.Helper()
	a := newAgent(t, c)
	t.Cleanup(func() {
		if err := a.Stop(context.Background(), r); err != nil {
			t.Error(err)
		}
	})
	if err := a.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return a
}

// watched starts the agent's watch and returns where its words arrive.
func watched(t *testing.T, a *Agent, r *pb.Resource) <-chan string {
	t.Helper()
	words := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var watching sync.WaitGroup
	watching.Go(func() { done <- a.Watch(ctx, r, func(why string) { words <- why }) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return words
}

// said waits for a word of the watch that contains text.
func said(t *testing.T, words <-chan string, text string) {
	t.Helper()
	began := time.Now()
	for {
		select {
		case w := <-words:
			if strings.Contains(w, text) {
				t.Logf("%v later: %s", time.Since(began).Round(10*time.Microsecond), w)
				return
			}
			t.Errorf("watch said %q, want %q", w, text)
		case <-time.After(2 * time.Second):
			t.Fatalf("watch did not say %q", text)
		}
	}
}

func TestTheAddressIsServedBetweenStartAndStop(t *testing.T) {
	tests := []struct {
		name       string
		parameters []string
		want       string // as on the link
	}{
		{"the network's prefix", []string{"ip=10.9.0.100"}, "10.9.0.100/24"},
		{"tutorial", []string{"ip=10.9.0.100", "cidr_netmask=32"}, "10.9.0.100/32"},
		{"dotted mask", []string{"ip=10.9.0.100", "cidr_netmask=255.255.255.0"}, "10.9.0.100/24"},
		{"label", []string{"ip=10.9.0.100", "iflabel=web"}, "10.9.0.100/24 :web"},
		{"broadcast", []string{"ip=10.9.0.100", "broadcast=10.9.0.255"}, "10.9.0.100/24"},
		{"no broadcast", []string{"ip=10.9.0.100", "broadcast=-"}, "10.9.0.100/24"},
		{"IPv6", []string{"ip=fd09::100"}, "fd09::100/64"},
		{"IPv6, spelled out", []string{"ip=fd09:0:0:0:0:0:0:0100", "cidr_netmask=128"}, "fd09::100/128"},
		{"lvs_support", []string{"ip=10.9.0.100", "lvs_support=true"}, "10.9.0.100/24"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, r := newLAN(t), resource(tt.parameters...)
			before := l.addresses(t)
			a := newAgent(t, Config{})
			for _, step := range []struct {
				do   func(context.Context, *pb.Resource) error
				want resources.State
			}{{nil, resources.Stopped}, {a.Start, resources.Running}, {a.Start, resources.Running}, {a.Stop, resources.Stopped}, {a.Stop, resources.Stopped}} {
				began := time.Now()
				if step.do != nil {
					if err := step.do(t.Context(), r); err != nil {
						t.Fatal(err)
					}
				}
				took := time.Since(began)
				if s, err := a.Monitor(t.Context(), r); s != step.want || err != nil {
					t.Errorf("monitor: %v, %v; want %v", s, err, step.want)
				}
				t.Logf("%v after %v", step.want, took)
				if step.want != resources.Running {
					continue
				}
				if got := l.addresses(t); !slices.Contains(got, tt.want) || len(got) != len(before)+1 {
					t.Errorf("addresses %q, want %q added to %q", got, tt.want, before)
				}
				if !l.client.Ping(t, netip.MustParseAddr(r.Parameters["ip"]), time.Second) {
					t.Error("a ping was not answered")
				}
				if got, want := a.Detail(r), l.link+", guard: agent"; got != want {
					t.Errorf("detail %q, want %q", got, want)
				}
			}
			if after := l.addresses(t); !slices.Equal(before, after) {
				t.Errorf("addresses %q after stop, %q before start", after, before)
			}
		})
	}
}

func TestStopFindsTheAddressWhereverItIs(t *testing.T) {
	l := newLAN(t)
	other := l.client.Cable(t, []string{"10.8.0.1/24"}, nil)
	r := resource("ip=10.9.0.100", "nic="+l.link)
	a := up(t, Config{}, r)
	r.Parameters["nic"] = other
	if s, err := a.Monitor(t.Context(), r); s != resources.Failed || err == nil {
		t.Errorf("monitor on the wrong interface: %v, %v; want failed", s, err)
	}
	if err := a.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if s, err := a.Monitor(t.Context(), r); s != resources.Stopped || err != nil {
		t.Errorf("monitor: %v, %v; want stopped", s, err)
	}
}

func TestStartMovesTheAddressToAnotherInterface(t *testing.T) {
	l := newLAN(t)
	r := resource("ip=10.9.0.100")
	a := up(t, Config{}, r)
	other := l.client.Cable(t, []string{"10.8.0.1/24"}, nil)
	r.Parameters["nic"] = other
	if err := a.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	found, err := find(&wish{addr: netip.MustParseAddr("10.9.0.100")})
	if err != nil || len(found) != 1 || a.Detail(r) != other+", guard: agent" {
		t.Errorf("found %v, %v; detail %q", found, err, a.Detail(r))
	}
}

// The interface's own addresses, and others of the floating address's network,
// do not depend on it, nor it on them.
func TestNoOtherAddressIsTouched(t *testing.T) {
	l := newLAN(t)
	r := resource("ip=10.7.0.100", "cidr_netmask=24", "nic="+l.link)
	a := up(t, Config{}, r)
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	later, err := netlink.ParseAddr("10.7.0.5/24") // secondary to ours
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, later); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := l.addresses(t); !slices.Contains(got, "10.7.0.5/24") {
		t.Errorf("addresses %q, want 10.7.0.5/24 among them", got)
	}
}

func TestCopiesOnLoopbackBelongToRealServers(t *testing.T) {
	newLAN(t)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := netlink.ParseAddr("10.9.0.100/32")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(lo, copied); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := netlink.AddrDel(lo, copied); err != nil {
			t.Errorf("the copy on lo: %v", err)
		}
	}()
	r := resource("ip=10.9.0.100", "lvs_support=true")
	a := newAgent(t, Config{})
	if s, err := a.Monitor(t.Context(), r); s != resources.Stopped {
		t.Errorf("monitor: %v, %v; want stopped", s, err)
	}
	if err := errors.Join(a.Start(t.Context(), r), a.Stop(t.Context(), r)); err != nil {
		t.Fatal(err)
	}
}

func TestValidateShowsItsPickOrNamesTheParameterS8(t *testing.T) {
	l := newLAN(t)
	twin := testlan.NewHost(t)
	twin1 := twin.Cable(t, []string{"10.5.0.1/24", "fd05::1/64"}, nil)
	twin2 := twin.Cable(t, []string{"10.5.0.2/24"}, nil)
	narrow := testlan.NewHost(t).Cable(t, []string{"10.9.0.193/26"}, nil)
	dead := testlan.NewHost(t).Cable(t, []string{"10.4.0.1/24"}, nil)
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+dead+"/disable_ipv6", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		parameters string
		want       string // note, or the parameter that is named
		text       string // part of the error; empty: no error
	}{
		{"ip=10.9.0.100", "10.9.0.100/24 goes to interface " + l.link + ", from the route 10.9.0.0/24", ""},
		{"ip=10.9.0.200", "10.9.0.200/26 goes to interface " + narrow + ", from the route 10.9.0.192/26", ""},
		{"ip=fd09::100 cidr_netmask=128", "fd09::100/128 goes to interface " + l.link + ", from the route fd09::/64", ""},
		{"ip=10.9.0.100 nic=" + l.link, "10.9.0.100/24 goes to interface " + l.link + ", as nic says", ""},
		{"ip=10.5.0.9 nic=" + twin2, "10.5.0.9/24 goes to interface " + twin2 + ", as nic says", ""},
		{"ip=172.16.0.1 nic=" + l.link, "172.16.0.1/32 goes to interface " + l.link + ", which is in no network that holds it", ""},
		{"", "ip", "is missing"},
		{"ip=300.1.1.1", "ip", "300.1.1.1"},
		{"ip=10.9.0.100/24", "ip", "ip=10.9.0.100"},
		{"ip=fe80::1%eth0", "ip", "nic=eth0"},
		{"ip=224.0.0.1", "ip", "unicast"},
		{"ip=127.0.0.1", "ip", "unicast"},
		{"ip=172.16.0.1", "ip", "nic="},
		{"ip=10.5.0.9", "nic", "nic=" + twin1 + " or nic=" + twin2},
		{"ip=10.9.0.100 nic=eth9", "nic", l.link},
		{"ip=10.9.0.100 nic=eth0:1", "nic", "iflabel"},
		{"ip=10.9.0.100 cidr_netmask=33", "cidr_netmask", "between 1 and 32"},
		{"ip=10.9.0.100 cidr_netmask=255.0.255.0", "cidr_netmask", "netmask"},
		{"ip=fd09::100 cidr_netmask=255.255.255.0", "cidr_netmask", "netmask"},
		{"ip=10.9.0.100 iflabel=averylonglabel", "iflabel", "too long"},
		{"ip=fd09::100 iflabel=web", "iflabel", "IPv6"},
		{"ip=10.9.0.100 broadcast=x", "broadcast", "\"x\""},
		{"ip=10.9.0.100 arp_count=0", "arp_count", "between"},
		{"ip=10.9.0.100 arp_interval=fast", "arp_interval", "between"},
		{"ip=10.9.0.100 lvs_support=perhaps", "lvs_support", "boolean"},
		{"ip=fd04::9 nic=" + dead, "ip", "disable_ipv6=0"},
	}
	for _, tt := range tests {
		r := resource(strings.Fields(tt.parameters)...)
		notes, err := newAgent(t, Config{}).Validate(t.Context(), r)
		if tt.text == "" {
			if err != nil || len(notes) == 0 || notes[0] != tt.want {
				t.Errorf("%s: notes %q, %v; want %q", tt.parameters, notes, err, tt.want)
			}
			continue
		}
		var p *resources.ParameterError
		if !errors.As(err, &p) || p.Parameter != tt.want || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want an error of %s with %q", tt.parameters, err, tt.want, tt.text)
		}
	}
}

func TestStartRefusesALinkThatCarriesNothing(t *testing.T) {
	l := newLAN(t)
	link, err := netlink.LinkByName(l.link)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	r := resource("ip=10.9.0.100", "nic="+l.link)
	if err := newAgent(t, Config{}).Start(t.Context(), r); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("start on a link that is down: %v", err)
	}
	if found, err := find(&wish{addr: netip.MustParseAddr("10.9.0.100")}); len(found) != 0 || err != nil {
		t.Errorf("found %v, %v; want nothing", found, err)
	}
}

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

// claim sends what another host with the address would send.
func (l *lan) claim(t *testing.T, addr netip.Addr) {
	t.Helper()
	if addr.Is4() {
		l.tap.Send(t, testlan.ARPFrame(1, otherMAC, addr, addr))
		return
	}
	f, err := advertisement(otherMAC, addr, false)
	if err != nil {
		t.Fatal(err)
	}
	l.tap.Send(t, f)
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
func (b *book) Revoke(addr netip.Addr) error                 { b.note("revoke", addr); return nil }
func (b *book) Remove(addr netip.Addr) error                 { b.note("remove", addr); return nil }

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
