package check

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A realServer is a program of Debian that checks are tried with. Those that are
// not installed are named and skipped.
type realServer struct {
	name    string
	program string // path, or a pattern of one
	user    string // to run as, when the tests run as root; empty: as they do
	prepare func(t *testing.T, s *running)
	command func(s *running) []string
	checks  []struct{ check, want string }
}

// A running server has a folder and a port of its own.
type running struct {
	program string
	dir     string
	port    uint16
	user    string
}

func (s *running) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a helper program to its end, as the server's user.
func (s *running) run(t *testing.T, words ...string) {
	t.Helper()
	cmd := s.as(t, words)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: %s: %v: %s", words[0], err, out)
	}
}

// as makes a command of the server's user that ends with the test.
func (s *running) as(t *testing.T, words []string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+s.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if s.user == "" || os.Getuid() != 0 {
		return cmd
	}
	u, err := user.Lookup(s.user)
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chmod(filepath.Dir(s.dir), 0o755); err != nil { // the test's own folder, in which s.dir is
		t.Fatal(err)
	}
	if err := os.Chown(s.dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return cmd
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
		name: "postgresql", program: "/usr/lib/postgresql/*/bin/postgres", user: "postgres",
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
		name: "mariadb", program: "/usr/sbin/mariadbd", user: "mysql",
		prepare: func(t *testing.T, s *running) {
			s.run(t, "/usr/bin/mariadb-install-db", "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"), "--auth-root-authentication-method=normal", "--skip-test-db")
			s.write(t, "init.sql", "CREATE USER 'reader'@'127.0.0.1' IDENTIFIED BY 'secret';\n")
		},
		command: func(s *running) []string {
			return []string{s.program, "--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--bind-address=127.0.0.1", "--port=" + fmt.Sprint(s.port),
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
			conf := s.write(t, "slapd.conf", "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"+
				"database mdb\nsuffix dc=example,dc=com\nrootdn cn=admin,dc=example,dc=com\nrootpw secret\ndirectory "+s.dir+"\n")
			entry := s.write(t, "entry.ldif", "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example Works\n")
			s.run(t, "/usr/sbin/slapadd", "-f", conf, "-l", entry)
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
			s.write(t, "vsftpd.conf", fmt.Sprintf("listen=YES\nlisten_address=127.0.0.1\nlisten_port=%d\nanonymous_enable=YES\nrun_as_launching_user=YES\nsecure_chroot_dir=%s\nanon_root=%s\nbackground=NO\n", s.port, s.dir, s.dir))
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
	found, err := filepath.Glob(kind.program)
	if err != nil || len(found) == 0 {
		t.Skipf("NOT TESTED: %s is not installed", kind.program)
	}
	s := &running{program: found[0], dir: t.TempDir(), port: freePort(t), user: kind.user}
	if kind.prepare != nil {
		kind.prepare(t, s)
	}
	cmd := s.as(t, kind.command(s))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
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
			t.Skipf("NOT TESTED: %s does not run here: %v: %s", s.program, err, said.String())
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

func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}
