package ipvs

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	pb "quorate/proto/quorate/v1"
	"quorate/resources/internal/testlan"
)

// A lan has a client, two directors and a web server on one bridge. The address
// of the service is on the directors' and, unheard, on the server's loopback.
type lan struct {
	client, web *testlan.Host
	directors   [2]*testlan.Host
	agents      [2]*director
}

const shared = "10.3.0.100"

func newLAN(t *testing.T) *lan {
	t.Helper()
	snooping := false
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br3"}, MulticastSnooping: &snooping}
	try(t, netlink.LinkAdd(bridge))
	t.Cleanup(func() { _ = netlink.LinkDel(bridge) })
	try(t, netlink.LinkSetUp(bridge))
	join := func(address string) *testlan.Host {
		h := testlan.NewHost(t)
		port, err := netlink.LinkByName(h.Cable(t, nil, []string{address}))
		try(t, err)
		try(t, netlink.LinkSetMaster(port, bridge))
		return h
	}
	l := &lan{client: join("10.3.0.1/24"), web: join("10.3.0.4/24")}
	for i := range l.directors {
		l.directors[i], l.agents[i] = join(fmt.Sprintf("10.3.0.%d/24", i+2)), newDirector(t.TempDir())
	}
	for _, h := range append(l.directors[:], l.web) {
		h.Do(func() {
			lo, err := netlink.LinkByName("lo")
			try(t, err)
			try(t, netlink.LinkSetUp(lo))
			address, err := netlink.ParseAddr(shared + "/32")
			try(t, err)
			try(t, netlink.AddrAdd(lo, address))
			try(t, os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0))
		})
	}
	return l
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// toward has the client send what is for the service to a director.
func (l *lan) toward(t *testing.T, i int) {
	t.Helper()
	l.towards(t, shared, i)
}

func (l *lan) towards(t *testing.T, address string, i int) {
	t.Helper()
	var mac net.HardwareAddr
	l.directors[i].Do(func() {
		eth, err := netlink.LinkByName("eth0")
		try(t, err)
		mac = eth.Attrs().HardwareAddr
	})
	l.client.Do(func() {
		eth, err := netlink.LinkByName("eth0")
		try(t, err)
		try(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: eth.Attrs().Index, IP: net.ParseIP(address), HardwareAddr: mac, State: netlink.NUD_PERMANENT}))
	})
}

// echo serves lines on the web server.
func (l *lan) echo(t *testing.T) {
	t.Helper()
	l.web.Do(func() {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":80")
		try(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
			}
		}()
	})
}

// A talk is a connection of the client's that is open all the time.
type talk struct {
	net.Conn
	answers *bufio.Reader
}

func (l *lan) talk(t *testing.T) *talk {
	t.Helper()
	var conn net.Conn
	l.client.Do(func() {
		var err error
		conn, err = (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", shared+":80")
		try(t, err)
	})
	t.Cleanup(func() { _ = conn.Close() })
	return &talk{conn, bufio.NewReader(conn)}
}

// say reports whether a line is answered in time.
func (c *talk) say(line string, within time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return err
	}
	heard, err := c.answers.ReadString('\n')
	if err == nil && heard != line+"\n" {
		err = fmt.Errorf("heard %q", heard)
	}
	return err
}

// connections is how many a director knows of.
func (l *lan) connections(i int) (n int) {
	l.directors[i].Do(func() {
		text, _ := os.ReadFile("/proc/thread-self/net/ip_vs_conn")
		n = strings.Count(string(text), "\n") - 1
	})
	return n
}

// TestConnectionsSurviveAFailoverAndTheReturn opens connections, moves the director
// twice, and says something on each of them after each move.
func TestConnectionsSurviveAFailoverAndTheReturn(t *testing.T) {
	onKernel(t)
	l := newLAN(t)
	l.echo(t)
	r := resource("virtual " + shared + ":80 scheduler=rr forward=direct; real 10.3.0.4")
	r.Parameters["sync"], r.Parameters["sync_id"] = "10.3.0.0/24", "7"
	on := func(i int, f func(d *director) error) {
		t.Helper()
		var err error
		l.directors[i].Do(func() { err = f(l.agents[i]) })
		try(t, err)
	}
	start := func(d *director) error { return d.Start(t.Context(), r) }
	stop := func(d *director) error { return d.Stop(t.Context(), r) }
	for i := range l.directors {
		on(i, func(d *director) error { return d.Stand(t.Context(), []*pb.Resource{r}) })
	}
	on(0, start)
	if got := l.agents[0].Detail(r); !strings.HasPrefix(got, "1 virtual service, 1 real server, sync: master on eth0") {
		t.Errorf("detail: %q", got)
	}
	l.toward(t, 0)
	var talks []*talk
	for range 20 {
		talks = append(talks, l.talk(t))
	}
	all := func(when string) {
		t.Helper()
		for round := range 3 {
			for i, c := range talks {
				if err := c.say(fmt.Sprint(when, round), patience); err != nil {
					t.Fatalf("%s: connection %d of %d: %v", when, i+1, len(talks), err)
				}
			}
		}
	}
	all("before")
	for now := range 2 {
		next := 1 - now
		for end := time.Now().Add(patience); l.connections(next) < len(talks) && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
		if n := l.connections(next); n < len(talks) {
			t.Fatalf("director %d was told of %d connections, want %d", next+1, n, len(talks))
		}
		on(now, stop)
		on(next, start)
		l.toward(t, next)
		all(fmt.Sprintf("after move %d", now+1))
	}
	on(0, func(d *director) error { return d.Stand(t.Context(), nil) }) // as when it is deleted
	on(0, stop)
	l.directors[0].Do(func() {
		k, err := openKernel()
		try(t, err)
		defer k.close()
		if left, err := k.daemon.list(); err != nil || len(left) > 0 {
			t.Errorf("daemons are left: %v, %v", left, err)
		}
	})
}
