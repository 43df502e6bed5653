package lvs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/adoption"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// corpus is a folder of real configurations: in $QUORATE_CORPUS, or in the folder
// beside the project.
func corpus(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("QUORATE_CORPUS")
	if dir == "" {
		dir = "../../../shared/corpus"
	}
	dir = filepath.Join(dir, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no samples to read: %v; set QUORATE_CORPUS to the folder that has them", err)
	}
	return dir
}

// willing is a cluster of the nodes lvsm and lvss whose agents take anything.
func willing(c *pb.Configuration) (string, error) {
	s := &pb.State{ClusterId: "c", Nodes: members}
	_, _, err := state.Step(s, 1, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
		Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: proto.CloneOf(c)}},
	}}}}})
	if err != nil {
		return err.Error(), nil
	}
	return "", nil
}

// complete checks that each directive has an entry, and each that is not taken a reason.
func complete(t testing.TB, files []*File, r *adoption.Report) {
	t.Helper()
	i := 0
	for _, f := range files {
		f.each(func(d *Directive) {
			if i >= len(r.Entries) {
				t.Fatalf("%s:%d has no entry", d.File, d.Line)
			}
			e := r.Entries[i]
			i++
			if e.File != d.File || e.Line != d.Line || e.Kind != d.Name() {
				t.Fatalf("entry %d is %+v, want that of %s:%d %q", i, e, d.File, d.Line, d.Name())
			}
			if e.Verdict != adoption.Taken && e.Note == "" {
				t.Errorf("%s:%d %s: %v without a reason", e.File, e.Line, e.Kind, e.Verdict)
			}
		})
	}
	if i != len(r.Entries) {
		t.Errorf("%d entries for %d directives", len(r.Entries), i)
	}
}

func TestEverySampleOfKeepalivedIsReadAndReportedOn(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join(corpus(t, "keepalived"), "keepalived.conf.*"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	for _, sample := range samples {
		t.Run(filepath.Base(sample), func(t *testing.T) {
			data, err := os.ReadFile(sample)
			if err != nil {
				t.Fatal(err)
			}
			f, err := ParseKeepalived("lvsm", filepath.Base(sample), data, nil)
			if err != nil {
				t.Fatal(err)
			}
			cfg, report, err := Keepalived([]*File{f}, &pb.Configuration{}, members, willing)
			if err != nil {
				t.Fatal(err)
			}
			complete(t, []*File{f}, report)
			reported(t, string(data), report)
			for _, e := range report.Entries {
				if e.Note == "it is not known here" {
					t.Errorf("%s:%d %s %s: %s", e.File, e.Line, e.Kind, e.ID, e.Note)
				}
			}
			if len(cfg.Resources) == 0 {
				t.Errorf("nothing was taken:\n%s", reportText(report))
			}
		})
	}
}

// reported checks that the lines of a text that say something are those that a report
// has entries for, read in a way of its own: without comments and lone braces.
func reported(t *testing.T, text string, r *adoption.Report) {
	t.Helper()
	has := make(map[int]bool)
	for _, e := range r.Entries {
		has[e.Line] = true
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		quoted, said := false, false
		for _, c := range line {
			if c == '"' {
				quoted = !quoted
			}
			if !quoted && (c == '#' || c == '!') {
				break
			}
			said = said || !strings.ContainsRune(" \t\r\n{}", c)
		}
		if said != has[n] {
			t.Errorf("line %d, %q: it says something: %v; it is in the report: %v", n, line, said, has[n])
		}
	}
}

func TestTheSampleOfLdirectordIsReadAndReportedOn(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(corpus(t, "ldirectord"), "ldirectord.cf"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseLdirectord("", "ldirectord.cf", data)
	if err != nil {
		t.Fatal(err)
	}
	cfg, report, err := Ldirectord(f, &pb.Configuration{}, willing)
	if err != nil {
		t.Fatal(err)
	}
	complete(t, []*File{f}, report)
	reported(t, string(data), report)
	const want = `virtual 192.168.6.240:80 scheduler=rr
    check http interval=1s timeout=3s rise=1 fall=1 port=80 path=/index.html host=www.x.y.z receive="Test Page"
    real 192.168.6.2:80 forward=direct
    real 192.168.6.3:80 forward=direct
    real 192.168.6.6:80 forward=direct
    sorry 127.0.0.1:80 forward=direct
`
	if got := directorOf(cfg); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The sample's services that are comments are as good a test as the one that is not.
func TestTheCommentedServicesOfTheSampleAreReadToo(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(corpus(t, "ldirectord"), "ldirectord.cf"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "#"); ok && (strings.HasPrefix(rest, "virtual") || strings.HasPrefix(rest, "\t")) {
			line = rest
		}
		b.WriteString(line)
	}
	f, err := ParseLdirectord("", "ldirectord.cf", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	cfg, report, err := Ldirectord(f, &pb.Configuration{}, willing)
	if err != nil {
		t.Fatal(err)
	}
	complete(t, []*File{f}, report)
	if n := strings.Count(directorOf(cfg), "virtual "); n < 12 {
		t.Errorf("%d services were taken:\n%s\n%s", n, directorOf(cfg), reportText(report))
	}
}

// directorOf is what the configuration's directors balance.
func directorOf(c *pb.Configuration) string {
	var b strings.Builder
	for _, r := range c.Resources {
		if r.Agent == directorAgent {
			b.WriteString(r.Parameters["config"])
		}
	}
	return b.String()
}

func reportText(r *adoption.Report) string {
	var b strings.Builder
	for _, e := range r.Entries {
		fmt.Fprintf(&b, "%d %s %s", e.Line, e.Verdict, strings.TrimSpace(e.Kind+" "+e.ID))
		if e.Note != "" {
			b.WriteString(": " + e.Note)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
