package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// commands calls f for every command of ours.
func commands(f func(*cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		f(c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(newApp("quorate", nil, io.Discard, io.Discard, func(string) string { return "" })))
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	seen := 0
	commands(func(c *cobra.Command) {
		if c.Hidden {
			return // help does not show it
		}
		seen++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q: want some, without a period", c.CommandPath(), c.Short)
		}
		for line := range strings.SplitSeq(c.Example, "\n") {
			if !strings.HasPrefix(line, "  quorate ") {
				t.Errorf("%s: example line %q: want \"  quorate …\"", c.CommandPath(), line)
			}
		}
	})
	if seen < 70 {
		t.Errorf("saw %d commands: the walk is broken", seen)
	}
}

// What help shows can be typed: the words of every example are understood.
func TestExamplesAreGoodGrammar(t *testing.T) {
	shop, err := os.ReadFile("testdata/shop.cib.xml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, data := range map[string][]byte{"haproxy.cfg": []byte("global\n"), "cib.xml": shop, "ipmi.secret": []byte("secret\n")} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	commands(func(c *cobra.Command) {
		if path := strings.Fields(c.CommandPath() + " ?"); slices.Contains([]string{"agent", "warden", "lab"}, path[1]) {
			return // not of the cluster's grammar, and they act at once
		}
		for line := range strings.SplitSeq(c.Example, "\n") {
			words := shellWords(strings.TrimSpace(line))
			if i := slices.IndexFunc(words, func(w string) bool { return w == ">" || w == "<" }); i >= 0 {
				words = words[:i]
			}
			if slices.ContainsFunc(words, func(w string) bool { return w == "import" || w == "diff" || w == "password" }) {
				continue // they read a file or a terminal first: tested on their own
			}
			var errOut strings.Builder
			a := newApp("quorate", strings.NewReader(""), io.Discard, &errOut, func(string) string { return "" })
			a.socket = "/does/not/exist"
			exit := a.run(t.Context(), words[1:])
			asks := slices.Contains(words, "auth") && !slices.Contains(words, "-p") ||
				slices.Contains(words, "confirm") && !slices.Contains(words, "--force")
			if exit == exitBadInput && !asks {
				t.Errorf("%s: %s", strings.Join(words, " "), errOut.String())
			}
		}
	})
}

func TestAgentThatDoesNotRun(t *testing.T) {
	dir := t.TempDir()
	var errOut strings.Builder
	a := newApp("quorate", nil, io.Discard, &errOut, func(string) string { return "" })
	a.socket = filepath.Join(dir, "agent.sock")
	exit := a.run(t.Context(), []string{"status"})
	want := "quorate: the agent on this machine does not answer at " + a.socket + ": start it with \"systemctl start quorate\"\n"
	if exit != exitFailed || errOut.String() != want {
		t.Errorf("got %d, %s\nwant %d, %s", exit, errOut.String(), exitFailed, want)
	}
}

func TestSocketOfOthers(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may use every socket")
	}
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Chmod(socket, 0); err != nil {
		t.Fatal(err)
	}
	var errOut strings.Builder
	a := newApp("quorate", nil, io.Discard, &errOut, func(string) string { return "" })
	a.socket = socket
	if exit := a.run(t.Context(), []string{"status"}); exit != exitFailed || !strings.Contains(errOut.String(), "may not use the agent") {
		t.Errorf("got %d, %s", exit, errOut.String())
	}
}

// A frozen agent accepts connections and never answers: the deadline ends it.
func TestFrozenAgentIsNotWaitedForWithoutEnd(t *testing.T) {
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	a := newApp("quorate", nil, io.Discard, io.Discard, func(string) string { return "" })
	a.socket = filepath.Join(dir, "s")
	err = a.ask(t.Context(), 50*time.Millisecond, func(ctx context.Context, c *client) error {
		_, err := c.StatusClient.Get(ctx, &pb.GetRequest{})
		return err
	})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Fatalf("got %v, want deadline exceeded", err)
	}
	if text := a.explain(err); !strings.HasPrefix(text, "no answer in time") {
		t.Errorf("explained as %q", text)
	}
}

