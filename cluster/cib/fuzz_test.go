package cib_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// A seed is a CIB to be changed.
type seed struct {
	file string
	data []byte
	root *tree
}

func readSeed(file string) (seed, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return seed{}, err
	}
	root, err := grow(data)
	if err != nil {
		return seed{}, fmt.Errorf("%s: %w", file, err)
	}
	return seed{file, data, root}, nil
}

// readSeeds reads those in testdata once, by name: a fuzz test asks for them
// thousands of times a second.
var readSeeds = sync.OnceValues(func() ([]seed, error) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no seeds: %w", err)
	}
	var list []seed
	for _, file := range files {
		s, err := readSeed(file)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
})

func seeds(t testing.TB) []seed {
	t.Helper()
	list, err := readSeeds()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// mutated returns a seed with some of its elements and attributes changed.
func (s seed) mutated(moves []byte) []byte {
	root := copied(s.root)
	m := &mutator{moves: moves}
	m.mutate(root)
	var b bytes.Buffer
	root.write(&b)
	return b.Bytes()
}

func mutated(t testing.TB, which uint8, moves []byte) []byte {
	t.Helper()
	list := seeds(t)
	return list[int(which)%len(list)].mutated(moves)
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
	for _, s := range seeds(f) {
		f.Add(s.data)
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

// FuzzDecide: see [checkDecision].
func FuzzDecide(f *testing.F) {
	fuzzMoves(f)
	f.Fuzz(func(t *testing.T, seed uint8, moves []byte) { checkDecision(t, mutated(t, seed, moves)) })
}

var mutations = flag.Int("mutations", 1000, "`N` random changes of CIBs that are decided about")

// TestMutatedCIBsAreDecided does without the fuzzer's instruments, so ten times
// as fast, and changes the cases of the corpus too, where that is there.
func TestMutatedCIBsAreDecided(t *testing.T) {
	list := slices.Clone(seeds(t))
	for _, file := range corpusFiles() {
		s, err := readSeed(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.data) < 30_000 {
			list = append(list, s)
		}
	}
	random := rand.New(rand.NewPCG(1, uint64(*mutations)))
	for i := range *mutations {
		s := list[random.IntN(len(list))]
		moves := make([]byte, 10+random.IntN(200))
		for k := range moves {
			moves[k] = byte(random.Uint32())
		}
		checkDecision(t, s.mutated(moves))
		if t.Failed() {
			t.Fatalf("change %d of %d, of %s:\n%s", i, *mutations, s.file, s.mutated(moves))
		}
	}
}

// checkDecision: whatever is wrong with a CIB, the scheduler decides about it, in
// whatever order its nodes are, and nothing in the plan waits for itself.
func checkDecision(t *testing.T, data []byte) {
	t.Helper()
	d, err := cib.Parse(data)
	if err != nil {
		return
	}
	in, err := d.Input(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	if err != nil {
		return
	}
	trim(in.Resources)
	out := engine.Run(in)
	if named(in.Nodes) {
		slices.Reverse(in.Nodes)
	}
	if again := engine.Run(in); !reflect.DeepEqual(out, again) {
		t.Errorf("decided differently:\n%+v\n%+v", out, again)
	}
	for i, s := range out.Steps {
		if slices.ContainsFunc(s.After, func(k int) bool { return k >= i }) {
			t.Errorf("step %d waits for a later one: %+v", i, s)
		}
	}
	checkForecast(t, cib.Forecast(out))
	checkNext(t, in, out)
}

// checkNext: nothing changes by time alone before it is said to.
func checkNext(t *testing.T, in *engine.Input, out *engine.Outcome) {
	t.Helper()
	now := in.Now
	in.Now = now.AddDate(1, 0, 0)
	if !out.Next.IsZero() {
		in.Now = now.Add(out.Next.Sub(now) / 2)
	}
	later := engine.Run(in)
	later.Next = out.Next
	if !reflect.DeepEqual(out, later) {
		t.Errorf("decided at %v, with Next %v:\n%+v\nat %v:\n%+v", now, out.Next, out, in.Now, later)
	}
}

// trim keeps clones small: great ones only take time.
func trim(resources []engine.Resource) {
	for i := range resources {
		for _, b := range resources[i].Meta {
			for k, v := range b.Values {
				if v.Name == "clone-max" && len(v.Value) > 1 {
					b.Values[k].Value = "9"
				}
			}
		}
		trim(resources[i].Members)
	}
}

// named reports whether nodes have names and ids of their own: their order does
// not count then.
func named(nodes []engine.Node) bool {
	seen := make(map[string]bool)
	for _, n := range nodes {
		for _, word := range []string{"name " + strings.ToLower(n.Name), "id " + strings.ToLower(n.ID)} {
			if seen[word] {
				return false
			}
			seen[word] = true
		}
	}
	return true
}

// checkForecast: what starts or moves is in the end where it goes.
func checkForecast(t *testing.T, f *pb.Forecast) {
	t.Helper()
	places := make(map[string][]*pb.Place)
	for _, p := range f.GetPlacements() {
		places[p.GetResource()] = p.GetPlaces()
	}
	for _, a := range f.GetActions() {
		there := func(p *pb.Place) bool { return p.GetNode() == a.GetTo() }
		switch a.GetAction() {
		case "start", "move", "migrate":
			at := slices.Concat(places[a.GetResource()], places[a.GetInstance()]) // by number only if it is unique
			if !a.GetBlocked() && !slices.ContainsFunc(at, there) {
				t.Errorf("%v, and in the end it is at %v", a, at)
			}
		}
	}
}
