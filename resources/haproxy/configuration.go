package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"quorate/resources"
)

// load returns the configuration as this node can run it, "" for a directory,
// and notes on what differs from what the user wrote.
func (s *settings) load() (text string, notes []string, err error) {
	text = s.text
	if s.source == "conffile" {
		if s.directory() {
			return "", nil, nil
		}
		b, err := os.ReadFile(s.conffile)
		if err != nil {
			return "", nil, wrong("conffile", "put the file on every node, or its text in config", "%v", err)
		}
		text = string(b)
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n" // else haproxy refuses the last line
	}
	if soleUser() {
		text, notes = withoutUsers(text)
	}
	return text, notes, nil
}

// soleUser reports whether this is a user namespace with no user but our own,
// as a lab of an ordinary user is. There haproxy cannot become another user,
// and ends in "Cannot set gid".
func soleUser() bool {
	b, err := os.ReadFile("/proc/self/gid_map")
	if err != nil {
		return false
	}
	f := strings.Fields(string(b))
	return len(f) == 3 && f[2] == "1"
}

// becomesUser are the settings that make haproxy become another user.
var becomesUser = map[string]bool{"user": true, "group": true, "uid": true, "gid": true}

// sections are the words that begin the parts of a configuration.
var sections = map[string]bool{
	"global": true, "defaults": true, "frontend": true, "backend": true, "listen": true, "peers": true,
	"resolvers": true, "userlist": true, "mailers": true, "program": true, "cache": true, "http-errors": true,
	"ring": true, "log-forward": true, "log-profile": true, "fcgi-app": true, "crt-store": true, "traces": true, "acme": true,
}

// withoutUsers turns the user settings of global sections into comments, which
// leaves every line at its number.
func withoutUsers(text string) (string, []string) {
	lines := strings.Split(text, "\n")
	found := false
	for _, s := range statements(text) {
		if s.section == "global" && len(s.words) > 1 && becomesUser[s.words[0]] {
			lines[s.line-1], found = "# not in this user namespace: "+lines[s.line-1], true
		}
	}
	if !found {
		return text, nil
	}
	return strings.Join(lines, "\n"), []string{"haproxy keeps the agent's user: this user namespace has no other, so user and group are passed over"}
}

// standardInput is there also where nobody made /dev/stdin: in a container, an initramfs.
const standardInput = "/proc/self/fd/0"

// check has haproxy check a configuration, which it reads from its standard
// input, so that nothing is written. It returns warnings.
func (s *settings) check(ctx context.Context, text string) (warnings []string, err error) {
	file := standardInput
	if s.directory() {
		file = s.conffile
	}
	args := append([]string{"-c", "-f", file}, s.options...)
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Env = environment()
	cmd.Stdin = strings.NewReader(text)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	said := s.rename(out.String())
	if err == nil {
		return messages(said, "WARNING"), nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("check the configuration: %w", ctx.Err())
	}
	problem := strings.Join(messages(said, "ALERT"), "; ")
	if problem == "" {
		problem = fmt.Sprintf("haproxy -c: %v: %s", err, oneLine(said))
	}
	return nil, &resources.ParameterError{Parameter: s.source, Problem: problem, Lines: s.lines(problem)}
}

// lines returns the lines of the resource's own text that haproxy named.
func (s *settings) lines(said string) []int {
	var list []int
	for _, m := range regexp.MustCompile(`\[`+regexp.QuoteMeta(s.name())+`:(\d+)\]`).FindAllStringSubmatch(said, -1) {
		n, _ := strconv.Atoi(m[1])
		list = append(list, n)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// name is what the user knows the text by.
func (s *settings) name() string {
	if s.source == "config" {
		return "config"
	}
	return s.conffile
}

// rename gives what haproxy read the name that the user knows it by.
func (s *settings) rename(said string) string {
	return strings.NewReplacer(standardInput, s.name(), s.copy, s.name()).Replace(s.original(said))
}

// message is a line that haproxy writes about itself:
// [ALERT]    (1234) : config : parsing [haproxy.cfg:17] : unknown keyword.
var message = regexp.MustCompile(`^\[(\w+)\]\s+\S*\s*\(\d+\) : (.*)$`)

// maxMessages keeps an error readable; the first ones matter.
const maxMessages = 5

// messages picks the first messages of one level, without what only sums up.
func messages(said, level string) []string {
	var list []string
	for line := range strings.Lines(said) {
		m := message.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || m[1] != level {
			continue
		}
		text := strings.TrimPrefix(m[2], "config : ")
		if strings.HasPrefix(text, "Error(s) found in configuration file") || strings.HasPrefix(text, "Fatal errors found") {
			continue
		}
		list = append(list, oneLine(text))
	}
	return list[:min(len(list), maxMessages)]
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// environment is the agent's, without what belongs to its service manager.
func environment() []string {
	var list []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "NOTIFY_") && !strings.HasPrefix(v, "WATCHDOG_") && !strings.HasPrefix(v, "LISTEN_") {
			list = append(list, v)
		}
	}
	return list
}

// statsSocket is a runtime socket in the file system.
var statsSocket = regexp.MustCompile(`(?m)^\s*stats\s+socket\s+(/\S+)`)

// makeSocketDirectories makes what a distribution's service would have made:
// /run/haproxy, where its configuration puts the runtime socket.
func makeSocketDirectories(text string) error {
	for _, m := range statsSocket.FindAllStringSubmatch(text, -1) {
		if err := os.MkdirAll(filepath.Dir(m[1]), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("stats socket %s: %w", m[1], err)
		}
	}
	return nil
}