func TestEnvironment(t *testing.T) {
	env := map[string]string{
		"QUORATE_SOCKET": "/s", "QUORATE_SERVER": "h", "QUORATE_CA": "ca", "QUORATE_CERT": "c", "QUORATE_KEY": "k", "NO_COLOR": "1",
	}
	a := newApp("/usr/sbin/other", nil, nil, nil, func(name string) string { return env[name] })
	if a.socket != "/s" || a.server != "h" || a.ca != "ca" || a.cert != "c" || a.key != "k" || !a.noColor || a.name != "quorate" {
		t.Errorf("got %+v", a)
	}
	if b := newApp("pcs", nil, nil, nil, func(string) string { return "" }); b.name != "pcs" || b.socket != defaultSocket {
		t.Errorf("got %+v", b)
	}
}

func TestVersionAndHelpNameTheProgramAsCalled(t *testing.T) {
	w := newWorld(t)
	if out, _, exit := w.run("pcs", "--version"); exit != 0 || out != "pcs unversioned\n" {
		t.Errorf("got %q, %d", out, exit)
	}
	if out, _, exit := w.run("pcs", "cluster", "--help"); exit != 0 || !strings.Contains(out, "  pcs cluster status") {
		t.Errorf("got %q, %d", out, exit)
	}
}

func TestWaitTellsWhatIsPendingOnce(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	start := []string{"start A on lvsm"}
	w.pending = []*pb.WaitResponse{{Pending: start}, {Pending: start}, {Pending: []string{"stop B on lvss"}}}
	_, errOut, exit := w.run("quorate", "node", "standby", "lvss", "--wait=30s")
	want := "waiting: start A on lvsm\nwaiting: stop B on lvss\n"
	if exit != 0 || errOut != want {
		t.Errorf("got %d, %q\nwant 0, %q", exit, errOut, want)
	}
}

func TestWaitEnds(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	for range 100 {
		w.pending = append(w.pending, &pb.WaitResponse{Pending: []string{"stop A on lvss"}})
	}
	_, errOut, exit := w.run("quorate", "node", "standby", "lvss", "--wait=5")
	want := "waiting: stop A on lvss\nquorate: not done after 5s; it goes on: see \"quorate status\"\n"
	if exit != exitFailed || errOut != want {
		t.Errorf("got %d, %q\nwant %d, %q", exit, errOut, exitFailed, want)
	}
}

func TestPasswords(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		words []string
		in    string
		asked string
		exit  int
	}{
		{[]string{"cluster", "password", "--stdin"}, "secret\n", `SetPassword {"password":"secret"}`, 0},
		{[]string{"cluster", "password", "--stdin"}, "no newline", `SetPassword {"password":"no newline"}`, 0},
		{[]string{"cluster", "auth", "lvss", "--stdin"}, "secret\n", `Auth {"hosts":[{"name":"lvss"}],"user":"hacluster","password":"secret"}`, 0},
		{[]string{"cluster", "join", "-"}, "TOKEN\n", `Join {"token":"TOKEN"}`, 0},
		{[]string{"cluster", "password"}, "secret\n", ``, exitBadInput}, // no terminal to ask on
	}
	for _, tt := range tests {
		w.asked = nil
		_, errOut, exit := w.runWith(strings.NewReader(tt.in), "quorate", tt.words...)
		if got := strings.Join(w.asked, "\n"); got != tt.asked || exit != tt.exit {
			t.Errorf("%v\n got %s, %d, %s\nwant %s, %d", tt.words, got, exit, errOut, tt.asked, tt.exit)
		}
	}
}

