// Package cluster_test guards how the folders may depend on each other.
package cluster_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// order lists the folders from top to bottom: a folder may import only those
// below it. A trailing slash means each package below that folder; such
// siblings do not import each other.
var order = []string{
	"cmd/quorate",
	"deploy/",
	"cluster/simulation",
	"cluster/node",
	"cluster/dashboard",
	"cluster/api",
	"cluster/controller",
	"cluster/forecast",
	"cluster/cib",
	"cluster/lvs",
	"cluster/adoption",
	"cluster/scheduler",
	"cluster/scheduler/engine",
	"cluster/pair",
	"cluster/lease",
	"cluster/executor",
	"fencing/warden",
	"fencing/",
	"resources/",
	"resources/check",
	"resources/internal/sysctl",
	"resources",
	"cluster/state",
	"cluster/alert",
	"fencing",
	"cluster/consensus",
	"cluster/membership",
	"cluster/reach",
	"cluster/transport",
	"cluster/fork",
	"cluster/identity",
	"cluster/calendar",
	"cluster/constraint",
	"cluster/clock",
	"proto/quorate/v1",
}

// pure lists the folders that may import nothing of ours but these.
var pure = map[string][]string{
	"cluster/scheduler":        {"proto/quorate/v1", "cluster/calendar", "cluster/constraint", "cluster/scheduler/engine"},
	"cluster/scheduler/engine": {"cluster/calendar"},
	"cluster/calendar":         {},
	"cluster/constraint":       {"proto/quorate/v1"},
	"fencing":                  {"proto/quorate/v1"},
	"cluster/alert":            {"proto/quorate/v1"},
	"cluster/fork":             {"proto/quorate/v1", "cluster/constraint"},
	"proto/quorate/v1":         {},
}

func TestImportsRunDownTheList(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		seen++
		from := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(file), "../"))
		for _, to := range importsOf(t, file) {
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s imports %s: %s", strings.TrimPrefix(file, "../"), to, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("looked at %d files only: the walk is broken", seen)
	}
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, spec := range parsed.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if ours, ok := strings.CutPrefix(p, "quorate/"); ok {
			list = append(list, ours)
		}
	}
	return list
}

// forbidden says why from may not import to, or nothing.
func forbidden(from, to string) string {
	if strings.HasPrefix(to, from+"/") && rank(to) == rank(from) {
		return "" // a part of its own
	}
	if only, ok := pure[from]; ok {
		for _, p := range only {
			if p == to {
				return ""
			}
		}
		return from + " is pure"
	}
	a, b := rank(from), rank(to)
	switch {
	case a < 0:
		return "folder " + from + " is not in the list of cluster/imports_test.go"
	case b < 0:
		return "folder " + to + " is not in the list of cluster/imports_test.go"
	case a == b && path.Dir(from) == path.Dir(to):
		return "siblings do not import each other"
	case a > b:
		return "imports run down the list only"
	}
	return ""
}

// rank is the place of a folder in the list; a folder inside a listed one counts as that one.
func rank(folder string) int {
	best, at := -1, -1
	for i, p := range order {
		if folder == p || strings.HasPrefix(folder, strings.TrimSuffix(p, "/")+"/") {
			if len(p) > best {
				best, at = len(p), i
			}
		}
	}
	return at
}
