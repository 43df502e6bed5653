package ipvs

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// plainly reads a file that is in a director's words already, and moves its lines
// down by ten.
func plainly(_ string, data []byte) (*Translation, error) {
	t := &Translation{Text: string(data), Reload: true, Notes: []string{"f:1: logfile: not taken"}}
	for i := range strings.Count(t.Text, "\n") + 1 {
		t.Lines = append(t.Lines, i+11)
	}
	return t, nil
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "director.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAConfigurationHasOneSource(t *testing.T) {
	a := New(Config{RunDir: t.TempDir(), Ldirectord: plainly})
	good := written(t, "virtual 10.0.0.1:80\nreal 10.0.0.21\n")
	tests := []struct {
		name, agent string
		parameters  map[string]string
		parameter   string // that is wrong; empty: none
		want        string // in the error, or of what is served
	}{
		{"a text", "ipvs", map[string]string{"config": "virtual 10.0.0.1:80; real 10.0.0.21"}, "", "line 1"},
		{"a file", "ipvs", map[string]string{"conffile": good}, "", "line 1"},
		{"ldirectord's file", "ocf:heartbeat:ldirectord", map[string]string{"configfile": good}, "", "line 11"},
		{"as old pcs writes the name", "ocf::heartbeat:ldirectord", map[string]string{"configfile": good, "ldirectord": "/usr/sbin/ldirectord"}, "", "line 11"},
		{"none", "ipvs", nil, "config", "is missing"},
		{"two", "ipvs", map[string]string{"config": "x", "configfile": good}, "config", "is given together with configfile"},
		{"ldirectord's, where it looks for it", "ocf:heartbeat:ldirectord", nil, "configfile", "open /etc/ha.d/ldirectord.cf: no such file or directory; put the file on every node"},
		{"a file that is not there", "ipvs", map[string]string{"conffile": good + "x"}, "conffile", "no such file"},
		{"a folder", "ipvs", map[string]string{"configfile": filepath.Dir(good)}, "configfile", "is a directory"},
		{"a file without a service", "ipvs", map[string]string{"conffile": written(t, "# nothing")}, "conffile", "names no virtual service"},
		{"a file that is wrong", "ipvs", map[string]string{"conffile": written(t, "virtual 10.0.0.1:80\nreel 10.0.0.2")}, "conffile", "line 2: \"reel\" is no statement"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := a.parse(&pb.Resource{Id: "web", Agent: tt.agent, Parameters: tt.parameters})
			wrong, ok := errors.AsType[*resources.ParameterError](err)
			switch {
			case tt.parameter == "" && err != nil:
				t.Fatal(err)
			case tt.parameter == "":
				if got := wrongLine(s.config.Virtuals[0].Line, "", "").Error(); !strings.HasPrefix(got, tt.want+":") {
					t.Errorf("the service is in %s, want %s", got, tt.want)
				}
			case !ok || wrong.Parameter != tt.parameter || !strings.Contains(err.Error(), tt.want):
				t.Errorf("got %v, want %s: %q", err, tt.parameter, tt.want)
			}
		})
	}
}

func TestFilesAreComparedByWhatTheyMean(t *testing.T) {
	a := New(Config{RunDir: t.TempDir(), Ldirectord: plainly})
	lines := func(text string) []string {
		what, lines, err := a.Common(&pb.Resource{Agent: "ipvs", Parameters: map[string]string{"conffile": written(t, text)}})
		if err != nil || !strings.HasSuffix(what, "director.conf") {
			t.Fatal(what, err)
		}
		return lines
	}
	one := lines("# of lvsm\nvirtual 10.0.0.1:80; check mysql login=a password=secret request=\"SELECT 1\"\n  real 10.0.0.21")
	same := lines("virtual   10.0.0.1:80\n    check mysql login=a password='secret' request='SELECT 1'   # the same\n\treal 10.0.0.21\n")
	if !slices.Equal(one, same) || len(one) != 3 {
		t.Errorf("%q and %q differ", one, same)
	}
	other := lines("virtual 10.0.0.1:80\ncheck mysql login=a password=Secret request='SELECT 1'\nreal 10.0.0.21")
	if slices.Equal(one, other) || strings.Contains(strings.Join(other, ""), "Secret") {
		t.Errorf("%q and %q: want a difference, and no password", one, other)
	}
	if what, _, err := a.Common(resource("virtual 10.0.0.1:80; real 10.0.0.21")); what != "" || err != nil {
		t.Errorf("a text of the cluster's is compared: %q, %v", what, err)
	}
}

// TestAnEditedFileIsTakenOverIfItSaysSo is ldirectord's autoreload.
func TestAnEditedFileIsTakenOverIfItSaysSo(t *testing.T) {
	k := onKernel(t)
	path := written(t, "virtual 10.0.0.1:80 scheduler=rr\nreal 10.0.0.21\n")
	d := newDirector(t.TempDir())
	d.ldirectord = plainly
	r := &pb.Resource{Id: "web", Agent: "ocf:heartbeat:ldirectord", Parameters: map[string]string{"configfile": path}}
	notes, err := d.Validate(t.Context(), r)
	if err != nil || !slices.Contains(notes, "f:1: logfile: not taken") {
		t.Errorf("validate: %q, %v", notes, err)
	}
	try(t, d.Start(t.Context(), r))
	watching(t, d, r)
	rewrite := func(text string) {
		t.Helper()
		try(t, os.WriteFile(path+".new", []byte(text), 0o600))
		try(t, os.Rename(path+".new", path))
	}
	rewrite("virtual 10.0.0.1:80 scheduler=rr\nreal 10.0.0.22\nvirtual 10.0.0.2:80; real 10.0.0.22\n")
	eventually(t, k, "tcp 10.0.0.1:80 rr\n  10.0.0.22:80 nat 1\ntcp 10.0.0.2:80 wlc\n  10.0.0.22:80 nat 1\n")
	rewrite("virtual 10.0.0.1:80\nreel 10.0.0.23\n") // changes nothing
	rewrite("virtual 10.0.0.1:80 scheduler=rr\nreal 10.0.0.23\n")
	eventually(t, k, "tcp 10.0.0.1:80 rr\n  10.0.0.23:80 nat 1\n")
	try(t, os.Remove(path))
	try(t, d.Stop(t.Context(), r)) // what is its own is in the record
	if got := readAll(t, k); got != "" {
		t.Errorf("after the stop the table is\n%s", got)
	}
	if names := slices.Collect(maps.Keys(d.names)); len(names) > 0 {
		t.Errorf("services are still claimed: %v", names)
	}
}
