package api

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// readers are agents that read a file of their node: what it says, by machine.
type readers struct {
	scripts
	says string // empty: it cannot be read
}

func (r readers) Find(name string) resources.Agent {
	if a, ok := r.scripts.Find(name).(*scriptAgent); ok {
		return &reader{a, r.says}
	}
	return nil
}

type reader struct {
	*scriptAgent
	says string
}

var _ resources.Comparer = (*reader)(nil)

func (r *reader) Common(*pb.Resource) (what string, lines []string, err error) {
	if r.says == "" {
		return "reader.cf", nil, errors.New("no such file")
	}
	return "reader.cf", strings.Split(r.says, "\n"), nil
}

func TestFilesThatDifferBetweenNodesAreNamedAtCreate(t *testing.T) {
	tests := []struct{ name, here, there, want string }{
		{"the same", "a\nb", "a\nb", ""},
		{"a line differs", "a\nb", "a\nc", `reader.cf is not the same on lvsm and lvss: only lvsm has "b", only lvss has "c"`},
		{"the order differs", "a\nb", "b\na", "reader.cf is not the same on lvsm and lvss: the same lines are in another order"},
		{"much differs", "a\nb\nc\nd\ne\nf", "a", `"e", and 1 more`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.boot("lvsm"), w.boot("lvss")
			a.kinds.Extend(readers{scripts{"script:reader": true}, tt.here})
			b.kinds.Extend(readers{scripts{"script:reader": true}, tt.there})
			a.setup(t, true, b)
			resp, err := a.change(t, create("x", "script:reader", map[string]string{"path": filepath.Join(t.TempDir(), "x")}))
			must(t, err)
			switch got := strings.Join(resp.Warnings, "; "); {
			case tt.want == "" && got != "":
				t.Errorf("warned %q", got)
			case !strings.Contains(got, tt.want):
				t.Errorf("warned %q, want %q", got, tt.want)
			}
		})
	}
}

func TestANodeThatWouldRefuseAResourceIsNamedAtCreate(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.kinds.Extend(readers{scripts{"script:reader": true}, "a"})
	b.kinds.Extend(readers{scripts{"script:reader": false}, "a"})
	a.setup(t, true, b)
	resp, err := a.change(t, create("x", "script:reader", map[string]string{"path": filepath.Join(t.TempDir(), "x")}))
	must(t, err)
	if want := "on lvss: agent: script:reader is not installed on this node"; len(resp.Warnings) != 1 || resp.Warnings[0] != want {
		t.Errorf("warned %q, want %q", resp.Warnings, want)
	}
}
