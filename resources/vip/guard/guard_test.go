package guard

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/resources/internal/testlan"
)

func TestMain(m *testing.M) { testlan.Main(m) }

var (
	vip4 = netip.MustParseAddr("10.9.0.100")
	vip6 = netip.MustParseAddr("fd09::100")
)

// lan is a client with a cable to this machine, which has both addresses.
type lan struct {
	client *testlan.Host
	tap    *testlan.Tap
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	client := testlan.NewHost(t)
	client.Cable(t, []string{"10.9.0.1/24", "fd09::1/64", vip4.String() + "/32", vip6.String() + "/128"}, []string{"10.9.0.2/24", "fd09::2/64"})
	l := &lan{client: client, tap: client.Tap(t, "eth0")}
	l.settle(t)
	return l
}

// settle waits until the cable carries packets both ways: the kernel sees to that a
// moment after its ends were set up.
func (l *lan) settle(t *testing.T) {
	t.Helper()
	for _, own := range []string{"10.9.0.1", "fd09::1"} {
		if !l.answers(t, netip.MustParseAddr(own)) {
			t.Fatalf("the LAN does not work: %s is silent", own)
		}
	}
}

// probes are the ways to find out whether the addresses speak.
func (l *lan) probes() []probe {
	client := netip.MustParseAddr("10.9.0.2")
	return []probe{
		{"ping IPv4", vip4, func(t *testing.T, d time.Duration) bool { return l.client.Ping(t, vip4, d) }},
		{"ARP", vip4, func(t *testing.T, d time.Duration) bool { return l.tap.ARP(t, client, vip4, d) }},
		{"ARP probe", vip4, func(t *testing.T, d time.Duration) bool { return l.tap.ARP(t, netip.IPv4Unspecified(), vip4, d) }},
		{"DAD", vip6, func(t *testing.T, d time.Duration) bool { return l.tap.DAD(t, vip6, d) }},
		{"ping IPv6", vip6, func(t *testing.T, d time.Duration) bool { return l.client.Ping(t, vip6, d) }},
		{"NDP", vip6, func(t *testing.T, d time.Duration) bool { return l.client.NDP(t, "eth0", vip6, d) }},
	}
}

type probe struct {
	name  string
	addr  netip.Addr
	speak func(t *testing.T, timeout time.Duration) bool
}

// answers reports whether an address that is to speak does. This machine may stand
// still for longer than one answer is waited for.
func (l *lan) answers(t *testing.T, addr netip.Addr) bool {
	t.Helper()
	for range 50 {
		if l.speaksNow(t, addr) {
			return true
		}
	}
	return false
}

// speaksNow asks an address that is to be silent once.
func (l *lan) speaksNow(t *testing.T, addr netip.Addr) bool {
	t.Helper()
	return l.client.Ping(t, addr, 100*time.Millisecond)
}

