package ipvs

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	pb "quorate/proto/quorate/v1"
	"quorate/resources/internal/testlan"
	"quorate/resources/realserver"
)

// named serves lines on a host, and begins each connection with the host's name.
func named(t *testing.T, h *testlan.Host, name string) {
	t.Helper()
	h.Do(func() {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":80")
		try(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go greet(conn, name)
			}
		}()
	})
}

func greet(conn net.Conn, name string) {
	defer conn.Close()
	buf := make([]byte, 256)
	for said := name + "\n"; ; {
		if _, err := conn.Write([]byte(said)); err != nil {
			return
		}
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		said = string(buf[:n])
	}
}

// Two machines are directors and real servers. The one that is not the director has
// been told of all connections, and its table is in use for another address; it must
// deliver what the director sends it, and not balance it again.
func TestAStandbyDeliversWhatTheDirectorSendsIt(t *testing.T) {
	onKernel(t)
	l := newLAN(t)
	for i, h := range l.directors {
		named(t, h, fmt.Sprintf("machine%d", i))
	}
	r := resource("virtual " + shared + ":80 scheduler=rr forward=direct; real 10.3.0.2; real 10.3.0.3")
	r.Parameters["sync"], r.Parameters["sync_id"] = "10.3.0.0/24", "9"
	other := resource("virtual 10.3.0.101:80 scheduler=rr forward=direct; real 10.3.0.2; real 10.3.0.3")
	other.Id = "other"
	on := func(i int, f func(d *director) error) {
		t.Helper()
		var err error
		l.directors[i].Do(func() { err = f(l.agents[i]) })
		try(t, err)
	}
	for i := range l.directors {
		on(i, func(d *director) error { return d.Stand(t.Context(), []*pb.Resource{r}) })
		t.Cleanup(func() {
			on(i, func(d *director) error { return d.Stand(t.Context(), nil) })
			on(i, func(d *director) error { return d.Stop(t.Context(), r) })
			on(i, func(d *director) error { return d.Stop(t.Context(), other) })
		})
	}
	for now := range 2 {
		next := 1 - now
		on(next, func(d *director) error { return d.Stop(t.Context(), r) })
		on(now, func(d *director) error { return d.Stop(t.Context(), other) })
		on(next, func(d *director) error { return d.Start(t.Context(), other) })
		on(now, func(d *director) error { return d.Start(t.Context(), r) })
		l.toward(t, now)
		var talks []*talk
		by := map[string]int{}
		for range 20 {
			c := l.talk(t)
			talks = append(talks, c)
			try(t, c.SetDeadline(time.Now().Add(patience)))
			name, err := c.answers.ReadString('\n')
			if err != nil {
				t.Fatalf("connection %d: %v", len(talks), err)
			}
			by[strings.TrimSpace(name)]++
		}
		if by["machine0"] != 10 || by["machine1"] != 10 {
			t.Errorf("machine%d is the director: %v answered", now, by)
		}
		for round := range 3 {
			for i, c := range talks {
				if err := c.say(fmt.Sprint("round", round), patience); err != nil {
					t.Errorf("machine%d is the director: connection %d: %v", now, i+1, err)
				}
			}
		}
	}
}

// The director is one that sends through a tunnel.
func TestARealServerTakesWhatComesThroughATunnel(t *testing.T) {
	onKernel(t)
	l := newLAN(t)
	a := realserver.New(realserver.Config{RunDir: t.TempDir()})
	r := &pb.Resource{Id: "real", Parameters: map[string]string{"ip": "10.3.0.120", "forward": "tunnel"}}
	l.web.Do(func() {
		try(t, modprobe(t.Context(), "ipip"))
		try(t, a.Start(t.Context(), r))
	})
	named(t, l.web, "web")
	d := l.agents[0]
	balanced := resource("virtual 10.3.0.120:80 scheduler=rr forward=tunnel; real 10.3.0.4")
	l.directors[0].Do(func() {
		lo, err := netlink.LinkByName("lo")
		try(t, err)
		address, err := netlink.ParseAddr("10.3.0.120/32")
		try(t, err)
		try(t, netlink.AddrAdd(lo, address))
		try(t, d.Start(t.Context(), balanced))
	})
	l.towards(t, "10.3.0.120", 0)
	var conn net.Conn
	var err error
	l.client.Do(func() { conn, err = (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", "10.3.0.120:80") })
	try(t, err)
	defer conn.Close()
	try(t, conn.SetDeadline(time.Now().Add(patience)))
	buf := make([]byte, 16)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "web\n" {
		t.Errorf("answered %q, %v", buf[:n], err)
	}
	l.directors[0].Do(func() { try(t, d.Stop(t.Context(), balanced)) })
	l.web.Do(func() {
		try(t, a.Stop(t.Context(), r))
		if link, err := netlink.LinkByName("tunl0"); err == nil && link.Attrs().Flags&net.FlagUp != 0 {
			t.Error("tunl0 is still up")
		}
	})
}
