package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"strings"
)

// A dialogue talks to a server line by line, with as many bytes of answer as a
// check may need.
type dialogue struct {
	*textproto.Conn
}

// longest is how much a server may say in one dialogue.
const longest = 64 << 10

// talk makes the probe of a protocol of lines.
func (c Check) talk(say func(d dialogue) (string, error)) probe {
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		conn, err := c.dial(ctx, "tcp", at)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		defer during(ctx, conn)()
		text, err := say(dialogue{textproto.NewConn(limited{conn, io.LimitReader(conn, longest)})})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it closed the connection")
		}
		return text, err
	}
}

// limited is a connection from which so much can be read at most.
type limited struct {
	net.Conn
	r io.Reader
}

func (l limited) Read(b []byte) (int, error) { return l.r.Read(b) }

// ask sends a line and wants an answer with that code.
func (d dialogue) ask(code int, format string, args ...any) error {
	if err := d.PrintfLine(format, args...); err != nil {
		return err
	}
	_, err := d.expect(code)
	return err
}

// expect wants an answer that begins with a code of three digits.
func (d dialogue) expect(code int) (string, error) {
	_, text, err := d.ReadResponse(code)
	return firstLine(text), asked(err)
}

// asked says in words that another code came than the wanted one.
func asked(err error) error {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("it answered %d %s", e.Code, firstLine(e.Msg))
	}
	if e, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return fmt.Errorf("it does not speak the protocol: %s", string(e))
	}
	return err
}

// line wants a line that begins so.
func (d dialogue) line(prefix string) (string, error) {
	text, err := d.ReadLine()
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(text, prefix) {
		return "", fmt.Errorf("it answered %q", clip(text))
	}
	return clip(text), nil
}

// firstLine is what of an answer is shown.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return clip(strings.TrimSpace(text))
}

// clip keeps a reason short.
func clip(text string) string {
	const most = 120
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// smtpProbe follows RFC 5321, section 3.1: 220, 250, 221.
func smtpProbe(c Check) (probe, error) {
	name := c.Host
	if name == "" {
		name, _ = os.Hostname()
	}
	if name == "" || strings.ContainsAny(name, " ") {
		name = "localhost"
	}
	return c.talk(func(d dialogue) (string, error) {
		hello, err := d.expect(220)
		if err != nil {
			return "", err
		}
		if err := d.ask(250, "HELO %s", name); err != nil {
			return "", err
		}
		return hello, d.ask(221, "QUIT")
	}), nil
}

// popProbe follows RFC 1939, section 4.
func popProbe(c Check) (probe, error) {
	return c.talk(func(d dialogue) (string, error) {
		hello, err := d.line("+OK")
		if err != nil || c.Login == "" {
			return hello, err
		}
		for _, line := range []string{"USER " + c.Login, "PASS " + c.Password, "QUIT"} {
			if err := d.PrintfLine("%s", line); err != nil {
				return "", err
			}
			if _, err := d.line("+OK"); err != nil {
				return "", err
			}
		}
		return "it let " + c.Login + " in", nil
	}), nil
}

// imapProbe follows RFC 9051, section 3.
func imapProbe(c Check) (probe, error) {
	return c.talk(func(d dialogue) (string, error) {
		hello, err := d.line("* ")
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(hello, "* OK") && !strings.HasPrefix(hello, "* PREAUTH") {
			return "", fmt.Errorf("it answered %q", hello)
		}
		if c.Login == "" {
			return hello, nil
		}
		if err := d.PrintfLine("a LOGIN %s %s", imapString(c.Login), imapString(c.Password)); err != nil {
			return "", err
		}
		for {
			text, err := d.ReadLine()
			switch {
			case err != nil:
				return "", err
			case strings.HasPrefix(text, "a OK"):
				return "it let " + c.Login + " in", nil
			case !strings.HasPrefix(text, "* "):
				return "", fmt.Errorf("it answered %q", clip(text))
			}
		}
	}), nil
}

// imapString is a quoted string (RFC 9051, section 9: quoted).
func imapString(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// ftpProbe follows RFC 959, section 5.4.
func ftpProbe(c Check) (probe, error) {
	return c.talk(func(d dialogue) (string, error) {
		hello, err := d.expect(220)
		if err != nil || c.Login == "" {
			return hello, err
		}
		if err := d.PrintfLine("USER %s", c.Login); err != nil {
			return "", err
		}
		code, text, err := d.ReadResponse(0)
		if err == nil && code == 331 {
			code, text, err = d.again("PASS " + c.Password)
		}
		if err != nil {
			return "", err
		}
		if code != 230 {
			return "", fmt.Errorf("it answered %d %s", code, firstLine(text))
		}
		return "it let " + c.Login + " in", d.PrintfLine("QUIT")
	}), nil
}

// again sends a line and takes any answer.
func (d dialogue) again(line string) (code int, text string, err error) {
	if err := d.PrintfLine("%s", line); err != nil {
		return 0, "", err
	}
	code, text, err = d.ReadResponse(0)
	return code, text, asked(err)
}

// nntpProbe follows RFC 3977, section 5.1: posting allowed (200) or not (201).
func nntpProbe(c Check) (probe, error) {
	return c.talk(func(d dialogue) (string, error) { return d.expect(20) }), nil
}

// redisProbe speaks inline commands, which need no framing (redis.io, "Redis
// serialization protocol", Inline commands); AUTH does, for its password.
func redisProbe(c Check) (probe, error) {
	if c.Login != "" && c.Password == "" {
		return nil, errors.New("login= is there without password=")
	}
	return c.talk(func(d dialogue) (string, error) {
		if c.Password != "" {
			words := []string{"AUTH", c.Password}
			if c.Login != "" {
				words = []string{"AUTH", c.Login, c.Password}
			}
			if err := d.PrintfLine("%s", redisCommand(words)); err != nil {
				return "", err
			}
			if _, err := d.line("+OK"); err != nil {
				return "", err
			}
		}
		if err := d.PrintfLine("PING"); err != nil {
			return "", err
		}
		return d.line("+PONG")
	}), nil
}

// redisCommand is an array of bulk strings, but for the last line's end.
func redisCommand(words []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "\r\n$%d\r\n%s", len(w), w)
	}
	return b.String()
}
