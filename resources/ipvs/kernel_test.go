package ipvs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/deploy/lab/vm/vmtest"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
	"quorate/resources/internal/testlan"
)

// These tests are about Linux's own table, so they run in an emulated machine with
// Debian's kernel; in it, each has the network namespace of the test process.

func TestMain(m *testing.M) {
	if vmtest.Inside() {
		testlan.Main(m)
	}
	os.Exit(vmtest.Main(m))
}

// patience is what a test waits for something that must come; machines are emulated.
const patience = 60 * time.Second

func onKernel(t *testing.T) *kernel {
	t.Helper()
	vmtest.Need(t)
	testlan.Need(t)
	k, err := loadKernel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		found, err := k.read(func(Key) bool { return true })
		for _, s := range found {
			_ = k.perform(Change{Verb: RemoveService, Service: s})
		}
		if err != nil {
			t.Error(err)
		}
		k.close()
	})
	return k
}

func readAll(t *testing.T, k *kernel) string {
	t.Helper()
	found, err := k.read(func(Key) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b Service) int { return compareKeys(a.Key, b.Key) })
	return table(found)
}

// director is an agent whose changes to the table are counted.
type director struct {
	*Agent
	mu      sync.Mutex
	changes []string
}

func newDirector(runDir string) *director {
	d := &director{}
	d.Agent = New(Config{RunDir: runDir, Log: slog.New(d)})
	return d
}

func (d *director) Enabled(context.Context, slog.Level) bool { return true }
func (d *director) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *director) WithGroup(string) slog.Handler            { return d }

func (d *director) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "change" {
			d.mu.Lock()
			d.changes = append(d.changes, a.Value.String())
			d.mu.Unlock()
		}
		return true
	})
	return nil
}

func (d *director) changed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.changes
	d.changes = nil
	return all
}

func resource(config string) *pb.Resource {
	return &pb.Resource{Id: "web", Agent: "quorate:ipvs", Parameters: map[string]string{"config": config}}
}

// eventually waits until the table is as wanted.
func eventually(t *testing.T, k *kernel, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = readAll(t, k); got == want {
			return
		}
	}
	t.Fatalf("the table is\n%swant\n%s", got, want)
}

