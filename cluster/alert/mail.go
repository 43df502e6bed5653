package alert

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Options of [Mail].
const (
	mailServer = "server" // HOST[:PORT]; none: sendmail(8), or this host if there is none
	mailFrom   = "from"
	mailHelo   = "helo"
)

// sendmail is where a mail system takes mail from programs (Filesystem Hierarchy
// Standard 3.0, 4.10).
var sendmail = "/usr/sbin/sendmail"

// checkMail returns what is wrong with an option of [Mail].
func checkMail(name, value string) error {
	field := "option " + name
	switch name {
	case mailFrom:
		if _, err := parseAddress(value); value != "" && err != nil {
			return &Error{field, fmt.Sprintf("%q is no address of mail", value), "give for example quorate@example.com"}
		}
	case mailServer:
		if _, _, err := net.SplitHostPort(endpoint(value)); value != "" && err != nil {
			return &Error{field, fmt.Sprintf("%q is no server", value), "give HOST or HOST:PORT"}
		}
	case mailHelo:
		if strings.ContainsAny(value, " \t\r\n") {
			return &Error{field, fmt.Sprintf("%q is no name of a host", value), "give one"}
		}
	default:
		return &Error{field, "quorate:mail has no such option", "it has from, helo and server"}
	}
	return nil
}

// CheckRecipient returns what is wrong with the value of a recipient.
func CheckRecipient(path, value string) error {
	switch {
	case value == "" || strings.ContainsAny(value, "\x00\r\n"):
		return &Error{"recipient", "its value is empty, or has several lines", "give value=ADDRESS"}
	case path == Mail:
		if _, err := parseAddress(value); err != nil {
			return &Error{"recipient", fmt.Sprintf("%q is no address of mail", value), "give for example admin@example.com"}
		}
	}
	return nil
}

// localName is the name of a mailbox that a mail system completes with its own domain.
var localName = regexp.MustCompile(`^[A-Za-z0-9._+-]+$`)

// parseAddress reads an address, with a name before it or not, or the name of a local
// mailbox, which is what cron and keepalived send mail to.
func parseAddress(text string) (*mail.Address, error) {
	if localName.MatchString(text) {
		return &mail.Address{Address: text}, nil
	}
	return mail.ParseAddress(text)
}

// written is an address for a header.
func written(a *mail.Address) string {
	if localName.MatchString(a.Address) {
		return a.Address
	}
	return a.String()
}

// endpoint is a server with its port.
func endpoint(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "25")
}

// mail sends a mail to the recipient.
func (c Call) mail(ctx context.Context) error {
	to, err := parseAddress(c.Recipient.GetValue())
	if err != nil {
		return errors.New("it has no recipient with an address of mail; add one with `quorate alert recipient add`")
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	from := &mail.Address{Name: "Quorate", Address: "quorate@" + host}
	if said := c.option(mailFrom); said != "" {
		if from, err = parseAddress(said); err != nil {
			return fmt.Errorf("from=%s: %w", said, err)
		}
	}
	message := c.message(from, to, host)
	server := c.option(mailServer)
	if server == "" {
		if _, err := os.Stat(sendmail); err == nil {
			return handOver(ctx, from, to, message)
		}
		server = "localhost"
	}
	return submit(ctx, endpoint(server), cmp.Or(c.option(mailHelo), host), from, to, message)
}

// message writes a mail (RFC 5322) that says that a program wrote it (RFC 3834).
func (c Call) message(from, to *mail.Address, host string) []byte {
	e, b := c.Event, &bytes.Buffer{}
	header := func(name, value string) { fmt.Fprintf(b, "%s: %s\r\n", name, value) }
	header("From", written(from))
	header("To", written(to))
	header("Subject", mime.QEncoding.Encode("utf-8", fmt.Sprintf("[%s] %s", cmp.Or(c.Cluster, "quorate"), clip(e.GetText()))))
	header("Date", e.GetAt().AsTime().Local().Format(time.RFC1123Z))
	header("Message-ID", fmt.Sprintf("<%d.%d.%s@%s>", e.GetId(), e.GetAt().AsTime().UnixNano(), c.Alert.GetId(), host))
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(b)
	_, _ = body.Write([]byte(c.body())) // a bytes.Buffer takes everything
	_ = body.Close()
	return b.Bytes()
}

// clip makes one line of a text, not too long for a subject.
func clip(text string) string {
	const most = 160
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > most {
		return string(line[:most-1]) + "…"
	}
	return string(line)
}

func (c Call) body() string {
	e, b := c.Event, &strings.Builder{}
	fmt.Fprintf(b, "%s\n\n", e.GetText())
	for _, l := range []struct{ name, value string }{
		{"Cluster", c.Cluster}, {"Node", e.GetNode()}, {"Resource", e.GetResource()},
		{"Event", fmt.Sprintf("%d, %s, %s", e.GetId(), e.GetKind(), severity(e))},
		{"Time", e.GetAt().AsTime().Local().Format("2006-01-02 15:04:05.000 -0700")},
		{"Phases", phases(e.GetPhases())}, {"By", e.GetActor()},
	} {
		if l.value != "" {
			fmt.Fprintf(b, "%-9s %s\n", l.name+":", l.value)
		}
	}
	return b.String()
}

func phases(list []*pb.Phase) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = fmt.Sprintf("%s %d ms", p.GetName(), p.GetAt().AsDuration().Milliseconds())
	}
	return strings.Join(words, ", ")
}

// handOver gives a message to sendmail(8), which queues it.
func handOver(ctx context.Context, from, to *mail.Address, message []byte) error {
	cmd := exec.CommandContext(ctx, sendmail, "-i", "-f", from.Address, "--", to.Address)
	cmd.Stdin = bytes.NewReader(bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n")))
	cmd.WaitDelay = lastWords
	var said output
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", sendmail, cmp.Or(ctx.Err(), err), said.line())
	}
	return nil
}

// submit gives a message to a server (RFC 5321), in plain words as keepalived does.
func submit(ctx context.Context, server, helo string, from, to *mail.Address, message []byte) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	client, err := smtp.NewClient(conn, server)
	if err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	for _, step := range []func() error{
		func() error { return client.Hello(helo) },
		func() error { return client.Mail(from.Address) },
		func() error { return client.Rcpt(to.Address) },
		func() error { return data(client, message) },
		client.Quit,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("%s: %w", server, err)
		}
	}
	return nil
}

func data(client *smtp.Client, message []byte) error {
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	return w.Close()
}