func open(t *testing.T, c Config, keep func(netip.Addr) bool) *Guard {
	t.Helper()
	g, err := Open(c, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for addr := range g.managed {
			if err := g.Remove(addr); err != nil {
				t.Error(err)
			}
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func none(netip.Addr) bool { return false }

// grant extends by d from now.
func grant(t *testing.T, g *Guard, d time.Duration) {
	t.Helper()
	if err := g.Extend(Now() + d); err != nil {
		t.Fatal(err)
	}
}

func TestAManagedAddressAnswersOnlyWhileLeasedS1(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	for _, addr := range []netip.Addr{vip4, vip6} {
		if !l.answers(t, addr) {
			t.Errorf("%s is silent before it is managed", addr)
		}
		if err := g.Add(t.Context(), addr); !errors.Is(err, ErrNoLease) {
			t.Errorf("Add(%s) without a lease: %v, want ErrNoLease", addr, err)
		}
		grant(t, g, time.Minute)
		if err := g.Add(t.Context(), addr); err != nil {
			t.Fatal(err)
		}
		if !l.answers(t, addr) {
			t.Errorf("%s is silent under a lease", addr)
		}
		if err := g.Revoke(addr); err != nil {
			t.Fatal(err)
		}
		if l.speaksNow(t, addr) {
			t.Errorf("%s answers after it was revoked", addr)
		}
		grant(t, g, time.Minute)
		if l.speaksNow(t, addr) {
			t.Errorf("%s, revoked, answers after a renewal", addr)
		}
		if err := g.Add(t.Context(), addr); err != nil {
			t.Fatal(err)
		}
		if err := g.Clear(); err != nil {
			t.Fatal(err)
		}
		if l.speaksNow(t, addr) {
			t.Errorf("%s answers after Clear", addr)
		}
		if err := g.Remove(addr); err != nil {
			t.Fatal(err)
		}
		if !l.answers(t, addr) {
			t.Errorf("%s is silent though nobody manages it", addr)
		}
	}
}

func TestOtherAddressesAreLeftAlone(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	grant(t, g, time.Minute)
	if err := errors.Join(g.Add(t.Context(), vip4), g.Add(t.Context(), vip6), g.Clear()); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"10.9.0.1", "fd09::1"} {
		if !l.answers(t, netip.MustParseAddr(other)) {
			t.Errorf("%s, which is not managed, is silent", other)
		}
	}
}

// Two clocks end an address by themselves: nothing is called after the last
// renewal, as after kill -9 of the agent. The deadline is put before the end of
// the timeout by a wall clock that is behind when it is read.
func TestTheKernelEndsALeaseThatIsNotRenewedS1(t *testing.T) {
	const lease = 600 * time.Millisecond
	for by, early := range map[string]time.Duration{"timeout": 0, "deadline": 200 * time.Millisecond} {
		t.Run(by, func(t *testing.T) {
			l := newLAN(t)
			g := open(t, Config{}, none)
			g.wall = func() time.Duration { return wallNow() - early }
			for _, p := range l.probes() {
				t.Run(p.name, func(t *testing.T) { endsAfter(t, g, p, lease, lease-early) })
			}
		})
	}
}

// endsAfter renews an address and expects that it is silent after a while, and not
// before. This machine may stand still for so long, but not each time.
func endsAfter(t *testing.T, g *Guard, p probe, lease, want time.Duration) {
	t.Helper()
	for range 5 {
		if lastAnswer(t, g, p, lease, want) >= want/2 {
			return
		}
	}
	t.Errorf("%s is silent too early each time", p.addr)
}

// lastAnswer renews an address for the last time, and returns how long after that
// something was asked that was answered.
func lastAnswer(t *testing.T, g *Guard, p probe, lease, want time.Duration) time.Duration {
	t.Helper()
	grant(t, g, time.Minute)
	if err := g.Add(t.Context(), p.addr); err != nil {
		t.Fatal(err)
	}
	var cost []time.Duration
	for range 10 {
		if !p.speak(t, 3*time.Second) {
			t.Errorf("%s is silent between renewals", p.addr)
		}
		began := time.Now()
		grant(t, g, time.Minute)
		cost = append(cost, time.Since(began))
	}
	switch err := g.Extend(Now() + lease); {
	case errors.Is(err, ErrStalled):
		return 0
	case err != nil:
		t.Fatal(err)
	}
	renewed, last := time.Now(), time.Duration(0)
	for asked := time.Duration(0); asked < want+100*time.Millisecond; asked = time.Since(renewed) {
		if p.speak(t, 20*time.Millisecond) {
			last = asked
		}
	}
	slices.Sort(cost)
	t.Logf("what was asked %v after the last renewal was answered, want %v; a renewal takes %v, at most %v", last, want, cost[5], cost[9])
	if last > want+20*time.Millisecond { // one jiffy
		t.Errorf("%s answered %v after a renewal, want %v", p.addr, last, want)
	}
	if err := g.Revoke(p.addr); err != nil {
		t.Fatal(err)
	}
	return last
}

// A renewal is written for what remains of the lease that is held at that
// moment, not for what the caller believed (rule 23).
func TestExtendWritesNoMoreThanThePresentLeaseRule23(t *testing.T) {
	l := newLAN(t)
	end := Now() + time.Minute
	g := open(t, Config{Deadline: func() (time.Duration, bool) { return end, end != 0 }}, none)
	if err := g.Add(t.Context(), vip4); err != nil {
		t.Fatal(err)
	}
	end = Now() - time.Millisecond
	if err := g.Extend(Now() + time.Minute); !errors.Is(err, ErrStalled) {
		t.Errorf("Extend past the lease: %v, want ErrStalled", err)
	}
	if l.speaksNow(t, vip4) {
		t.Error("the address answers without a lease")
	}
	end = 0
	if err := g.Extend(Now() + time.Minute); !errors.Is(err, ErrNoLease) {
		t.Errorf("Extend without a lease: %v, want ErrNoLease", err)
	}
}

// A start that was held up must not take a later lease for its own.
func TestNothingIsAddedAfterItsRightHasEndedRule23(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	grant(t, g, time.Minute)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := g.Add(ended, vip4); !errors.Is(err, ErrNoLease) {
		t.Errorf("Add = %v, want ErrNoLease", err)
	}
	if len(g.leased) != 0 {
		t.Error("the address is renewed under a right that has ended")
	}
	if err := g.Add(t.Context(), vip4); err != nil || !l.answers(t, vip4) {
		t.Errorf("Add under a right: %v", err)
	}
}

// The lock is around the check of the right and the write: what is revoked right
// after an Add has checked is silent in the end.
func TestNoAddOvertakesARevocationRule23(t *testing.T) {
	l := newLAN(t)
	var g *Guard
	var revoking sync.WaitGroup
	var failed error
	revoked, end := make(chan struct{}), Now()+time.Minute
	check := sync.OnceFunc(func() {
		revoking.Go(func() {
			defer close(revoked)
			failed = g.Revoke(vip4)
		})
		select { // the fault: the Add stands still here
		case <-revoked:
		case <-time.After(200 * time.Millisecond):
		}
	})
	g = open(t, Config{Deadline: func() (time.Duration, bool) { check(); return end, true }}, none)
	err := g.Add(t.Context(), vip4)
	revoking.Wait()
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	if l.speaksNow(t, vip4) {
		t.Error("the address answers after it was revoked")
	}
}

// Only what was written too late is taken back, the rest has a lease of its own.
func TestALateAddSilencesNoOtherAddress(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	grant(t, g, time.Minute)
	if err := g.Add(t.Context(), vip4); err != nil {
		t.Fatal(err)
	}
	start, reads := Now(), 0
	g.now = func() time.Duration {
		reads++
		return start + time.Duration(reads/3)*2*time.Minute // late at the third look
	}
	if err := g.Add(t.Context(), vip6); !errors.Is(err, ErrStalled) {
		t.Errorf("Add = %v, want ErrStalled", err)
	}
	if l.speaksNow(t, vip6) {
		t.Error("the late address answers")
	}
	if !l.answers(t, vip4) {
		t.Error("another address is silent")
	}
}

// The clock stands for an agent that was frozen while it wrote: it is read
// once before the write, and again after it.
func TestAWriteThatCameTooLateIsTakenBackRule24(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	grant(t, g, time.Minute)
	if err := g.Add(t.Context(), vip4); err != nil {
		t.Fatal(err)
	}
	start, reads := Now(), 0
	g.now = func() time.Duration {
		reads++
		return start + time.Duration(reads-1)*time.Minute
	}
	if err := g.Extend(start + time.Second); !errors.Is(err, ErrStalled) {
		t.Errorf("Extend = %v, want ErrStalled", err)
	}
	if l.speaksNow(t, vip4) {
		t.Error("the address answers after its lease ended in a freeze")
	}
}

// killed is what is left of a guard whose agent was killed with both addresses
// under a lease.
func killed(t *testing.T, lease time.Duration) {
	t.Helper()
	old, err := Open(Config{}, none)
	if err != nil {
		t.Fatal(err)
	}
	grant(t, old, lease)
	if err := errors.Join(old.Add(t.Context(), vip4), old.Add(t.Context(), vip6)); err != nil {
		t.Fatal(err)
	}
	abandon(t, old)
}

// abandon ends a guard as a kill does.
func abandon(t *testing.T, g *Guard) {
	t.Helper()
	if err := errors.Join(g.steps.close(), g.socket.close()); err != nil {
		t.Fatal(err)
	}
}

func is4(a netip.Addr) bool { return a == vip4 }

// A new agent must not let addresses speak whose lease is over (rule 4).
func TestOpenKeepsAnEarlierAgentsAddressesSilentRule4(t *testing.T) {
	l := newLAN(t)
	killed(t, 2*time.Second)
	time.Sleep(2050 * time.Millisecond) // the lease's end
	g := open(t, Config{}, is4)
	if l.speaksNow(t, vip4) {
		t.Errorf("%s answers after the lease of an earlier agent", vip4)
	}
	if !l.answers(t, vip6) {
		t.Errorf("%s is silent though it is not kept", vip6)
	}
	grant(t, g, time.Minute)
	if err := g.Add(t.Context(), vip4); err != nil {
		t.Fatal(err)
	}
	if !l.client.Ping(t, vip4, 3*time.Second) { // the client asks by ARP once a second
		t.Errorf("%s is silent under a new lease", vip4)
	}
}

// What an earlier agent left under a lease that goes on speaks without a gap,
// but no longer than it was given unless it is added again.
func TestOpenLetsALeaseThatGoesOnEndByItselfRule25(t *testing.T) {
	l := newLAN(t)
	killed(t, 2*time.Second)
	end := Now() + 2*time.Second
	g := open(t, Config{}, func(netip.Addr) bool { return true })
	if !g.Kept() || !l.answers(t, vip4) || !l.answers(t, vip6) {
		t.Fatal("silent under a lease of two seconds")
	}
	grant(t, g, time.Minute)
	if err := g.Add(t.Context(), vip4); err != nil { // taken over
		t.Fatal(err)
	}
	grant(t, g, time.Minute)
	for asked := Now(); g.Kept() || l.speaksNow(t, vip6); asked = Now() {
		if asked > end+100*time.Millisecond {
			t.Fatalf("%s answers %v after its lease, which nobody took over", vip6, asked-end)
		}
	}
	if !l.answers(t, vip4) {
		t.Errorf("%s, taken over, is silent", vip4)
	}
}

func TestWhatAnEarlierAgentLeftIsCutAndClearedRule25(t *testing.T) {
	for how, end := range map[string]func(*Guard) error{
		"with the new lease": func(g *Guard) error { return g.Extend(Now() + time.Second) },
		"without a lease":    (*Guard).Clear,
		"when it is revoked": func(g *Guard) error { return g.Revoke(vip4) },
	} {
		t.Run(how, func(t *testing.T) {
			l := newLAN(t)
			killed(t, time.Minute)
			g := open(t, Config{}, is4)
			if !g.Kept() {
				t.Fatal("nothing is kept")
			}
			if err := end(g); err != nil {
				t.Fatal(err)
			}
			for end := Now() + 10*time.Second; g.Kept() || l.speaksNow(t, vip4); {
				if Now() > end {
					t.Fatalf("kept %v, answers %v", g.Kept(), l.speaksNow(t, vip4))
				}
			}
		})
	}
}

// An agent was killed before it could take back what it wrote too late: the
// timeouts in the kernel go on, and only the deadline tells that they lie (H7).
func TestOpenBelievesTheEarlierOfTimeoutAndDeadline(t *testing.T) {
	l := newLAN(t)
	old, err := Open(Config{}, none)
	if err != nil {
		t.Fatal(err)
	}
	old.wall = func() time.Duration { return wallNow() - time.Minute } // the freeze
	grant(t, old, 30*time.Second)
	if err := old.Add(t.Context(), vip4); err != nil {
		t.Fatal(err)
	}
	abandon(t, old)
	g := open(t, Config{}, is4)
	if g.Kept() || l.speaksNow(t, vip4) {
		t.Errorf("kept %v, answers %v: the lease was over when it was written", g.Kept(), l.speaksNow(t, vip4))
	}
}

func TestRenewalsLoseNoPacketAndMakeNoAddressEvent(t *testing.T) {
	l := newLAN(t)
	g := open(t, Config{}, none)
	l.serve(t, g)
	events, done := make(chan netlink.AddrUpdate, 100), make(chan struct{})
	if err := netlink.AddrSubscribe(events, done); err != nil {
		t.Fatal(err)
	}
	defer close(done)
	for range 100 {
		grant(t, g, time.Minute)
		for _, p := range l.probes() {
			if !p.speak(t, time.Second) {
				t.Fatalf("%s was not answered during renewals", p.name)
			}
		}
	}
	for range len(events) {
		if addr, _ := netip.AddrFromSlice((<-events).LinkAddress.IP); addr.Unmap() == vip4 || addr == vip6 {
			t.Errorf("an event about %s", addr)
		}
	}
}

func TestHundredsOfAddressesAreRenewedInOneBatch(t *testing.T) {
	testlan.Need(t)
	g := open(t, Config{}, none)
	grant(t, g, time.Minute)
	for n := range 300 {
		for _, addr := range []netip.Addr{netip.AddrFrom4([4]byte{10, 8, byte(n >> 8), byte(n)}), netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(n >> 8), 15: byte(n)})} {
			if err := g.Add(t.Context(), addr); err != nil {
				t.Fatal(err)
			}
		}
	}
	began := time.Now()
	grant(t, g, time.Minute)
	t.Logf("600 addresses renewed in %v", time.Since(began))
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(elementsOf(conn, g.sets.v6.leased)); n != 300 { // see agreed
		t.Errorf("%d leased IPv6 addresses, want 300", n)
	}
	if n := len(g.sets.list(conn)); n != 600 {
		t.Errorf("%d managed addresses, want 600", n)
	}
}

