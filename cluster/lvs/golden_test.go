package lvs

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate/cluster/adoption"
	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

var goldens = []struct{ golden, format, files string }{
	{"tutorial", "ldirectord", "tutorial.cf"},
	{"many-ldirectord", "ldirectord", "many.cf"},
	{"pair", "keepalived", "lvsm=master.conf lvss=backup.conf"},
	{"alone", "keepalived", "=master.conf"},
	{"many-keepalived", "keepalived", "lvsm=many.conf"},
	{"track", "keepalived", "lvsm=track.conf"},
	{"generated", "keepalived", "lvsm=generated.conf"},
	{"mail", "keepalived", "lvsm=mail.conf"},
	{"nomail", "keepalived", "lvsm=nomail.conf"},
	{"mail-ldirectord", "ldirectord", "mail.cf"},
}

// members are the cluster's: two of a pair that are real servers too, a third that is
// none, and a witness.
var members = []*pb.Node{
	{Id: "3", Name: "db1", Addresses: []string{"192.168.10.40:7700"}},
	{Id: "1", Name: "lvsm", Addresses: []string{"192.168.10.31:7700"}},
	{Id: "2", Name: "lvss", Addresses: []string{"10.0.0.2:7700", "192.168.10.32:7700"}},
	{Id: "4", Name: "web1", Addresses: []string{"192.168.10.41:7700"}, Role: pb.Role_ROLE_WITNESS},
}

// What becomes of each configuration in testdata is in a .golden file beside it:
// what the directors balance, the rest of what is made, and the report.
func TestWhatBecomesOfAConfiguration(t *testing.T) {
	for _, tt := range goldens {
		t.Run(tt.golden, func(t *testing.T) {
			cfg, files, report := translated(t, tt.format, tt.files)
			complete(t, files, report)
			got := made(cfg) + "\n" + reportText(report)
			golden := filepath.Join("testdata", tt.golden+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s (-update writes it)\n got\n%s\nwant\n%s", golden, got, want)
			}
		})
	}
}

func translated(t *testing.T, format, words string) (*pb.Configuration, []*File, *adoption.Report) {
	t.Helper()
	var files []*File
	for _, word := range strings.Fields(words) {
		node, name, ok := strings.Cut(word, "=")
		if !ok {
			node, name = "", word
		}
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var f *File
		if format == "keepalived" {
			f, err = ParseKeepalived(node, name, data, nil)
		} else {
			f, err = ParseLdirectord(node, name, data)
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	var cfg *pb.Configuration
	var report *adoption.Report
	var err error
	if format == "keepalived" {
		cfg, report, err = Keepalived(files, &pb.Configuration{}, members, willing)
	} else {
		cfg, report, err = Ldirectord(files[0], &pb.Configuration{}, willing)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cfg, files, report
}

// made writes a configuration, short.
func made(c *pb.Configuration) string {
	var b strings.Builder
	for _, r := range c.Resources {
		fmt.Fprintf(&b, "resource %s %s", r.Id, r.Agent)
		for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
			if name != "config" {
				fmt.Fprintf(&b, " %s=%s", name, r.Parameters[name])
			}
		}
		b.WriteString("\n" + r.Parameters["config"])
	}
	for _, k := range c.Clones {
		fmt.Fprintf(&b, "clone %s: %s\n", k.Id, k.Member)
	}
	for _, g := range c.Groups {
		fmt.Fprintf(&b, "group %s: %s %v\n", g.Id, strings.Join(g.Members, " "), g.Meta)
	}
	for _, k := range c.Constraints {
		switch l, w, o := k.GetLocation(), k.GetColocation(), k.GetOrder(); {
		case l.GetScoreAttribute() != "":
			fmt.Fprintf(&b, "%s: %s by %s where %s\n", k.Id, l.Resource, l.ScoreAttribute, constraint.RuleText(l.Rule))
		case l.GetRule() != nil:
			fmt.Fprintf(&b, "%s: %s where %s %d\n", k.Id, l.Resource, constraint.RuleText(l.Rule), l.Score)
		case l != nil:
			fmt.Fprintf(&b, "%s: %s on %s %d\n", k.Id, l.Resource, l.Node, l.Score)
		case w != nil:
			fmt.Fprintf(&b, "%s: %s with %s %d\n", k.Id, w.Resource, w.With, w.Score)
		case o != nil:
			fmt.Fprintf(&b, "%s: %s then %s, %v\n", k.Id, o.First, o.Then, o.Kind)
		}
	}
	for _, a := range c.Alerts {
		fmt.Fprintf(&b, "alert %s %s %v of %v about %v %v\n", a.Id, a.Path, a.Options, a.Select, a.Resources, a.Meta)
		for _, r := range a.Recipients {
			fmt.Fprintf(&b, "    to %s\n", r.Value)
		}
	}
	return b.String()
}
