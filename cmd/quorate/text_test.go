package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"quorate/cluster/state"
)

// newTextWorld is one with the resource Web, whose configuration the cluster keeps.
func newTextWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorld(t, "lvsm", "lvss")
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte("global\n\tmaxconn 10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errOut, exit := w.run("quorate", "resource", "create", "Web", "haproxy", "config=@"+file); exit != 0 {
		t.Fatalf("create: %s%s", out, errOut)
	}
	return w
}

// editor makes the editor a command of sed, with FILE after it.
func (w *world) editor(command string) { w.env = map[string]string{"EDITOR": command} }

func (w *world) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return state.ResourceByID(w.state, "Web").GetParameters()["config"]
}

// leavesFiles returns the files that are left of editing.
func leavesFiles(t *testing.T) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "quorate-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestAnEditedTextIsTaken(t *testing.T) {
	w := newTextWorld(t)
	w.editor("sed -i s/10/20/")
	if out, errOut, exit := w.run("quorate", "resource", "config", "edit", "Web"); exit != 0 {
		t.Fatalf("edit: %s%s", out, errOut)
	}
	if got, want := w.text(), "global\n\tmaxconn 20\n"; got != want {
		t.Errorf("text is %q, want %q", got, want)
	}
	w.editor("true")
	if out, _, exit := w.run("quorate", "resource", "config", "edit", "Web"); exit != 0 || out != "Nothing was changed.\n" {
		t.Errorf("edit without a change: exit %d, %q", exit, out)
	}
	if left := leavesFiles(t); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestARefusedTextIsShownAndEditedAgain(t *testing.T) {
	w := newTextWorld(t)
	refused := refusal(codes.InvalidArgument, "INVALID", "config: [config:2] : unknown keyword", map[string]string{"field": "config", "lines": "2"})
	w.editor("sed -i s/10/20/")
	w.attended = true
	w.refusals = []error{refused}
	_, errOut, exit := w.runWith(strings.NewReader("\n"), "quorate", "resource", "config", "edit", "Web")
	want := "      1 | global\n >    2 | \tmaxconn 20\nquorate: config: [config:2] : unknown keyword\nEdit it again? [Y/n] "
	if exit != 0 || errOut != want {
		t.Errorf("edit: exit %d, it says\n%s\nwant\n%s", exit, errOut, want)
	}
	if got := w.text(); got != "global\n\tmaxconn 20\n" {
		t.Errorf("text is %q", got)
	}
}

func TestARefusedTextIsNotLost(t *testing.T) {
	for name, attended := range map[string]bool{"nobody can be asked": false, "and not edited again": true} {
		t.Run(name, func(t *testing.T) {
			w := newTextWorld(t)
			w.editor("sed -i s/10/30/")
			w.attended = attended
			w.refusals = []error{refusal(codes.InvalidArgument, "INVALID", "config: bad", map[string]string{"field": "config"})}
			_, errOut, exit := w.runWith(strings.NewReader("n\n"), "quorate", "resource", "config", "edit", "Web")
			left := leavesFiles(t)
			if exit != exitBadInput || len(left) != 1 || !strings.Contains(errOut, "what you wrote is kept in "+left[0]) {
				t.Fatalf("edit: exit %d, left %q, it says %s", exit, left, errOut)
			}
			if n := strings.Count(errOut, "config: bad"); n != 1 {
				t.Errorf("the reason is told %d times", n)
			}
			if data, err := os.ReadFile(left[0]); err != nil || string(data) != "global\n\tmaxconn 30\n" {
				t.Errorf("it holds %q, %v", data, err)
			}
			if got := w.text(); got != "global\n\tmaxconn 10\n" {
				t.Errorf("text is %q", got)
			}
		})
	}
}

func TestAFileBecomesATextThatTheClusterKeeps(t *testing.T) {
	w := newTextWorld(t)
	if _, errOut, exit := w.run("quorate", "resource", "update", "Web", "config=", "conffile=/etc/haproxy/haproxy.cfg"); exit != 0 {
		t.Fatal(errOut)
	}
	w.files = map[string]string{"lvsm": "global\n\tmaxconn 10\n", "lvss": "global\n\tmaxconn 11\n"}
	for _, tt := range []struct {
		words string
		exit  int
		want  string // a regexp
	}{
		{"config edit Web", 2, `Web is in a file on each node, /etc/haproxy/haproxy.cfg; edit it there, or let the cluster keep it: "resource config set Web`},
		{"config show Web", 0, `(?s)^global\n\tmaxconn 10\nwarning: /etc/haproxy/haproxy.cfg is not the same on every node`},
		{"config show Web --node lvss", 0, `(?s)^global\n\tmaxconn 11\n`},
		{"config diff Web", 0, `(?s)^--- lvsm:/etc/haproxy/haproxy.cfg\n\+\+\+ lvss:/etc/haproxy/haproxy.cfg\n.*-\tmaxconn 10\n\+\tmaxconn 11\n`},
		{"config set Web -", 0, `^$`},
		{"config show Web", 0, `^global\n\tmaxconn 12\n$`},
		{"config diff Web", 0, `is the same on every node`},
		{"config diff Web -", 0, `^No difference.\n$`},
		{"config show Web --node nobody", 0, `maxconn 12`},
		{"config show None", 2, `there is no resource "None"`},
		{"config set Web", 2, `needs more words`},
	} {
		out, errOut, exit := w.runWith(strings.NewReader("global\n\tmaxconn 12\n"), "quorate", append([]string{"resource"}, strings.Fields(tt.words)...)...)
		if exit != tt.exit || !regexp.MustCompile(tt.want).MatchString(out+errOut) {
			t.Errorf("resource %s: exit %d, it says\n%s%s\nwant exit %d and\n%s", tt.words, exit, out, errOut, tt.exit, tt.want)
		}
	}
}
