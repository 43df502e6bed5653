package haproxy

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

const balancing = `defaults
	mode tcp
	timeout connect 1s
	timeout client 30s
	timeout server 30s
listen app
	bind 127.0.0.1:8000
	balance roundrobin
	server a 127.0.0.1:8101 weight 3
	server b 127.0.0.1:8102
	server c 127.0.0.1:8103 disabled
`

// A backend is a server that says its name to whoever connects, and then waits.
func backend(t *testing.T, port int, name string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(name))
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
}

// visit connects, and returns the connection with the name of who answers.
func visit(t *testing.T) (net.Conn, string) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", "127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	name := make([]byte, 1)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(name); err != nil {
		return conn, err.Error()
	}
	return conn, string(name)
}

// answering tells who answers six visits.
func answering(t *testing.T) string {
	t.Helper()
	seen := make(map[string]bool)
	for range 6 {
		conn, name := visit(t)
		seen[name] = true
		_ = conn.Close()
	}
	var all string
	for _, name := range []string{"a", "b", "c"} {
		if seen[name] {
			all += name
		}
	}
	return all
}

func ordered(server string, mode pb.ServerMode) []*pb.ServerOrder {
	return []*pb.ServerOrder{{Service: "app", Server: server, Mode: mode}}
}

// told is what the agent tells of the servers, a word each.
func (x *rig) told(t *testing.T) string {
	t.Helper()
	status, err := x.Balance(t.Context(), x.r)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, s := range status.Services[0].Servers {
		said = append(said, fmt.Sprintf("%s:%s:%d/%d", s.Name, strings.ToLower(strings.TrimPrefix(s.State.String(), "SERVER_STATE_")), s.Weight, s.ConfiguredWeight))
	}
	return strings.Join(said, " ")
}

func (x *rig) order(t *testing.T, list []*pb.ServerOrder) {
	t.Helper()
	if _, err := x.Order(t.Context(), x.r, list); err != nil {
		t.Fatal(err)
	}
}

func (x *rig) expect(t *testing.T, when, told, answers string) {
	t.Helper()
	if got := x.told(t); got != told {
		t.Errorf("%s it tells %q, want %q", when, got, told)
	}
	if got := answering(t); got != answers {
		t.Errorf("%s %q answer, want %q", when, got, answers)
	}
}

func TestServersAreDrainedDisabledAndEnabled(t *testing.T) {
	x := newRig(t)
	for port, name := range map[int]string{8101: "a", 8102: "b", 8103: "c"} {
		backend(t, port, name)
	}
	x.r.Parameters["config"] = balancing
	x.must(t, "start", x.Start)
	x.expect(t, "at first", "a:up:3/3 b:up:1/1 c:disabled:0/1", "ab")

	open, name := visit(t)
	for name != "a" {
		open, name = visit(t)
	}
	x.order(t, ordered("a", pb.ServerMode_SERVER_MODE_DRAIN))
	x.expect(t, "with a drained", "a:drained:0/3 b:up:1/1 c:disabled:0/1", "b")
	_ = open.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := open.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("the open connection of the drained server: %v, want that it is open", err)
	}
	x.order(t, ordered("a", pb.ServerMode_SERVER_MODE_DISABLED))
	_ = open.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := open.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the open connection of the disabled server: %v, want that it has ended", err)
	}
	x.order(t, []*pb.ServerOrder{{Service: "app", Server: "c", Mode: pb.ServerMode_SERVER_MODE_READY, Weight: proto.Uint32(3)}})
	x.expect(t, "with a disabled and c enabled", "a:disabled:0/3 b:up:1/1 c:up:3/1", "bc")

	for _, tt := range []struct {
		order *pb.ServerOrder
		want  string
	}{
		{&pb.ServerOrder{Service: "app", Server: "x", Mode: pb.ServerMode_SERVER_MODE_DRAIN}, "has no server x"},
		{&pb.ServerOrder{Service: "app", Server: "b", Weight: proto.Uint32(257)}, "between 0 and 256"},
	} {
		if _, err := x.Order(t.Context(), x.r, []*pb.ServerOrder{tt.order}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("order %v: %v, want %q", tt.order, err, tt.want)
		}
	}
	x.order(t, []*pb.ServerOrder{{Service: "app", Server: "a"}, {Service: "app", Server: "b"}, {Service: "app", Server: "c"}})
	x.expect(t, "with nothing ordered", "a:up:3/3 b:up:1/1 c:disabled:0/1", "ab")
}

func TestOrdersOutliveTheAgentAndReloadsAndKeptOnesTheStop(t *testing.T) {
	x := newRig(t)
	for port, name := range map[int]string{8101: "a", 8102: "b", 8103: "c"} {
		backend(t, port, name)
	}
	x.r.Parameters["config"] = balancing
	x.must(t, "start", x.Start)
	x.order(t, ordered("a", pb.ServerMode_SERVER_MODE_DRAIN))

	x.Agent = New(Config{RunDir: x.runDir}) // the agent was restarted
	x.must(t, "adopt", x.Start)
	x.expect(t, "after a restart of the agent", "a:drained:0/3 b:up:1/1 c:disabled:0/1", "b")

	worker := x.Detail(x.r)
	x.r.ServerOrders = []*pb.ServerOrder{{Service: "app", Server: "b", Mode: pb.ServerMode_SERVER_MODE_DISABLED}, {Service: "app", Server: "c", Mode: pb.ServerMode_SERVER_MODE_READY}}
	x.must(t, "reload for kept orders", x.Reload)
	x.expect(t, "with kept orders", "a:drained:0/3 b:disabled:0/1 c:up:1/1", "c")
	if got := x.Detail(x.r); got != worker {
		t.Errorf("kept orders made another worker: %s, it was %s", got, worker)
	}

	x.r.Parameters["config"] = strings.Replace(balancing, "weight 3", "weight 4", 1)
	x.must(t, "reload for the configuration", x.Reload)
	if got := x.Detail(x.r); got == worker {
		t.Errorf("another configuration is served by the same worker, %s", got)
	}
	x.expect(t, "after a reload", "a:drained:0/4 b:disabled:0/1 c:up:1/1", "c")

	x.must(t, "stop", x.Stop)
	x.must(t, "start", x.Start)
	x.expect(t, "after a stop", "a:up:4/4 b:disabled:0/1 c:up:1/1", "ac")

	x.r.ServerOrders = nil
	x.must(t, "reload without kept orders", x.Reload)
	x.expect(t, "without orders", "a:up:4/4 b:up:1/1 c:disabled:0/1", "ab")
}

func TestACookieOfADrainedServerIsToldOf(t *testing.T) {
	x := newRig(t)
	x.r.Parameters["config"] = strings.NewReplacer("mode tcp", "mode http", "balance roundrobin", "cookie S insert",
		"8101 weight 3", "8101 cookie a").Replace(balancing)
	x.must(t, "start", x.Start)
	notes, err := x.Order(t.Context(), x.r, append(ordered("a", pb.ServerMode_SERVER_MODE_DRAIN), ordered("b", pb.ServerMode_SERVER_MODE_DRAIN)...))
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "app/a: HAProxy still sends it the clients that have its cookie") {
		t.Errorf("notes %q, %v", notes, err)
	}
}
