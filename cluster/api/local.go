package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
)

// A process is the caller at the other end of the unix socket, as the kernel
// knew it when it connected.
type process struct {
	credentials.CommonAuthInfo
	uid, gid uint32
	pid      int32
	groups   []uint32 // supplementary
}

// AuthType implements credentials.AuthInfo.
func (process) AuthType() string { return "peer credentials" }

// localCredentials takes the caller from the kernel (SO_PEERCRED). A unix
// socket needs no encryption: its bytes never leave the kernel.
type localCredentials struct{}

func (localCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, fmt.Errorf("peer credentials of %T: not a unix socket", conn)
	}
	p, err := processOf(u)
	if err != nil {
		return nil, nil, fmt.Errorf("read peer credentials: %w", err)
	}
	return conn, p, nil
}

func (localCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("peer credentials are for servers")
}

func (localCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "peer credentials"}
}

func (c localCredentials) Clone() credentials.TransportCredentials { return c }

func (localCredentials) OverrideServerName(string) error { return nil }

func processOf(conn *net.UnixConn) (process, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return process{}, err
	}
	p := process{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	var failed error
	err = raw.Control(func(fd uintptr) {
		var c *unix.Ucred
		if c, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); failed != nil {
			return
		}
		p.uid, p.gid, p.pid = c.Uid, c.Gid, c.Pid
		p.groups, failed = peerGroups(fd)
	})
	return p, errors.Join(err, failed)
}

// peerGroups returns the supplementary groups of the process at the other end.
// Reading them from the group database instead would miss those of other
// sources, which a static binary cannot ask.
func peerGroups(fd uintptr) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(len(groups)) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4], nil
		case unix.ERANGE: // size says how much is needed
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}

// localAccess says which processes of this machine may use the API.
type localAccess struct {
	own   uint32 // uid of the agent
	group string // name; empty: none
	gid   uint32 // of group
}

func newLocalAccess(group string) (localAccess, error) {
	a := localAccess{own: uint32(os.Geteuid()), group: group}
	if group == "" {
		return a, nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return a, fmt.Errorf("group of the api socket: %w", err)
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	if err != nil {
		return a, fmt.Errorf("group of the api socket: %s has the id %q", group, g.Gid)
	}
	a.gid = uint32(gid)
	return a, nil
}

func (a localAccess) allows(p process) bool {
	if p.uid == 0 || p.uid == a.own {
		return true
	}
	return a.group != "" && (p.gid == a.gid || slices.Contains(p.groups, a.gid))
}

// who says who may use the socket.
func (a localAccess) who() string {
	if a.group == "" {
		return "only root may; a group may be named in the agent's configuration"
	}
	return "only root and the members of the group " + a.group + " may"
}

// listen makes the socket. Everybody may connect, so that who may not is told
// so; a socket left by an earlier agent is replaced.
func listenLocal(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make directory of the api socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace the api socket: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the api socket: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(fmt.Errorf("open the api socket to its users: %w", err), l.Close())
	}
	return l, nil
}
