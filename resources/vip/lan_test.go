package vip

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
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