// Two nodes that boot apart must not both serve because of a slip of the hand.
func TestToGoOnWithoutThePeerMustBeConfirmed(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	waiting := &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_WAITING, Peer: "id-lvss"}
	together := &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_TOGETHER, Peer: "id-lvss"}
	tests := []struct {
		pair  *pb.PairStatus
		words []string
		in    string
		asked string
		exit  int
	}{
		{waiting, []string{"quorum", "unblock"}, "lvss\n", "Unblock {}", 0},
		{waiting, []string{"quorum", "unblock"}, "yes\n", "", exitBadInput},
		{waiting, []string{"quorum", "unblock"}, "", "", exitBadInput},
		{waiting, []string{"quorum", "unblock", "--force"}, "", "Unblock {}", 0},
		{together, []string{"quorum", "unblock"}, "lvss\n", "", exitFailed},
	}
	for _, tt := range tests {
		w.asked, w.pair = nil, tt.pair
		_, errOut, exit := w.runWith(strings.NewReader(tt.in), "pcs", tt.words...)
		if got := strings.Join(w.asked, "\n"); got != tt.asked || exit != tt.exit {
			t.Errorf("%v < %q\n got %s, %d, %s\nwant %s, %d", tt.words, tt.in, got, exit, errOut, tt.asked, tt.exit)
		}
	}
}

func TestInterruptionsAreAskedAbout(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	w.run("quorate", "resource", "create", "A", "ocf:heartbeat:IPaddr2", "ip=10.0.0.5")
	w.attended = true
	change := []string{"property", "set", "symmetric-cluster=false"}
	asked := `Change {"edits":[{"setOptions":{"scope":"OPTION_SCOPE_CLUSTER","set":{"symmetric-cluster":"false"}}}]`
	question := "This change interrupts what it does not name:\n  (A is interrupted)\nMake it all the same? [y/N] "
	for _, tt := range []struct {
		in, asked, err string
		exit           int
	}{
		{"", asked + "}", question + "quorate: not confirmed, nothing was changed; --dry-run shows what would happen\n", exitBadInput},
		{"n\n", asked + "}", question + "quorate: not confirmed, nothing was changed; --dry-run shows what would happen\n", exitBadInput},
		{"y\n", asked + "}\n" + asked + `,"force":true}`, question, 0},
		{"", asked + "}", "", 0}, // it is so already
	} {
		w.asked = nil
		_, errOut, exit := w.runWith(strings.NewReader(tt.in), "quorate", change...)
		if got := strings.Join(w.asked, "\n"); got != tt.asked || errOut != tt.err || exit != tt.exit {
			t.Errorf("%q\n got %s, %s, %d\nwant %s, %s, %d", tt.in, got, errOut, exit, tt.asked, tt.err, tt.exit)
		}
	}
}

// What waits for the cluster to do something can also only say what that is.
func TestEveryChangingCommandHasADryRun(t *testing.T) {
	without := []string{"setup", "add", "join"} // of nodes: they move nothing
	commands(func(c *cobra.Command) {
		exempt := slices.Contains(without, c.Name()) && strings.HasPrefix(c.CommandPath(), "quorate cluster ")
		if c.Flags().Lookup("wait") != nil && c.Flags().Lookup("dry-run") == nil && !exempt {
			t.Errorf("%s has no --dry-run", c.CommandPath())
		}
	})
}

func TestAuthTellsOfEveryHost(t *testing.T) {
	w := newWorld(t)
	s, err := status.New(codes.PermissionDenied, "host lvss: password: wrong user or password").WithDetails(
		&pb.AuthResponse{Hosts: []*pb.HostResult{{Name: "lvsm", Fingerprint: "00"}, {Name: "lvss", Error: "password: wrong user or password"}}})
	if err != nil {
		t.Fatal(err)
	}
	w.refusals = []error{s.Err()}
	out, errOut, _ := w.run("pcs", "cluster", "auth", "lvsm", "lvss", "-p", "x")
	if want := "lvsm: authorized\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if want := "pcs: host lvss: password: wrong user or password\n"; errOut != want {
		t.Errorf("got %q, want %q", errOut, want)
	}
}