func TestEveryKindOfServiceIsReadAsItWasWritten(t *testing.T) {
	k := onKernel(t)
	var text strings.Builder
	for i, name := range schedulers {
		if name == "twos" { // newer than Debian 12's kernel
			continue
		}
		fmt.Fprintf(&text, "virtual 10.0.0.1:%d scheduler=%s; real 10.0.0.21 weight=%d; real 10.0.0.22:99 upper=100 lower=80\n", 1000+i, name, i)
	}
	text.WriteString(`
		virtual 10.0.0.1:80 persistent=2h netmask=24 forward=direct; real 10.0.0.21
		virtual 10.0.0.1:0 persistent=5min; real 10.0.0.21
		virtual 10.0.0.1:53 protocol=udp scheduler=sh flags=one-packet,port,fallback; real 10.0.0.21 forward=tunnel
		virtual 10.0.0.1:132 protocol=sctp; real 10.0.0.21 weight=65535
		virtual [fd00::1]:80 persistent=300 netmask=64; real fd00::21 forward=tunnel; real fd00::22 weight=0
		virtual fwmark:5 scheduler=mh; real 10.0.0.21 forward=direct
		virtual fwmark:5 family=ipv6 scheduler=mh; real fd00::21 forward=direct`)
	wanted := configured(t, text.String()).Services(nil, nil, Standing{})
	for _, c := range Reconcile(wanted, nil, nil) {
		if err := k.perform(c); err != nil {
			t.Fatal(err)
		}
	}
	found, err := k.read(func(Key) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if again := Reconcile(wanted, found, nil); len(again) > 0 {
		t.Errorf("after all was written there is still %v to do; the table is\n%s", again, table(found))
	}
}

func TestADirectorIsAdoptedWithoutAChangeAndLeavesOthersAlone(t *testing.T) {
	k := onKernel(t)
	foreign := configured(t, "virtual 10.0.0.9:80 scheduler=rr; real 10.0.0.99").Services(nil, nil, Standing{})
	for _, c := range Reconcile(foreign, nil, nil) {
		if err := k.perform(c); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	r := resource("virtual 10.0.0.1:80 scheduler=rr; real 10.0.0.21; real 10.0.0.22; virtual 10.0.0.1:81 scheduler=rr; real 10.0.0.21")
	first := newDirector(dir)
	if err := first.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if n := len(first.changed()); n != 5 {
		t.Errorf("%d changes at first, want 5", n)
	}
	again := newDirector(dir) // the agent was restarted
	if state, err := again.Monitor(t.Context(), r); state != resources.Running {
		t.Errorf("before it is adopted: %v, %v", state, err)
	}
	if err := again.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if changes := again.changed(); len(changes) > 0 {
		t.Errorf("adopting it changed %v", changes)
	}
	if err := again.Reload(t.Context(), resource("virtual 10.0.0.1:80 scheduler=rr; real 10.0.0.21; real 10.0.0.22 weight=2")); err != nil {
		t.Fatal(err)
	}
	if changes := strings.Join(again.changed(), "; "); changes != "set 10.0.0.22:80 of tcp 10.0.0.1:80 to weight 2; remove tcp 10.0.0.1:81" {
		t.Errorf("the reload did: %s", changes)
	}
	another := resource("virtual 10.0.0.1:80; real 10.0.0.23")
	another.Id = "other"
	if err := again.Start(t.Context(), another); err == nil || !strings.Contains(err.Error(), "belongs to the resource web") {
		t.Errorf("a second resource with the same service: %v", err)
	}
	if err := again.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, k); got != table(foreign) {
		t.Errorf("after the stop the table is\n%swant\n%s", got, table(foreign))
	}
	if state, err := again.Monitor(t.Context(), r); state != resources.Stopped || err != nil {
		t.Errorf("after the stop: %v, %v", state, err)
	}
}

func TestWhatAnotherHandChangedIsUndone(t *testing.T) {
	k := onKernel(t)
	d, r := newDirector(t.TempDir()), resource("virtual 10.0.0.1:80 scheduler=rr; real 10.0.0.21; real 10.0.0.22")
	if err := d.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	watching(t, d, r)
	want := readAll(t, k)
	mine, err := k.read(func(Key) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Change{
		{RemoveServer, mine[0], mine[0].Servers[0]},
		{AddServer, mine[0], Server{Address: netip.MustParseAddrPort("10.0.0.66:80")}},
		{RemoveService, mine[0], Server{}},
	} {
		if err := k.perform(c); err != nil {
			t.Fatal(err)
		}
		eventually(t, k, want)
	}
}

// watching runs the watch of a resource until the test ends.
func watching(t *testing.T, d *director, r *pb.Resource) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var w sync.WaitGroup
	w.Go(func() {
		if err := d.Watch(ctx, r, func(why string) { t.Log("watch:", why) }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		w.Wait()
	})
}

func TestKernelSettingsAreSetAndRestored(t *testing.T) {
	onKernel(t)
	d := newDirector(t.TempDir())
	const nodest, forward = "net.ipv4.vs.expire_nodest_conn", "net.ipv4.ip_forward"
	for name, value := range map[string]string{nodest: "0", forward: "0"} {
		if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when, name, want string) {
		t.Helper()
		if got, err := d.sysctls.Read(name); err != nil || got != want {
			t.Errorf("%s, %s is %q, %v; want %s", when, name, got, err, want)
		}
	}
	r := resource("virtual 10.0.0.1:80; real 10.0.0.21")
	if err := d.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	expect("while it runs", nodest, "1")
	expect("while it runs", forward, "1")
	if got := d.Detail(r); got != "1 virtual service, 1 real server, sets ip_forward=1, vs.expire_nodest_conn=1" {
		t.Errorf("the detail is %q", got)
	}
	if err := d.Reload(t.Context(), resource("virtual 10.0.0.1:80 forward=direct; real 10.0.0.21")); err != nil {
		t.Fatal(err)
	}
	expect("without NAT", forward, "0")
	if err := d.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	expect("after the stop", nodest, "0")
}

// told keeps what a RealServer is told last.
type told map[string][]netip.Addr

func (l told) Direct(resource string, addrs []netip.Addr) error {
	l[resource] = addrs
	return nil
}

func TestARealServerIsToldWhatIsBalancedBeforeItIsAndAfter(t *testing.T) {
	onKernel(t)
	d, l := newDirector(t.TempDir()), told{}
	d.Use(l)
	vip, mark := netip.MustParseAddr("10.0.0.1"), netip.IPv6Unspecified()
	expect := func(when string, want []netip.Addr, balanced bool) {
		t.Helper()
		is, err := d.Balances(vip)
		if !slices.Equal(l["web"], want) || is != balanced || err != nil {
			t.Errorf("%s: told %v, want %v; balances %s: %v, %v", when, l["web"], want, vip, is, err)
		}
	}
	expect("before", nil, false)
	r := resource("virtual 10.0.0.1:80 10.0.0.1:443 forward=direct; real 10.0.0.21")
	if err := d.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	expect("running", []netip.Addr{vip}, true)
	if err := d.Reload(t.Context(), resource("virtual fwmark:5 forward=direct; real 10.0.0.21")); err != nil {
		t.Fatal(err)
	}
	expect("by mark", []netip.Addr{mark}, true)
	if err := d.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	expect("stopped", nil, false)
}

func TestASchedulerThatTheKernelLacksIsNamed(t *testing.T) {
	k := onKernel(t)
	r := resource("virtual 10.0.0.1:80 scheduler=best; real 10.0.0.21")
	d := newDirector(t.TempDir())
	for what, err := range map[string]error{"start": d.Start(t.Context(), r), "validate": second(d.Validate(t.Context(), r))} {
		if err == nil || !strings.Contains(err.Error(), "module ip_vs_best is not in this") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := d.Stop(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, k); got != "" {
		t.Errorf("the table is\n%s", got)
	}
}

func second[A any](_ A, err error) error { return err }

func TestOneChangeOfTenThousandServersIsOneWrite(t *testing.T) {
	onKernel(t)
	d := newDirector(t.TempDir())
	if err := d.Start(t.Context(), resource(tenThousand(1))); err != nil {
		t.Fatal(err)
	}
	d.changed()
	x := &watch{agent: d.Agent, r: resource(tenThousand(1)), hold: d.hold(resource(tenThousand(1))), checks: check.New(check.Config{})}
	for _, step := range []struct {
		what string
		do   func() error
		want int
	}{
		{"another configuration", func() error { return d.Reload(t.Context(), resource(tenThousand(7))) }, 1},
		{"a look at all of the table", func() error { return x.follow(true) }, 0},
		{"a server that goes down", func() error {
			question := x.hold.targets[2500]
			x.hold.down[Question{question.Server, question.Check}] = true
			return x.follow(false)
		}, 1},
		{"what alone that costs beside the kernel", func() error {
			_ = Reconcile(x.hold.config.Services(x.hold.down, x.hold.orders.InForce(), x.hold.standing), x.hold.table, nil)
			return nil
		}, 0},
	} {
		began := time.Now()
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		t.Logf("10,000 servers, %s: %v", step.what, time.Since(began))
		if changes := d.changed(); len(changes) != step.want {
			t.Errorf("%s: %d changes, want %d: %v", step.what, len(changes), step.want, changes[:min(len(changes), 5)])
		}
	}
	if write := medianWrite(t, x.hold.table[5]); write > 100*time.Millisecond-foundWithin {
		t.Errorf("the one write takes %v; found within %v, a change of 10,000 servers takes longer than 100ms", write, foundWithin)
	}
	if err := d.Stop(t.Context(), resource(tenThousand(7))); err != nil {
		t.Fatal(err)
	}
}

// medianWrite is how long the kernel takes to change one server of a service, in the
// middle of nine tries.
func medianWrite(t *testing.T, of Service) time.Duration {
	t.Helper()
	k, err := openKernel()
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	server := of.Servers[len(of.Servers)/2]
	of.Servers = nil
	var took []time.Duration
	for i := range 9 {
		server.Weight = uint32(2 + i)
		began := time.Now()
		if err := k.perform(Change{SetServer, of, server}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("one write among 10,000 servers takes %v (median of %d; from %v to %v)", took[len(took)/2], len(took), took[0], took[len(took)-1])
	return took[len(took)/2]
}

func TestTheSyncDaemonsAreWhatIsWanted(t *testing.T) {
	k := onKernel(t)
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "sync0"}}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	addr, _ := netlink.ParseAddr("10.9.0.1/24")
	if err := netlink.AddrAdd(link, addr); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range [][]Daemon{
		{{Backup, "sync0", 7}},
		{{Master, "sync0", 7}},
		{{Master, "sync0", 7}},
		{{Master, "sync0", 9}, {Backup, "sync0", 9}},
		nil,
	} {
		if err := k.daemon.set(wanted...); err != nil {
			t.Fatal(err)
		}
		if got, err := k.daemon.list(); err != nil || !slices.Equal(got, wanted) {
			t.Errorf("daemons are %v, %v; want %v", got, err, wanted)
		}
	}
	if err := k.daemon.set(Daemon{Master, "none0", 1}); err == nil || !strings.Contains(err.Error(), "there is no interface none0") {
		t.Errorf("a missing interface: %v", err)
	}
}

// A farm is a client and two web servers, each a host on a cable of its own; the
// test process is the director between them.
type farm struct {
	client *testlan.Host
	web    [2]*webServer
}

type webServer struct {
	*testlan.Host
	name   string
	server *http.Server
}

func newFarm(t *testing.T) *farm {
	t.Helper()
	f := &farm{client: testlan.NewHost(t)}
	f.client.Cable(t, []string{"10.1.0.1/24", "10.1.0.100/24"}, []string{"10.1.0.2/24"})
	for i := range f.web {
		w := &webServer{Host: testlan.NewHost(t), name: fmt.Sprintf("web%d", i+1)}
		w.Cable(t, []string{fmt.Sprintf("10.2.%d.1/24", i)}, []string{fmt.Sprintf("10.2.%d.2/24", i)})
		w.Do(func() {
			gateway := &netlink.Route{Gw: net.ParseIP(fmt.Sprintf("10.2.%d.1", i))}
			if err := netlink.RouteAdd(gateway); err != nil {
				t.Error(err)
			}
		})
		f.web[i] = w
		w.up(t)
		t.Cleanup(func() { _ = w.server.Close() })
	}
	return f
}

// up starts the web server, which answers with its name.
func (w *webServer) up(t *testing.T) {
	t.Helper()
	w.Do(func() {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Error(err)
			return
		}
		w.server = &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, w.name)
		})}
		go func() { _ = w.server.Serve(l) }()
	})
}

