package realserver

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
)

func TestMain(m *testing.M) { testlan.Main(m) }

var (
	vip4 = netip.MustParseAddr("10.9.0.100")
	vip6 = netip.MustParseAddr("fd09::100")
)

// patience is what a test waits for something that must come.
const wait = 20 * time.Second

// lan is a director with a cable to this machine. It knows the machine's end.
type lan struct {
	director *testlan.Host
	tap      *testlan.Tap
	here     string
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{director: testlan.NewHost(t)}
	l.here = l.director.Cable(t, []string{"10.9.0.1/24", "fd09::1/64"}, []string{"10.9.0.2/24", "fd09::2/64"})
	l.tap = l.director.Tap(t, "eth0")
	link, err := netlink.LinkByName(l.here)
	if err != nil {
		t.Fatal(err)
	}
	l.director.Do(func() {
		out, err := netlink.LinkByName("eth0")
		if err != nil {
			t.Error(err)
			return
		}
		for _, addr := range []netip.Addr{vip4, vip6} {
			n := &netlink.Neigh{LinkIndex: out.Attrs().Index, State: netlink.NUD_PERMANENT, IP: addr.AsSlice(), HardwareAddr: link.Attrs().HardwareAddr}
			if err := netlink.NeighSet(n); err != nil {
				t.Error(err)
			}
		}
	})
	return l
}

// serves expects what the director sends to be answered, or not.
func (l *lan) serves(t *testing.T, want bool, when string) {
	t.Helper()
	for _, addr := range []netip.Addr{vip4, vip6} {
		if got := l.answers(t, addr, want); got != want {
			t.Errorf("%s: %s answered = %v, want %v", when, addr, got, want)
		}
	}
}

// answers asks once, or until it is answered if it is to be.
func (l *lan) answers(t *testing.T, addr netip.Addr, patiently bool) bool {
	t.Helper()
	got := l.director.Ping(t, addr, 50*time.Millisecond)
	for end := time.Now().Add(wait); patiently && !got && time.Now().Before(end); {
		got = l.director.Ping(t, addr, 100*time.Millisecond)
	}
	return got
}

// silent expects no neighbour to be told of the addresses.
func (l *lan) silent(t *testing.T, when string) {
	t.Helper()
	const timeout = 50 * time.Millisecond
	director := netip.MustParseAddr("10.9.0.2")
	for what, told := range map[string]bool{
		"ARP":       l.tap.ARP(t, director, vip4, timeout),
		"ARP probe": l.tap.ARP(t, netip.IPv4Unspecified(), vip4, timeout),
		"DAD":       l.tap.DAD(t, vip6, timeout),
		"NDP":       l.director.NDP(t, "eth0", vip6, timeout),
	} {
		if told {
			t.Errorf("%s: %s was answered", when, what)
		}
	}
}

func resource(parameters ...string) *pb.Resource {
	r := &pb.Resource{Id: "real", Agent: "quorate:realserver", Parameters: map[string]string{"ip": "10.9.0.100 fd09::100"}}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		r.Parameters[name] = value
	}
	return r
}

func start(t *testing.T, a *Agent, r *pb.Resource) {
	t.Helper()
	if err := a.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background(), r); err != nil {
			t.Error(err)
		}
	})
}

func monitored(t *testing.T, a *Agent, r *pb.Resource, want resources.State) error {
	t.Helper()
	state, err := a.Monitor(resources.Recurring(t.Context(), &pb.OperationSpec{Name: "monitor"}), r)
	if state != want {
		t.Errorf("monitor: %v, %v; want %v", state, err, want)
	}
	return err
}

func setSysctl(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

func setting(t *testing.T, name, want string) {
	t.Helper()
	got, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + name)
	if err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("%s is %q, %v; want %s", name, got, err, want)
	}
}

