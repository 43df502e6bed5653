package alert

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// program writes a shell script, and returns the alert that runs it.
func program(t *testing.T, body string) *pb.Alert {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alert")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return &pb.Alert{Id: "x", Path: path, Meta: map[string]string{}}
}

func TestAProgramRunsWithItsVariablesAloneAndItsOutcomeIsKnown(t *testing.T) {
	t.Setenv("SECRET_OF_THE_AGENT", "x")
	out := filepath.Join(t.TempDir(), "out")
	a := program(t, `echo "$CRM_alert_kind $CRM_alert_desc $SECRET_OF_THE_AGENT" > "$out"`)
	a.Options = map[string]string{"out": out}
	if err := Run(t.Context(), Call{Alert: a, Event: event("node-gone", "a", "", pb.Severity_SEVERITY_WARNING)}); err != nil {
		t.Fatal(err)
	}
	if said, _ := os.ReadFile(out); string(said) != "node lost \n" {
		t.Errorf("the program was told %q", said)
	}
	err := Run(t.Context(), Call{Alert: program(t, "echo no route to pager; exit 3"), Event: event("start", "", "", 0)})
	if err == nil || err.Error() != "exit status 3: no route to pager" {
		t.Errorf("a failure is told as %v", err)
	}
	err = Run(t.Context(), Call{Alert: &pb.Alert{Path: "/nonexistent/alert"}, Event: event("start", "", "", 0)})
	if err == nil || !strings.Contains(err.Error(), "put it on every node") {
		t.Errorf("a missing program is told as %v", err)
	}
}

func TestAProgramThatTakesTooLongIsKilledWithItsChildren(t *testing.T) {
	a := program(t, "(sleep 3; touch $(dirname $0)/late) & sleep 60")
	a.Meta["timeout"] = "300ms"
	began := time.Now()
	err := Run(t.Context(), Call{Alert: a, Event: event("start", "", "", 0)})
	if err == nil || !strings.Contains(err.Error(), "did not end in 300ms") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// mailed has a mail sent by a server that takes what it is given, and returns what
// that was told, command by command, and the mail.
func mailed(t *testing.T, options map[string]string, to string, e *pb.Event) (commands []string, m *mail.Message, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var data bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		commands = receive(conn, &data)
	}()
	options["server"] = l.Addr().String()
	err = Run(t.Context(), Call{
		Alert: &pb.Alert{Id: "mail", Path: Mail, Options: options}, Recipient: &pb.AlertRecipient{Id: "r", Value: to}, Event: e, Cluster: "web",
	})
	_ = l.Close()
	<-done
	if err != nil {
		return commands, nil, err
	}
	m, parse := mail.ReadMessage(&data)
	if parse != nil {
		t.Fatalf("no mail was sent: %v", parse)
	}
	return commands, m, nil
}

// receive is a server's part of RFC 5321, for one mail.
func receive(conn net.Conn, data *bytes.Buffer) (commands []string) {
	r := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 ready\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return commands
		}
		commands = append(commands, strings.TrimSpace(line))
		switch {
		case strings.HasPrefix(line, "RCPT TO:<refused@"):
			fmt.Fprint(conn, "550 no such user\r\n")
		case strings.HasPrefix(line, "DATA"):
			fmt.Fprint(conn, "354 go on\r\n")
			for line, err = r.ReadString('\n'); err == nil && line != ".\r\n"; line, err = r.ReadString('\n') {
				data.WriteString(line)
			}
			fmt.Fprint(conn, "250 taken\r\n")
		case strings.HasPrefix(line, "QUIT"):
			fmt.Fprint(conn, "221 bye\r\n")
			return commands
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
}