// ask asks for a page n times, each on a connection of its own, and counts the
// answers by server; errors count under their text.
func (f *farm) ask(t *testing.T, n int) map[string]int {
	t.Helper()
	answers := map[string]int{}
	for range n {
		var conn net.Conn
		var err error
		f.client.Do(func() {
			d := net.Dialer{Timeout: patience}
			conn, err = d.DialContext(t.Context(), "tcp", "10.1.0.100:80")
		})
		if err != nil {
			answers[err.Error()]++
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		text, err := io.ReadAll(conn)
		_ = conn.Close()
		if err != nil {
			answers[err.Error()]++
			continue
		}
		answers[string(text[max(0, len(text)-4):])]++
	}
	return answers
}

const farmed = `virtual 10.1.0.100:80 scheduler=rr
	check http interval=200ms timeout=10s rise=2 fall=1
	real 10.2.0.2
	real 10.2.1.2`

func TestConnectionsAreBalancedAndADeadServerGetsNone(t *testing.T) {
	k := onKernel(t)
	f := newFarm(t)
	d, r := newDirector(t.TempDir()), resource(farmed)
	if err := d.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	watching(t, d, r)
	both := readAll(t, k)
	answers := f.ask(t, 100)
	t.Log(answers)
	if answers["web1"] != 50 || answers["web2"] != 50 {
		t.Errorf("round robin gave %v of 100", answers)
	}
	if err := f.web[0].server.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, k, "tcp 10.1.0.100:80 rr\n  10.2.1.2:80 nat 1\n")
	if answers := f.ask(t, 20); answers["web2"] != 20 {
		t.Errorf("with web1 down: %v of 20", answers)
	}
	again := newDirector(t.TempDir())
	again.runDir = d.runDir
	if err := again.Start(t.Context(), r); err != nil { // as after a restart of the agent
		t.Fatal(err)
	}
	if changes := again.changed(); len(changes) > 0 {
		t.Errorf("adopted with a server down: %v", changes)
	}
	f.web[0].up(t)
	eventually(t, k, both)
	if answers := f.ask(t, 20); answers["web1"] != 10 {
		t.Errorf("with web1 back: %v of 20", answers)
	}
}

func TestAKernelWithoutIPVSIsNamed(t *testing.T) {
	if _, err := openKernel(); !errors.Is(err, errNone) || modprobe(t.Context(), "-n", "ip_vs") == nil {
		t.Skip("this kernel has IPVS, or its module")
	}
	d, r := newDirector(t.TempDir()), resource("virtual 10.0.0.1:80; real 10.0.0.21")
	for what, err := range map[string]error{"start": d.Start(t.Context(), r), "validate": second(d.Validate(t.Context(), r))} {
		if err == nil || !strings.Contains(err.Error(), "this node's kernel has no IPVS: module ip_vs: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if state, err := d.Monitor(t.Context(), r); state != resources.Stopped || err != nil {
		t.Errorf("monitor: %v, %v", state, err)
	}
	if err := d.Stop(t.Context(), r); err != nil {
		t.Errorf("stop: %v", err)
	}
}