func TestARealServerAnswersWhatADirectorSendsAndNoNeighbour(t *testing.T) {
	l := newLAN(t)
	for name, parameters := range map[string][]string{"all interfaces": nil, "one interface": {"nic=" + l.here}} {
		t.Run(name, func(t *testing.T) {
			a, r := New(Config{RunDir: t.TempDir()}), resource(parameters...)
			monitored(t, a, r, resources.Stopped)
			l.serves(t, false, "before the start")
			start(t, a, r)
			l.serves(t, true, "running")
			l.silent(t, "running")
			if err := monitored(t, a, r, resources.Running); err != nil {
				t.Error(err)
			}
			start(t, a, r) // again
			if err := a.Halt(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			l.serves(t, true, "after the end of a lease")
			later := New(Config{RunDir: a.RunDir})
			monitored(t, later, r, resources.Running)
			if err := later.Stop(t.Context(), resource("ip=10.9.0.77")); err != nil { // whatever the parameters say by then
				t.Fatal(err)
			}
			l.serves(t, false, "stopped by a later process")
			monitored(t, later, r, resources.Stopped)
			for _, scope := range []string{"all", l.here} {
				setting(t, scope+"/arp_ignore", "0")
				setting(t, scope+"/arp_announce", "0")
			}
		})
	}
}

func TestStricterSettingsStay(t *testing.T) {
	newLAN(t)
	a, r := New(Config{RunDir: t.TempDir()}), resource()
	setSysctl(t, "all/arp_ignore", "2")
	t.Cleanup(func() { setSysctl(t, "all/arp_ignore", "0") })
	start(t, a, r)
	setting(t, "all/arp_ignore", "2")
	setting(t, "all/arp_announce", "2")
}

// An interface's own setting is counted if it is greater, and a greater one may
// be weaker: 4 to 7 are reserved, and answer for everything.
func TestAHostThatTellsItsNeighboursFailsAndLeavesNothing(t *testing.T) {
	l := newLAN(t)
	a, r := New(Config{RunDir: t.TempDir()}), resource()
	setSysctl(t, l.here+"/arp_ignore", "4")
	err := a.Start(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "tells its neighbours that it has 10.9.0.100") {
		t.Errorf("start: %v", err)
	}
	l.serves(t, false, "after the start failed")
	if err := a.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	setSysctl(t, l.here+"/arp_ignore", "0")
	start(t, a, r)
	setSysctl(t, l.here+"/arp_ignore", "4")
	if err := monitored(t, a, r, resources.Failed); err == nil || !strings.Contains(err.Error(), "arp_ignore") {
		t.Errorf("monitor: %v", err)
	}
}

func TestAnotherHandsChangesAreMendedOrTold(t *testing.T) {
	l := newLAN(t)
	a, r := New(Config{RunDir: t.TempDir()}), resource()
	start(t, a, r)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan string, 10)
	var watching sync.WaitGroup
	watching.Go(func() { _ = a.Watch(ctx, r, func(why string) { told <- why }) })
	defer watching.Wait()
	defer cancel()
	setSysctl(t, "all/arp_ignore", "0")
	for end := time.Now().Add(wait); ; {
		now, err := a.sysctls.Read("net.ipv4.conf.all.arp_ignore")
		if err == nil && now == "1" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("arp_ignore is still %q, %v", now, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	l.silent(t, "mended")
	if err := take(vip6); err != nil {
		t.Fatal(err)
	}
	select {
	case why := <-told:
		if !strings.Contains(why, "fd09::100 was removed from lo by another hand") {
			t.Errorf("told: %s", why)
		}
	case <-time.After(wait):
		t.Error("a removed address was not told of")
	}
	monitored(t, a, r, resources.Failed)
}

func TestAReloadTouchesOnlyWhatChanges(t *testing.T) {
	l := newLAN(t)
	a := New(Config{RunDir: t.TempDir()})
	start(t, a, resource())
	if err := a.Reload(t.Context(), resource("ip=10.9.0.100")); err != nil {
		t.Fatal(err)
	}
	if !l.answers(t, vip4, true) || l.answers(t, vip6, false) {
		t.Error("the first address should be served still, and the other not any more")
	}
	other := resource()
	other.Id = "other"
	if err := a.Start(t.Context(), other); err == nil || !strings.Contains(err.Error(), "10.9.0.100 belongs to the resource real") {
		t.Errorf("start of another with the same address: %v", err)
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	for parameters, want := range map[string]string{
		"ip=":                    "parameter ip: is missing",
		"ip=10.0.0.1/32":         `parameter ip: "10.0.0.1/32" is not an address`,
		"ip=10.0.0.1, 10.0.0.1":  "parameter ip: 10.0.0.1 is there twice",
		"ip=127.0.0.1":           "parameter ip: 127.0.0.1 is not a unicast address",
		"forward=nat":            "parameter forward: a real server behind NAT",
		"forward=carrier pigeon": `parameter forward: "carrier pigeon" is not a way`,
		"nic=eth77":              "parameter nic: there is no interface eth77",
	} {
		_, err := New(Config{RunDir: t.TempDir()}).Validate(t.Context(), resource(parameters))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", parameters, err, want)
		}
	}
}
