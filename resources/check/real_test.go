package check

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A realServer is a program of Debian that checks are tried with: the one that
// make deps has unpacked, or the system's. Without either it is named and skipped.
type realServer struct {
	name    string
	program string // a pattern of its path, below the root
	prepare func(t *testing.T, s *running)
	command func(s *running) []string
	checks  []struct{ check, want string }
}

// unpacked is where make deps puts the servers' packages.
const unpacked = "../../.build/servers"

// A running server has a folder and a port of its own.
type running struct {
	root    string // below which its files are; empty: the system's
	program string
	dir     string
	port    uint16
}

// find looks for the server's program.
func (s *running) find(t *testing.T, pattern string) {
	t.Helper()
	below, err := filepath.Abs(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	for _, s.root = range []string{below, ""} {
		if found, _ := filepath.Glob(s.root + pattern); len(found) > 0 { // the pattern is well formed
			s.program = found[0]
			return
		}
	}
	t.Skipf("NOT TESTED: there is no %s, neither in %s, where make deps puts it, nor on this system", pattern, below)
}

// file is a file of the server's packages.
func (s *running) file(path string) string { return s.root + path }

func (s *running) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a helper program to its end.
func (s *running) run(t *testing.T, words ...string) {
	t.Helper()
	cmd := s.command(t, words)
	out, err := cmd.CombinedOutput()
	needNamespaces(t, err)
	if err != nil {
		t.Fatalf("%s: %v: %s", words[0], err, out)
	}
}

// daemon is a user of every Debian system. Databases refuse to run as root, and want
// their user to have a name.
const daemon = 1

// command makes a command that ends with the test. It runs in a user namespace, in
// which whoever runs the tests is the user daemon, with no rights over the system.
func (s *running) command(t *testing.T, words []string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+s.dir)
	if s.root != "" {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+strings.Join(libraries(s.root), ":"))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: daemon, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: daemon, HostID: os.Getgid(), Size: 1}},
	}
	return cmd
}

// needNamespaces skips where a command failed for want of a user namespace.
func needNamespaces(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("NOT TESTED: user namespaces are not allowed here: %v", err)
	}
}

// libraries are the folders below a root that programs are linked with.
func libraries(root string) (list []string) {
	for _, pattern := range []string{"/usr/lib/*-linux-gnu*", "/lib/*-linux-gnu*"} {
		found, _ := filepath.Glob(root + pattern) // the pattern is well formed
		list = append(list, found...)
	}
	return list
}