func TestCertificateFilesAreWrittenOnce(t *testing.T) {
	w, dir := newWorld(t), t.TempDir()
	out, errOut, exit := w.run("quorate", "cluster", "certificate", "anna", "--dir", dir)
	if want := "QUORATE_KEY=" + dir + "/anna.key"; exit != 0 || !strings.Contains(out, want) {
		t.Fatalf("got %d, %s%s", exit, out, errOut)
	}
	key, err := os.Stat(filepath.Join(dir, "anna.key"))
	if err != nil || key.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v, want mode 0600", key.Mode(), err)
	}
	if _, errOut, exit := w.run("quorate", "cluster", "certificate", "anna", "--dir", dir); exit == 0 || !strings.Contains(errOut, "file exists") {
		t.Errorf("a second time: %d, %s", exit, errOut)
	}
}

func TestParametersFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte("global\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := map[string]string{"config": "@" + file, "odd": "@@home", "plain": "x"}
	if err := readFiles(p); err != nil {
		t.Fatal(err)
	}
	if p["config"] != "global\n" || p["odd"] != "@home" || p["plain"] != "x" {
		t.Errorf("got %q", p)
	}
}

func TestImport(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	w.run("quorate", "resource", "create", "A", "ocf:heartbeat:IPaddr2", "ip=10.0.0.5")
	before, _, _ := w.run("quorate", "config", "export")

	changed := strings.ReplaceAll(before, "10.0.0.5", "10.0.0.6")
	out, errOut, exit := w.runWith(strings.NewReader(changed), "quorate", "config", "import", "-", "--dry-run")
	want := "Configuration\n  - resource create A ocf:heartbeat:IPaddr2 ip=10.0.0.5\n  + resource create A ocf:heartbeat:IPaddr2 ip=10.0.0.6\n"
	if exit != 0 || !strings.HasPrefix(out, want) {
		t.Errorf("dry run\n got %d, %s%s\nwant 0, %s", exit, out, errOut, want)
	}
	if now, _, _ := w.run("quorate", "config", "export"); now != before {
		t.Errorf("a dry run changed\n%s\nto\n%s", before, now)
	}
	if _, errOut, exit := w.runWith(strings.NewReader(changed), "quorate", "config", "import", "-"); exit != exitBadInput {
		t.Fatalf("import that restarts A: %d, %s", exit, errOut)
	}
	if _, errOut, exit := w.runWith(strings.NewReader(changed), "quorate", "config", "import", "-", "--force"); exit != 0 {
		t.Fatalf("import: %d, %s", exit, errOut)
	}
	if now, _, _ := w.run("quorate", "config", "export"); now != changed {
		t.Errorf("imported\n%s\nand exported\n%s", changed, now)
	}
	wrong := strings.ReplaceAll(before, "agent:", "agnet:")
	_, errOut, exit = w.runWith(strings.NewReader(wrong), "quorate", "config", "import", "-")
	if exit != exitBadInput || !strings.Contains(errOut, `unknown field "agnet" of resource`) || !strings.HasPrefix(errOut, "quorate: standard input:") {
		t.Errorf("unknown field: %d, %s", exit, errOut)
	}
}

// A configuration without the last fencing device is refused as the device's deletion is.
func TestAnImportKeepsTheFencingThatIsNeeded(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	w.run("quorate", "resource", "create", "A", "ocf:heartbeat:IPaddr2", "ip=10.0.0.5")
	w.run("quorate", "property", "set", "fencing=power")
	files := make(map[string]string)
	for _, format := range []string{"yaml", "cib"} {
		files[format], _, _ = w.run("quorate", "config", "export", "--format", format)
	}
	number := fmt.Sprint(w.state.Checkpoints[len(w.state.Checkpoints)-1].Number)
	if _, errOut, exit := w.run("quorate", "stonith", "create", "ipmi", "fence_ipmilan", "ip=10.0.0.9", "pcmk_host_list=lvsm lvss"); exit != 0 {
		t.Fatal(errOut)
	}
	const says = "precondition" // the words are of cluster/state
	for _, tt := range []struct{ format, words string }{
		{"yaml", "config import -"},
		{"yaml", "config import - --dry-run"},
		{"cib", "config import --format cib -"},
		{"", "config checkpoint restore " + number},
	} {
		_, errOut, exit := w.runWith(strings.NewReader(files[tt.format]), "quorate", strings.Fields(tt.words)...)
		if exit != exitBadInput || !strings.Contains(errOut, says) {
			t.Errorf("%s: %d, %s", tt.words, exit, errOut)
		}
	}
	if _, errOut, exit := w.runWith(strings.NewReader(files["cib"]), "quorate", "config", "import", "--format", "cib", "-", "--force"); exit != 0 || len(w.state.Devices) > 0 {
		t.Errorf("forced: %d, %s", exit, errOut)
	}
}

