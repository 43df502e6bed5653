package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"google.golang.org/grpc/codes"

	pb "quorate/proto/quorate/v1"
)

var update = flag.Bool("update", false, "write the scripts' outputs anew")

// compact writes a message as one line that is the same in every build.
func compact(m proto.Message) string {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return err.Error()
	}
	return b.String()
}

// Scripts are command lines, after a $, and what they print: stderr after "! ",
// what the agent was asked after "> " and the exit status unless it is 0. A line
// after % changes the world; the first may be "% cluster NODE NODE …".
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(data) {
				t.Errorf("%s (-update writes it)\n%s", file, difference(string(data), got))
			}
		})
	}
}

// difference shows the first line that differs, and what led to it.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n got %s\nwant %s\nafter\n%s", i+1, b, a, strings.Join(g[max(0, i-5):min(i, len(g))], "\n"))
		}
	}
	return ""
}

// play runs the commands of a script and returns it with what they print now.
func play(t *testing.T, script string) string {
	t.Helper()
	var b strings.Builder
	w := newWorld(t)
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "$ "):
			fmt.Fprintln(&b, line)
			w.perform(&b, line[2:])
		case strings.HasPrefix(line, "% "):
			fmt.Fprintln(&b, line)
			w.alter(t, strings.Fields(line[2:]))
		case strings.HasPrefix(line, "#") || line == "":
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// perform runs one command line and writes what came of it.
func (w *world) perform(b *strings.Builder, line string) {
	words := shellWords(line)
	out, errOut, exit := w.run(words[0], words[1:]...)
	for _, asked := range w.asked {
		fmt.Fprintln(b, "> "+asked)
	}
	w.asked = nil
	for text := range strings.Lines(out) {
		if text = strings.TrimRight(text, "\n"); text == "" {
			text = "."
		}
		fmt.Fprintln(b, "  "+text)
	}
	for text := range strings.Lines(errOut) {
		fmt.Fprintln(b, "! "+strings.TrimRight(text, "\n"))
	}
	if exit != 0 {
		fmt.Fprintf(b, "exit %d\n", exit)
	}
}

// alter changes the world as a % line says.
func (w *world) alter(t *testing.T, words []string) {
	t.Helper()
	switch words[0] {
	case "cluster":
		w.found("web", words[1:]...)
	case "servers":
		w.balances = balances(t)
	case "stuck":
		w.stuck[words[1]] = strings.Join(words[2:], " ")
	case "mended":
		delete(w.stuck, words[1])
	case "refuse": // CODE REASON FIELD text
		var code codes.Code
		if err := json.Unmarshal([]byte(`"`+words[1]+`"`), &code); err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		w.refusals = append(w.refusals, refusal(code, words[2], strings.Join(words[4:], " "), map[string]string{"field": strings.Trim(words[3], "-")}))
	default:
		t.Fatalf("unknown line %% %s", strings.Join(words, " "))
	}
}

// shellWords splits a line as a shell does, without any expansion.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ':
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}

// balances are those of a director with two servers, the first with connections.
func balances(t *testing.T) []*pb.BalanceStatus {
	t.Helper()
	list := new(pb.ListServersResponse)
	if err := prototext.Unmarshal([]byte(`balances{resource:"lb" node:"lvsm" running:true services{name:"tcp 192.0.2.10:80" scheduler:"rr" counts{servers:2 up:1 drained:1 active:2}
		servers{name:"10.0.0.21:80" address:"10.0.0.21:80" state:SERVER_STATE_DRAINED active:2 open:2 configured_weight:1}
		servers{name:"10.0.0.22:80" address:"10.0.0.22:80" state:SERVER_STATE_UP weight:1 configured_weight:1
			checks{check:"tcp" result:"up" latency{nanos:1200000}}}}}`), list); err != nil {
		t.Fatal(err)
	}
	return list.GetBalances()
}
