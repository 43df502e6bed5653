package lvs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	pb "quorate/proto/quorate/v1"
)

// taking is a cluster that takes anything, and costs nothing.
func taking(*pb.Configuration) (string, error) { return "", nil }

// refusing takes nothing, as one without the agents.
func refusing(*pb.Configuration) (string, error) { return "no", nil }

// seeds are files of testdata.
func seeds(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// Whatever the bytes, they are a configuration, of which no directive vanishes, or
// a syntax error with its place (S8).
func FuzzKeepalived(f *testing.F) {
	seeds(f, "*.conf")
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseKeepalived("lvsm", "k.conf", data, nil)
		if placed(t, err) {
			return
		}
		other, err := ParseKeepalived("lvss", "o.conf", data, nil)
		if placed(t, err) {
			return
		}
		for _, files := range [][]*File{{file}, {file, other}} {
			for _, try := range []func(*pb.Configuration) (string, error){taking, refusing} {
				_, report, err := Keepalived(files, &pb.Configuration{}, members, try)
				if err != nil {
					t.Fatal(err)
				}
				complete(t, files, report)
			}
		}
	})
}

func FuzzLdirectord(f *testing.F) {
	seeds(f, "*.cf")
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseLdirectord("", "l.cf", data)
		if placed(t, err) {
			return
		}
		for _, try := range []func(*pb.Configuration) (string, error){taking, refusing} {
			_, report, err := Ldirectord(file, &pb.Configuration{}, try)
			if err != nil {
				t.Fatal(err)
			}
			complete(t, []*File{file}, report)
		}
	})
}

// placed reports whether there is an error, which must be one with a place.
func placed(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[*SyntaxError](err); !ok || e.Line < 1 || e.Column < 1 {
		t.Fatalf("%#v has no place", err)
	}
	return true
}