func TestCompletionAsksTheAgent(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	w.run("quorate", "resource", "create", "A", "ocf:heartbeat:IPaddr2", "ip=10.0.0.5")
	w.run("quorate", "constraint", "location", "add", "like", "A", "lvsm", "50")
	tests := []struct {
		words string
		want  []string
	}{
		{"resource delete", []string{"A"}},
		{"node standby", []string{"lvsm", "lvss"}},
		{"constraint delete", []string{"like"}},
		{"resource create B", []string{"vip", "ocf:heartbeat:IPaddr2", "haproxy"}},
		{"resource describe", []string{"haproxy"}},
		{"property set", []string{"no-quorum-policy", "stonith-enabled"}},
		{"status -o", []string{"table", "json", "yaml"}},
		{"status", []string{"nodes", "quorum"}},
	}
	for _, tt := range tests {
		out, _, _ := w.run("quorate", append(append([]string{"__complete"}, strings.Fields(tt.words)...), "")...)
		for _, want := range tt.want {
			if !slices.Contains(strings.Split(out, "\n"), want) {
				t.Errorf("completion of %q lacks %q:\n%s", tt.words, want, out)
			}
		}
	}
}

func TestEventsAboutAName(t *testing.T) {
	events := []*pb.Event{
		{Id: 1, Resource: "A", Text: "about the resource"},
		{Id: 2, Node: "A", Text: "about a node"},
		{Id: 3, Text: "resource A was made; B, too"},
		{Id: 4, Text: "resource A-2 and BA were made"},
		{Id: 5, Resource: "B", Text: "B follows A"},
	}
	tests := []struct {
		f    filter
		want string
	}{
		{filter{}, "1 2 3 4 5"},
		{filter{resource: "A"}, "1 3"},
		{filter{resource: "B"}, "3 5"},
		{filter{resource: "A-2"}, "4"},
		{filter{node: "A"}, "2 3 5"},
		{filter{count: 2}, "4 5"},
		{filter{resource: "A", count: 1}, "3"},
		{filter{after: 3}, "4 5"},
	}
	for _, tt := range tests {
		got := strings.Trim(fmt.Sprint(each(tt.f.apply(events), (*pb.Event).GetId)), "[]")
		if got != tt.want {
			t.Errorf("%+v selects %s, want %s", tt.f, got, tt.want)
		}
	}
}

func TestBoundResources(t *testing.T) {
	colocation := func(r, with string, score int64) *pb.Constraint {
		return &pb.Constraint{Kind: &pb.Constraint_Colocation{Colocation: &pb.Colocation{Resource: r, With: with, Score: score}}}
	}
	s := &pb.State{
		Groups: []*pb.Group{{Id: "g", Members: []string{"b", "c"}}},
		Constraints: []*pb.Constraint{
			colocation("a", "g", grammar.Infinity), colocation("d", "a", 50), colocation("e", "b", -grammar.Infinity),
		},
	}
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		s.Resources = append(s.Resources, &pb.Resource{Id: id})
	}
	for id, want := range map[string]string{"a": "a b c", "g": "a b c", "c": "a b c", "d": "d", "e": "e", "nobody": ""} {
		got := bound(s, id)
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("bound(%q) = %v, want %s", id, got, want)
		}
	}
}
