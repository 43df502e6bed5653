package cib_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// seeds reads the CIBs in testdata, by name.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	var list [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// mutated returns a seed with some of its elements and attributes changed.
func mutated(t testing.TB, seed uint8, moves []byte) []byte {
	t.Helper()
	list := seeds(t)
	root := grow(t, list[int(seed)%len(list)])
	m := &mutator{moves: moves}
	m.mutate(root)
	var b bytes.Buffer
	root.write(&b)
	return b.Bytes()
}

// fuzzMoves seeds a fuzz test of mutated CIBs.
func fuzzMoves(f *testing.F) {
	f.Helper()
	for seed := range seeds(f) {
		f.Add(uint8(seed), []byte(nil))
		f.Add(uint8(seed), []byte("4 elements of many, changed by these words as they come"))
	}
}

// FuzzParse: whatever the bytes, they are a CIB or an error (S8).
func FuzzParse(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := cib.Parse(data)
		if (d == nil) == (err == nil) {
			t.Errorf("document %v, error %v", d, err)
		}
	})
}

// FuzzImport: whatever is wrong with a CIB, an import of it ends with a
// configuration and a report.
func FuzzImport(f *testing.F) {
	fuzzMoves(f)
	f.Fuzz(func(t *testing.T, seed uint8, moves []byte) {
		d, err := cib.Parse(mutated(t, seed, moves))
		if err != nil {
			return
		}
		trials := 0
		cfg, report, err := d.Configuration(func(*pb.Configuration) (string, error) {
			trials++
			if trials%3 == 0 {
				return "not this one", nil
			}
			return "", nil
		})
		if err != nil || cfg == nil || report == nil {
			t.Errorf("configuration %v, report %v, error %v", cfg, report, err)
		}
	})
}

// FuzzDecide: whatever is wrong with a CIB, the scheduler decides about it, and
// twice alike.
func FuzzDecide(f *testing.F) {
	fuzzMoves(f)
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, seed uint8, moves []byte) {
		d, err := cib.Parse(mutated(t, seed, moves))
		if err != nil {
			return
		}
		in, err := d.Input(noon)
		if err != nil {
			return
		}
		one, two := engine.Run(in), engine.Run(in)
		if !reflect.DeepEqual(one, two) {
			t.Errorf("decided differently:\n%+v\n%+v", one, two)
		}
	})
}