var realServers = []realServer{
	{
		name: "redis", program: "/usr/bin/redis-server",
		command: func(s *running) []string {
			return []string{s.program, "--bind", "127.0.0.1", "--port", fmt.Sprint(s.port), "--save", "", "--requirepass", "secret"}
		},
		checks: []struct{ check, want string }{
			{"redis password=secret", "ok +PONG"},
			{"redis login=default password=secret", "ok +PONG"},
			{"redis password=wrong", `it answered "-WRONGPASS`},
			{"redis", `it answered "-NOAUTH`},
			{`simpletcp request=PING\r\n receive=NOAUTH`, "ok the answer matches"},
		},
	},
	{
		name: "postgresql", program: "/usr/lib/postgresql/*/bin/postgres",
		prepare: func(t *testing.T, s *running) {
			password := s.write(t, "password", "secret\n")
			s.run(t, filepath.Join(filepath.Dir(s.program), "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", "reader",
				"--pwfile", password, "--auth", "scram-sha-256", "--no-sync")
		},
		command: func(s *running) []string {
			return []string{s.program, "-D", filepath.Join(s.dir, "data"), "-p", fmt.Sprint(s.port), "-k", s.dir, "-c", "listen_addresses=127.0.0.1", "-F"}
		},
		checks: []struct{ check, want string }{
			{"pgsql login=reader password=secret database=postgres", "ok the query was answered"},
			{"pgsql", "ok it greets"},
			{`pgsql login=reader password=secret database=postgres request="SELECT 1, 'two'" receive="^1\ttwo\n"`, "ok the query was answered"},
			{`pgsql login=reader password=secret database=postgres request="SELECT 1" receive=2`, `the query found "1"`},
			{`pgsql login=reader password=secret database=postgres request="SELECT 1 WHERE false"`, "the query found no row"},
			{"pgsql login=reader password=wrong database=postgres", "pq: password authentication failed"},
			{"pgsql login=reader password=secret database=none", `pq: database "none" does not exist`},
		},
	},
	{
		name: "mariadb", program: "/usr/sbin/mariadbd",
		prepare: func(t *testing.T, s *running) {
			s.run(t, s.file("/usr/bin/mariadb-install-db"), "--no-defaults", "--basedir="+s.file("/usr"), "--datadir="+filepath.Join(s.dir, "data"), "--auth-root-authentication-method=normal", "--skip-test-db")
			s.write(t, "init.sql", "CREATE USER 'reader'@'127.0.0.1' IDENTIFIED BY 'secret';\n")
		},
		command: func(s *running) []string {
			return []string{s.program, "--no-defaults", "--basedir=" + s.file("/usr"), "--datadir=" + filepath.Join(s.dir, "data"), "--bind-address=127.0.0.1", "--port=" + fmt.Sprint(s.port),
				"--socket=" + filepath.Join(s.dir, "socket"), "--init-file=" + filepath.Join(s.dir, "init.sql"), "--skip-name-resolve"}
		},
		checks: []struct{ check, want string }{
			{"mysql login=reader password=secret", "ok the query was answered"},
			{"mysql", "ok version "},
			{`mysql login=reader password=secret request="SELECT 'a', NULL" receive="^a\t$"`, "the query found"},
			{`mysql login=reader password=secret request="SELECT 'a', NULL" receive="^a\t\n$"`, "ok the query was answered"},
			{"mysql login=reader password=wrong", "Error 1045"},
			{"mysql login=reader password=secret request=NONSENSE", "Error 1064"},
		},
	},
	{
		name: "openldap", program: "/usr/sbin/slapd",
		prepare: func(t *testing.T, s *running) {
			conf := s.write(t, "slapd.conf", "include "+s.file("/etc/ldap/schema/core.schema")+"\nmodulepath "+s.file("/usr/lib/ldap")+"\nmoduleload back_mdb\n"+
				"database mdb\nsuffix dc=example,dc=com\nrootdn cn=admin,dc=example,dc=com\nrootpw secret\ndirectory "+s.dir+"\n")
			entry := s.write(t, "entry.ldif", "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example Works\n")
			s.run(t, s.file("/usr/sbin/slapadd"), "-f", conf, "-l", entry)
		},
		command: func(s *running) []string {
			return []string{s.program, "-f", filepath.Join(s.dir, "slapd.conf"), "-h", fmt.Sprintf("ldap://127.0.0.1:%d", s.port), "-d", "0"}
		},
		checks: []struct{ check, want string }{
			{"ldap", "ok the entry is there"},
			{"ldap request=dc=example,dc=com", "ok the entry is there"},
			{`ldap request=dc=example,dc=com receive="o: Example"`, "ok the entry matches"},
			{`ldap request=dc=example,dc=com receive="o: Other"`, `the entry does not match "o: Other"`},
			{"ldap request=dc=other,dc=com", "it answered: LDAP Result Code 32"},
			{"ldap login=cn=admin,dc=example,dc=com password=secret", "ok the entry is there"},
			{"ldap login=cn=admin,dc=example,dc=com password=wrong", "it answered: LDAP Result Code 49"},
		},
	},
	{
		name: "vsftpd", program: "/usr/sbin/vsftpd",
		prepare: func(t *testing.T, s *running) {
			s.write(t, "vsftpd.conf", fmt.Sprintf("ftp_username=daemon\nlisten=YES\nlisten_address=127.0.0.1\nlisten_port=%d\nanonymous_enable=YES\nrun_as_launching_user=YES\nsecure_chroot_dir=%s\nanon_root=%s\nbackground=NO\n", s.port, s.dir, s.dir))
		},
		command: func(s *running) []string { return []string{s.program, filepath.Join(s.dir, "vsftpd.conf")} },
		checks: []struct{ check, want string }{
			{"ftp", "ok (vsFTPd"},
			{"ftp login=anonymous password=me", "ok it let anonymous in"},
			{"ftp login=nobody password=wrong", "it answered 530"},
		},
	},
}

func TestChecksOfRealServers(t *testing.T) {
	for _, kind := range realServers {
		t.Run(kind.name, func(t *testing.T) {
			at := start(t, kind)
			settle(t, kind.checks[0].check, at)
			for _, c := range kind.checks {
				text, err := ask(t, c.check, at)
				wants(t, text, err, c.want)
			}
		})
	}
}

// start starts a server and waits until it takes connections.
func start(t *testing.T, kind realServer) netip.AddrPort {
	t.Helper()
	s := &running{dir: t.TempDir(), port: freePort(t)}
	s.find(t, kind.program)
	if kind.prepare != nil {
		kind.prepare(t, s)
	}
	cmd := s.command(t, kind.command(s))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Start()
	needNamespaces(t, err)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); <-ended })
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.port)
	for range 600 {
		if conn, err := net.Dial("tcp", at.String()); err == nil {
			conn.Close()
			return at
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v: %s", s.program, err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen", s.program)
	return at
}

// settle waits until a server that listens is ready to answer.
func settle(t *testing.T, check string, at netip.AddrPort) {
	t.Helper()
	for range 300 {
		if _, err := ask(t, check, at); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// freePort is a port that nothing listens on, and that the kernel gives to nobody who
// asks for any (ip(7), ip_local_port_range) until the server takes it.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for {
		port := uint16(20000 + rand.N(10000))
		if l, err := net.Listen("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String()); err == nil {
			l.Close()
			return port
		}
	}
}
