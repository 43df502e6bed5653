package api

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "quorate/proto/quorate/v1"
)

func TestPeerCredentialsAreTheKernels(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := listenLocal(t.Context(), path)
	must(t, err)
	defer l.Close()
	client, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
	must(t, err)
	defer client.Close()
	server, err := l.Accept()
	must(t, err)
	defer server.Close()
	_, info, err := localCredentials{}.ServerHandshake(server)
	must(t, err)
	p := info.(process)
	if int(p.uid) != os.Getuid() || int(p.gid) != os.Getgid() || int(p.pid) != os.Getpid() {
		t.Errorf("caller: uid %d, gid %d, pid %d, want %d, %d, %d", p.uid, p.gid, p.pid, os.Getuid(), os.Getgid(), os.Getpid())
	}
	groups, err := os.Getgroups()
	must(t, err)
	if len(groups) != len(p.groups) {
		t.Fatalf("groups: %v, want %v", p.groups, groups)
	}
	for _, g := range groups {
		if !slices.Contains(p.groups, uint32(g)) {
			t.Errorf("groups: %v, want %v", p.groups, groups)
		}
	}
}

func TestOnlyUnixSocketsHavePeerCredentials(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, _, err := (localCredentials{}).ServerHandshake(a); err == nil {
		t.Error("a caller over a pipe was accepted")
	}
}

func TestSocketOfADeadAgentIsReplaced(t *testing.T) {
	path := filepath.Join(shortDir(t), "run", "s")
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, nil, 0o600))
	l, err := listenLocal(t.Context(), path)
	must(t, err)
	must(t, l.Close())
}

func TestWhoMayUseTheSocket(t *testing.T) {
	open := localAccess{own: 900}
	grouped := localAccess{own: 900, group: "ops", gid: 50}
	tests := []struct {
		name   string
		access localAccess
		p      process
		want   bool
	}{
		{"root", open, process{uid: 0}, true},
		{"the agent's own user", open, process{uid: 900}, true},
		{"anybody", open, process{uid: 1000}, false},
		{"root's group without root", open, process{uid: 1000, gid: 0}, false},
		{"primary group", grouped, process{uid: 1000, gid: 50}, true},
		{"supplementary group", grouped, process{uid: 1000, gid: 1000, groups: []uint32{4, 50}}, true},
		{"another group", grouped, process{uid: 1000, gid: 1000, groups: []uint32{4, 51}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.access.allows(tt.p); got != tt.want {
				t.Errorf("allows(%+v) = %t, want %t", tt.p, got, tt.want)
			}
		})
	}
}

func TestUnknownGroupIsRefusedAtStart(t *testing.T) {
	if _, err := New(Config{Group: "no-such-group"}); err == nil || !strings.Contains(err.Error(), "no-such-group") {
		t.Errorf("New: %v, want an error that names the group", err)
	}
}

func TestDeniedCallerIsToldWhoMay(t *testing.T) {
	d := localDoor(localAccess{own: 0, group: "ops", gid: 50}, func() string { return "lvsm" })
	_, err := d(process{uid: 4711, gid: 4711}, "")
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "uid 4711") || !strings.Contains(err.Error(), "members of the group ops") {
		t.Errorf("got %v, want PERMISSION_DENIED that names uid 4711 and the group ops", err)
	}
	if _, err := d(credentials.TLSInfo{}, ""); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a caller without peer credentials: %v, want PERMISSION_DENIED", err)
	}
	c, err := d(process{uid: 0}, "")
	if err != nil || c.actor != "root@lvsm (uid 0)" {
		t.Errorf("root: %+v, %v, want the actor root@lvsm (uid 0)", c, err)
	}
}

func TestOrdinaryUserIsDeniedOverTheSocket(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can call as another user")
	}
	a := newWorld(t).boot("lvsm")
	_, err := a.status().Get(t.Context(), &pb.GetRequest{}) // it listens
	must(t, err)
	conn := dialAs(t, 65534, a.socket)
	client, err := grpc.NewClient("passthrough:///local", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return conn, nil }))
	must(t, err)
	defer client.Close()
	for what, call := range map[string]func() error{
		"Get": func() error {
			_, err := pb.NewStatusClient(client).Get(t.Context(), &pb.GetRequest{})
			return err
		},
		"Destroy": func() error {
			_, err := read(pb.NewClusterClient(client).Destroy(t.Context(), &pb.DestroyRequest{}))
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "uid 65534") {
			t.Errorf("%s as uid 65534: %v, want PERMISSION_DENIED", what, err)
		}
	}
}

// dialAs connects with the effective user of one thread changed: the kernel
// notes the user at the moment of the connect.
func dialAs(t *testing.T, uid int, path string) net.Conn {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	keep := ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
		t.Fatal(errno)
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, 0, keep); errno != 0 {
		t.Fatal(errno)
	}
	must(t, err)
	return conn
}
