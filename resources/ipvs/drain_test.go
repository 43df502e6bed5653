package ipvs

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A visit is a connection of the client's that stays open between its questions.
type visit struct {
	net.Conn
	answers *bufio.Reader
}

func (f *farm) visit(t *testing.T) *visit {
	t.Helper()
	var conn net.Conn
	f.client.Do(func() {
		var err error
		conn, err = (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", "10.1.0.100:80")
		try(t, err)
	})
	t.Cleanup(func() { _ = conn.Close() })
	return &visit{conn, bufio.NewReader(conn)}
}

// ask asks for a page, and keeps the connection.
func (v *visit) ask() (string, error) {
	if err := v.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(v, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(v.answers, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// told is what the agent tells of the first service, a word a server.
func (d *director) told(t *testing.T, r *pb.Resource) string {
	t.Helper()
	status, err := d.Balance(t.Context(), r)
	try(t, err)
	var said []string
	for _, s := range status.Services[0].Servers {
		said = append(said, fmt.Sprintf("%s:%s:%d", s.Name, strings.ToLower(strings.TrimPrefix(s.State.String(), "SERVER_STATE_")), s.Open))
	}
	return strings.Join(said, " ")
}

// tells waits until the agent tells something.
func (d *director) tells(t *testing.T, r *pb.Resource, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = d.told(t, r); got == want {
			return
		}
	}
	t.Errorf("the director tells %q, want %q", got, want)
}

func (d *director) orders(t *testing.T, r *pb.Resource, server string, mode pb.ServerMode) {
	t.Helper()
	_, err := d.Order(t.Context(), r, []*pb.ServerOrder{wish("tcp 10.1.0.100:80", server, mode, -1)})
	try(t, err)
}

func TestADrainedServerGetsNothingNewAndItsConnectionsGoOn(t *testing.T) {
	onKernel(t)
	f := newFarm(t)
	d, r := newDirector(t.TempDir()), resource("virtual 10.1.0.100:80 scheduler=rr; real 10.2.0.2; real 10.2.1.2")
	try(t, d.Start(t.Context(), r))
	var visits []*visit
	for range 4 {
		visits = append(visits, f.visit(t))
	}
	d.tells(t, r, "10.2.0.2:80:up:2 10.2.1.2:80:up:2")
	d.orders(t, r, "10.2.0.2:80", drain)
	d.tells(t, r, "10.2.0.2:80:drained:2 10.2.1.2:80:up:2")
	if answers := f.ask(t, 20); answers["web2"] != 20 {
		t.Errorf("with web1 drained: %v of 20", answers)
	}
	served := map[string]int{}
	for _, v := range visits {
		name, err := v.ask()
		if err != nil {
			t.Errorf("an open connection: %v", err)
		}
		served[name]++
	}
	if served["web1"] != 2 {
		t.Errorf("the open connections are served by %v", served)
	}
	again := newDirector(t.TempDir()) // the agent was restarted
	again.runDir = d.runDir
	try(t, again.Start(t.Context(), r))
	if changes := again.changed(); len(changes) > 0 {
		t.Errorf("adopting a drained server changed %v", changes)
	}
	for _, v := range visits {
		try(t, v.Close())
	}
	again.tells(t, r, "10.2.0.2:80:drained:0 10.2.1.2:80:up:0")
	again.orders(t, r, "10.2.0.2:80", 0)
	if answers := f.ask(t, 20); answers["web1"] != 10 {
		t.Errorf("with web1 enabled: %v of 20", answers)
	}
}

func TestAPersistentClientLeavesADrainedServer(t *testing.T) {
	onKernel(t)
	f := newFarm(t)
	d, r := newDirector(t.TempDir()), resource("virtual 10.1.0.100:80 scheduler=rr persistent=2h; real 10.2.0.2; real 10.2.1.2")
	try(t, d.Start(t.Context(), r))
	bound, other := "web1", "web2"
	answers := f.ask(t, 5)
	if answers[bound] == 0 {
		bound, other = other, bound
	}
	if answers[bound] != 5 {
		t.Fatalf("a persistent client was served by %v", answers)
	}
	d.orders(t, r, map[string]string{"web1": "10.2.0.2:80", "web2": "10.2.1.2:80"}[bound], drain)
	if answers := f.ask(t, 5); answers[other] != 5 {
		t.Errorf("with %s drained: %v of 5", bound, answers)
	}
}

func TestTheConnectionsOfADisabledServerEnd(t *testing.T) {
	k := onKernel(t)
	f := newFarm(t)
	d, r := newDirector(t.TempDir()), resource("virtual 10.1.0.100:80 scheduler=rr quiescent=yes; real 10.2.0.2")
	try(t, d.Start(t.Context(), r))
	v := f.visit(t)
	if name, err := v.ask(); name != "web1" || err != nil {
		t.Fatalf("%q, %v", name, err)
	}
	d.orders(t, r, "10.2.0.2:80", disable)
	if got, want := readAll(t, k), "tcp 10.1.0.100:80 rr\n"; got != want {
		t.Errorf("the table is\n%swant\n%s", got, want)
	}
	if name, err := v.ask(); err == nil {
		t.Errorf("the open connection is served by %s", name)
	}
}

// A kept order comes with the resource, to the node that has it next too; a
// temporary one does not.
func TestKeptOrdersStartWithTheResource(t *testing.T) {
	k := onKernel(t)
	r := resource("virtual 10.0.0.1:80 scheduler=rr; real 10.0.0.21; real 10.0.0.22")
	first, second := newDirector(t.TempDir()), newDirector(t.TempDir())
	try(t, first.Start(t.Context(), r))
	_, err := first.Order(t.Context(), r, []*pb.ServerOrder{wish("tcp 10.0.0.1:80", "10.0.0.22:80", 0, 9)})
	try(t, err)
	r.ServerOrders = []*pb.ServerOrder{wish("tcp 10.0.0.1:80", "10.0.0.21:80", drain, -1)}
	try(t, first.Reload(t.Context(), r))
	if got, want := readAll(t, k), "tcp 10.0.0.1:80 rr\n  10.0.0.21:80 nat 0\n  10.0.0.22:80 nat 9\n"; got != want {
		t.Errorf("after the reload the table is\n%swant\n%s", got, want)
	}
	try(t, first.Stop(t.Context(), r))
	try(t, second.Start(t.Context(), r))
	if got, want := readAll(t, k), "tcp 10.0.0.1:80 rr\n  10.0.0.21:80 nat 0\n  10.0.0.22:80 nat 1\n"; got != want {
		t.Errorf("after the failover the table is\n%swant\n%s", got, want)
	}
	try(t, second.Stop(t.Context(), r))
	try(t, first.Start(t.Context(), r))
	if got, want := readAll(t, k), "tcp 10.0.0.1:80 rr\n  10.0.0.21:80 nat 0\n  10.0.0.22:80 nat 1\n"; got != want {
		t.Errorf("after the return the table is\n%swant\n%s", got, want)
	}
}