func TestMailIsSentByAServer(t *testing.T) {
	e := event("node-gone", "lvsm", "", pb.Severity_SEVERITY_WARNING)
	e.Text = "lvsm is gone:\r\nBcc: evil@example.com – ünlucky"
	commands, m, err := mailed(t, map[string]string{"from": "HA <ha@example.com>", "helo": "lvss.example.com"}, "Admin <admin@example.com>", e)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(commands, ", "); got != "EHLO lvss.example.com, MAIL FROM:<ha@example.com>, RCPT TO:<admin@example.com>, DATA, QUIT" {
		t.Errorf("the server was told %s", got)
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("To") != `"Admin" <admin@example.com>` {
		t.Errorf("headers %v", m.Header)
	}
	if s := m.Header.Get("Subject"); !strings.Contains(s, "=?utf-8?q?") {
		t.Errorf("subject %q", s)
	}
}

func TestMailGoesToALocalMailbox(t *testing.T) {
	commands, m, err := mailed(t, map[string]string{"from": "root"}, "acassen", event("start", "a", "vip", pb.Severity_SEVERITY_INFO))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(commands, "MAIL FROM:<root>") || !slices.Contains(commands, "RCPT TO:<acassen>") || m.Header.Get("To") != "acassen" {
		t.Errorf("the server was told %q, headers %v", commands, m.Header)
	}
}

func TestAMailThatIsRefusedIsAnError(t *testing.T) {
	_, _, err := mailed(t, map[string]string{}, "refused@example.com", event("start", "a", "vip", pb.Severity_SEVERITY_INFO))
	if err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("got %v", err)
	}
	err = Run(t.Context(), Call{Alert: &pb.Alert{Path: Mail}, Event: event("start", "", "", 0)})
	if err == nil || !strings.Contains(err.Error(), "no recipient") {
		t.Errorf("without a recipient: %v", err)
	}
}

func TestMailGoesThroughSendmailWhereThereIsOne(t *testing.T) {
	dir := t.TempDir()
	fake := filepath.Join(dir, "sendmail")
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" > %[1]s/words\ncat > %[1]s/mail\n", dir)
	if err := os.WriteFile(fake, []byte(script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	old := sendmail
	sendmail = fake
	defer func() { sendmail = old }()
	c := Call{Alert: &pb.Alert{Id: "mail", Path: Mail, Options: map[string]string{"from": "ha@example.com"}}, Recipient: &pb.AlertRecipient{Value: "admin@example.com"}, Event: event("start", "a", "vip", 0)}
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	words, _ := os.ReadFile(filepath.Join(dir, "words"))
	sent, _ := os.ReadFile(filepath.Join(dir, "mail"))
	if strings.TrimSpace(string(words)) != "-i -f ha@example.com -- admin@example.com" {
		t.Errorf("sendmail was called with %s", words)
	}
	if strings.Contains(string(sent), "\r") || !strings.Contains(string(sent), "\nSubject: [quorate] what happened\n") || !strings.Contains(string(sent), "Resource: vip") {
		t.Errorf("sent was\n%s", sent)
	}
}

// Pacemaker's own sample (package pacemaker-common of Debian) runs as it is.
func TestPacemakersSampleUnderstandsWhatItIsTold(t *testing.T) {
	const sample = "/usr/share/pacemaker/alerts/alert_file.sh.sample"
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Skipf("SKIPPED: %v; install pacemaker-common", err)
	}
	dir := t.TempDir()
	script, out := filepath.Join(dir, "alert_file.sh"), filepath.Join(dir, "out")
	if err := os.WriteFile(script, text, 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	if err := os.WriteFile(out, nil, 0o666); err != nil { //nolint:gosec // the sample gives it away
		t.Fatal(err)
	}
	for _, e := range []*pb.Event{
		event("node-gone", "a", "", pb.Severity_SEVERITY_WARNING), event("fenced", "a", "", pb.Severity_SEVERITY_WARNING),
		event("failover", "b", "vip", pb.Severity_SEVERITY_WARNING), event("operation-failed", "b", "vip", pb.Severity_SEVERITY_WARNING),
	} {
		c := Call{Alert: &pb.Alert{Id: "x", Path: script}, Recipient: &pb.AlertRecipient{Value: out}, Event: e, Version: "1", NodeID: "id"}
		if err := Run(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	said, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"12:00:00.123456: Node 'a' is now 'lost'", "12:00:00.123456: Fencing what happened",
		"Resource operation 'start' for 'vip' on 'b': ok", "Resource operation 'monitor' for 'vip' on 'b': error",
	} {
		if !strings.Contains(string(said), want) {
			t.Errorf("the sample lacks %q in\n%s", want, said)
		}
	}
}
