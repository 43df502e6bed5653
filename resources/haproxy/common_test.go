package haproxy

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFilesAreComparedByWhatTheySay(t *testing.T) {
	x := newRig(t)
	file := filepath.Join(x.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte("# of this node\nglobal\n\n\tmaxconn 10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x.r.Parameters["conffile"] = file
	what, lines, err := x.Common(x.r)
	if want := []string{"global", "maxconn 10"}; what != file || !slices.Equal(lines, want) || err != nil {
		t.Errorf("compared: %q of %q, %v; want %q", lines, what, err, want)
	}
	x.r.Parameters = map[string]string{"config": "global\n"}
	if what, _, err := x.Common(x.r); what != "" || err != nil {
		t.Errorf("of a text in the cluster: %q, %v", what, err)
	}
}
