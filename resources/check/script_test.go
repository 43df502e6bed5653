package check

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// ask asks once, as a Runner does, but more patiently: the machine may be busy.
func ask(t *testing.T, check string, at netip.AddrPort) (string, error) {
	t.Helper()
	c, err := Parse(check)
	if err != nil {
		t.Fatal(err)
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	p, err := c.probe()
	if err != nil {
		t.Fatal(err)
	}
	if at, err = c.endpoint(at); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	text, err := p(ctx, at)
	return text, plain(err)
}

// wants compares an answer: "ok …" or the error, by its beginning.
func wants(t *testing.T, text string, err error, want string) {
	t.Helper()
	got := "ok " + text
	if err != nil {
		got = err.Error()
	}
	if !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// listen opens a port of the loopback whose connections are each served once.
func listen(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); serve(conn) }()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// hangUp says no more, and reads what the client still says, so that closing
// resets nothing.
func hangUp(conn net.Conn) {
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, _ = io.Copy(io.Discard, conn)
}

// scripted is a server that plays a script of lines: "S: …" is said, "C: …" is
// what the client must say. A client that says something else is told "ERR".
func scripted(t *testing.T, script string) netip.AddrPort {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for line := range strings.Lines(script) {
			line = strings.TrimSpace(line)
			if say, ok := strings.CutPrefix(line, "S: "); ok {
				if _, err := conn.Write([]byte(say + "\r\n")); err != nil {
					return
				}
				continue
			}
			want, ok := strings.CutPrefix(line, "C: ")
			if !ok {
				continue
			}
			got, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.TrimRight(got, "\r\n") != want {
				_, _ = conn.Write([]byte("ERR you said " + got))
				return
			}
		}
		hangUp(conn)
	})
}

func TestProtocolsOfLines(t *testing.T) {
	tests := []struct{ name, check, script, want string }{
		{"smtp", "smtp host=a.example.com", `
			S: 220-mx.example.com welcomes
			S: 220 you
			C: HELO a.example.com
			S: 250 hello
			C: QUIT
			S: 221 bye`, "ok mx.example.com welcomes"},
		{"smtp that is busy", "smtp", "S: 421 too busy", "it answered 421 too busy"},
		{"smtp that does not take HELO", "smtp host=a.example.com", `
			S: 220 mx
			C: HELO a.example.com
			S: 550 go away`, "it answered 550 go away"},
		{"no smtp", "smtp", "S: hello there", "it does not speak the protocol"},
		{"smtp that hangs up", "smtp", "", "it closed the connection"},
		{"pop", "pop", "S: +OK ready", "ok +OK ready"},
		{"pop with a login", "pop login=anna password=secret", `
			S: +OK
			C: USER anna
			S: +OK
			C: PASS secret
			S: +OK
			C: QUIT
			S: +OK`, "ok it let anna in"},
		{"pop that refuses", "pop login=anna password=secret", `
			S: +OK
			C: USER anna
			S: -ERR nobody`, `it answered "-ERR nobody"`},
		{"imap", "imap", "S: * OK ready", "ok * OK ready"},
		{"imap that says good-bye", "imap", "S: * BYE overloaded", `it answered "* BYE overloaded"`},
		{"imap with a login", `imap login=anna password='se"cret'`, `
			S: * OK ready
			C: a LOGIN "anna" "se\"cret"
			S: * CAPABILITY IMAP4rev1
			S: a OK done`, "ok it let anna in"},
		{"imap that refuses", `imap login=anna password=x`, `
			S: * OK ready
			C: a LOGIN "anna" "x"
			S: a NO wrong`, `it answered "a NO wrong"`},
		{"ftp", "ftp", "S: 220 ready", "ok ready"},
		{"ftp with a login", "ftp login=anonymous password=me", `
			S: 220 ready
			C: USER anonymous
			S: 331 password?
			C: PASS me
			S: 230 come in`, "ok it let anonymous in"},
		{"ftp that refuses", "ftp login=anonymous password=me", `
			S: 220 ready
			C: USER anonymous
			S: 530 no`, "it answered 530 no"},
		{"nntp", "nntp", "S: 201 no posting", "ok no posting"},
		{"nntp that is closed", "nntp", "S: 502 not you", "it answered 502 not you"},
		{"redis", "redis", `
			C: PING
			S: +PONG`, "ok +PONG"},
		{"redis with a password", "redis password=secret", `
			C: *2
			C: $4
			C: AUTH
			C: $6
			C: secret
			S: +OK
			C: PING
			S: +PONG`, "ok +PONG"},
		{"redis that wants one", "redis", `
			C: PING
			S: -NOAUTH Authentication required.`, `it answered "-NOAUTH Authentication required."`},
		{"simpletcp", `simpletcp request=hello\r\n receive=wor.d`, `
			C: hello
			S: the
			S: world`, "ok the answer matches"},
		{"simpletcp with another answer", `simpletcp request=hello\r\n receive=wor.d`, `
			C: hello
			S: moon`, `it answered "moon`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := ask(t, tt.check, scripted(t, tt.script))
			wants(t, text, err, tt.want)
		})
	}
}

func TestNoAnswerIsATimeoutInEveryProtocol(t *testing.T) {
	silent := listen(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<10)); <-t.Context().Done() })
	for _, check := range []string{
		"http", "https", "tcp tls=yes", "smtp", "pop", "imap", "ftp", "nntp", "redis", "mysql", "pgsql", "ldap",
		"simpletcp receive=a", "mysql login=a", "pgsql login=a",
	} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			text, err := ask(t, check+" timeout=150ms", silent)
			wants(t, text, err, "it did not answer in time")
		})
	}
}

func TestAClosedPortIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	for _, check := range []string{"tcp", "http", "https", "smtp", "redis", "ldap", "mysql", "mysql login=a", "pgsql", "pgsql login=a"} {
		text, err := ask(t, check, closed)
		wants(t, text, err, "connection refused")
	}
}

func TestADatabaseIsGreeted(t *testing.T) {
	tests := []struct{ name, check, says, want string }{
		{"mysql", "mysql", "\x0e\x00\x00\x00\x0a8.4.0-mine\x00..", "ok version 8.4.0-mine"},
		{"mysql that refuses", "mysql", "\x10\x00\x00\x00\xff\x69\x04Host blocked.", "it refuses: Host blocked."},
		{"no mysql", "mysql", "220 mx.example.com\r\n", "it does not speak MySQL's protocol"},
		{"mysql that hangs up", "mysql", "\x0e\x00", "it closed the connection"},
		{"pgsql with TLS", "pgsql", "S", "ok it greets"},
		{"pgsql without", "pgsql", "N", "ok it greets"},
		{"no pgsql", "pgsql", "HTTP/1.1 400", "it does not speak PostgreSQL's protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := listen(t, func(conn net.Conn) {
				_, _ = conn.Write([]byte(tt.says))
				hangUp(conn)
			})
			text, err := ask(t, tt.check, at)
			wants(t, text, err, tt.want)
		})
	}
}