func TestABatchIsTakenWholeOrNotAtAll(t *testing.T) {
	testlan.Need(t)
	g := open(t, Config{}, none)
	b := new(batch)
	g.sets.manage(b, vip4)
	b.take(g.sets.v6.leased, [][]byte{vip6.AsSlice()}) // is not there
	if err := g.commit(b); !errors.Is(err, unix.ENOENT) {
		t.Errorf("commit = %v, want ENOENT", err)
	}
	if set := nft(t, "list set inet quorate managed4"); strings.Contains(set, vip4.String()) {
		t.Errorf("half of a refused batch was taken: %s", set)
	}
	grant(t, g, time.Minute)
	if err := g.Add(t.Context(), vip4); err != nil {
		t.Errorf("Add after a refused batch: %v", err)
	}
}

// Other people's tables stay, and ours go with the last address.
func TestCloseRemovesOurTablesAndNoOthers(t *testing.T) {
	testlan.Need(t)
	nft(t, "add table inet other; add set inet other managed4 { type ipv4_addr; elements = { 10.1.1.1 }; }")
	before := nft(t, "list ruleset")
	g, err := Open(Config{}, none)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(nft(t, "list tables"), "table arp quorate") {
		t.Error("no arp table after Open")
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if after := nft(t, "list ruleset"); after != before {
		t.Errorf("ruleset after Close\n got %s\nwant %s", after, before)
	}
	nft(t, "delete table inet other")
}

// An agent that uses another guard takes over no tables: what they keep silent is
// removed before they are.
func TestRetireRemovesOurTablesOnceNothingIsKeptSilentS1(t *testing.T) {
	newLAN(t)
	before := nft(t, "list ruleset")
	killed(t, time.Minute)
	stuck := errors.New("still there")
	if err := Retire(func(netip.Addr) error { return stuck }); !errors.Is(err, stuck) || !strings.Contains(nft(t, "list tables"), "quorate") {
		t.Errorf("Retire: %v, want the tables kept while an address is there", err)
	}
	var dropped []netip.Addr
	err := Retire(func(a netip.Addr) error {
		dropped = append(dropped, a)
		return nil
	})
	if err != nil || len(dropped) != 2 {
		t.Errorf("Retire: %v, dropped %v; want both addresses", err, dropped)
	}
	if after := nft(t, "list ruleset"); after != before {
		t.Errorf("ruleset after Retire\n got %s\nwant %s", after, before)
	}
	if err := Retire(func(netip.Addr) error { return stuck }); err != nil {
		t.Errorf("Retire without tables: %v", err)
	}
}

func nft(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "nft", command).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("needs the program nft, to look at the tables from outside")
	}
	if err != nil {
		t.Fatalf("nft %s: %v: %s", command, err, out)
	}
	return string(out)
}

func TestWithoutPermissionOpenSaysSo(t *testing.T) {
	testlan.Need(t)
	var err error
	inUserNamespace(t, func() { _, err = Open(Config{}, none) })
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("Open without CAP_NET_ADMIN: %v, want ErrUnavailable", err)
	}
}

// inUserNamespace runs f on a thread without CAP_NET_ADMIN.
func inUserNamespace(t *testing.T, f func()) {
	t.Helper()
	h := testlan.NewHost(t)
	h.Do(func() {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capset(&header, &data[0]); err != nil {
			t.Error(err)
			return
		}
		f()
	})
}
