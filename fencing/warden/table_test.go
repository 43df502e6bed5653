package warden

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func newTable(t *testing.T) *table {
	t.Helper()
	table, err := openTable(filepath.Join(t.TempDir(), tableName))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTheLastWholeListIsReadWhateverBecomesOfTheWriter(t *testing.T) {
	table := newTable(t)
	buffer := make([]byte, slotSize)
	for i, list := range []string{"first", "second", "third"} {
		if err := table.write([]byte(list), int64(i+1)); err != nil {
			t.Fatal(err)
		}
		if got, number := table.read(buffer); string(got) != list || number != int64(i+1) {
			t.Errorf("read %q, number %d, want %q, %d", got, number, list, i+1)
		}
	}
	newest, _ := table.newest()
	table.slot(newest)[slotHead] ^= 1 // written in part
	if got, number := table.read(buffer); string(got) != "second" || number != 2 {
		t.Errorf("after half a write: read %q, number %d, want the one before", got, number)
	}
	if err := table.write(make([]byte, slotSize), 4); err == nil {
		t.Error("a list longer than a slot was written")
	}
}

func TestATableOfAnotherBootIsVoid(t *testing.T) {
	path := filepath.Join(t.TempDir(), tableName)
	for _, want := range []int64{0, 7, 0} {
		table, err := openTable(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.get(wordDeadline); got != want {
			t.Errorf("deadline %d, want %d", got, want)
		}
		table.set(wordDeadline, 7)
		if want == 7 {
			table.set(wordBoot, table.get(wordBoot)+1)
		}
	}
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	var want []record
	var list []byte
	for i := range 300 {
		r := record{
			stamp: int64(i), patience: time.Duration(i), grace: 2, watchdog: 3, kind: Kind(i % 5),
			name: fmt.Appendf(nil, "resource-%d", i), mark: fmt.Appendf(nil, "MARK=%d", i),
		}
		want = append(want, r)
		list = r.appendTo(list)
	}
	got := decode(list, make([]record, maxRecords))
	if !slices.EqualFunc(got, want, func(a, b record) bool {
		return a.same(&b) && a.patience == b.patience && a.grace == b.grace && a.watchdog == b.watchdog && string(a.name) == string(b.name)
	}) {
		t.Errorf("read %d records that differ from the %d written", len(got), len(want))
	}
	for n := range 400 { // none of these may end in a panic
		decode(list[:n], make([]record, 3))
	}
}

func TestMarksAreFoundWhole(t *testing.T) {
	tests := []struct {
		all, mark string
		want      bool
	}{
		{"A=1\x00B=2\x00C=3\x00", "A=1", true},
		{"A=1\x00B=2\x00C=3\x00", "B=2", true},
		{"A=1\x00B=2\x00C=3", "C=3", true},
		{"A=1\x00B=22\x00", "B=2", false},
		{"XB=2\x00YB=2\x00B=2\x00", "B=2", true},
		{"B=2 B=2\x00", "B=2", false},
		{"", "B=2", false},
		{"B=2\x00", "", false},
	}
	for _, tt := range tests {
		if got := holds([]byte(tt.all), []byte(tt.mark)); got != tt.want {
			t.Errorf("%q in %q: %v, want %v", tt.mark, tt.all, got, tt.want)
		}
	}
}

func TestAnAddressIsToldToTheKernelInItsOwnForm(t *testing.T) {
	for text, length := range map[string]int{"10.0.0.1/24@7": 12, "2001:db8::1/64@7": 24} {
		if mark, err := addressMark(text); err != nil || len(mark) != length {
			t.Errorf("%s: %d bytes, %v, want %d", text, len(mark), err, length)
		}
	}
	for _, text := range []string{"10.0.0.1@7", "10.0.0.1/24", "x/24@7", "10.0.0.1/24@-1"} {
		if _, err := addressMark(text); err == nil {
			t.Errorf("%s: taken", text)
		}
	}
}

// A warden must work when there is no memory to be had.
func TestTheWardensRoundAllocatesNothing(t *testing.T) {
	table := newTable(t)
	w, err := newWarden(table, Config{})
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{table: table, config: LinkConfig{Lease: func() (time.Duration, bool) { return 0, false }}}
	records, err := l.encode(Entry{Resource: "db", Traces: []Trace{
		{Environment, "MARK=nobody"}, {Argument, "nobody"}, {Cgroup, "/nobody.slice"}, {Descriptor, "/nobody"}, {Address, "192.0.2.1/32@9999"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(50, func() {
		if _, err := l.put(records); err != nil {
			t.Fatal(err)
		}
	})
	round := testing.AllocsPerRun(50, func() {
		w.number = 0       // the list is new
		w.execution.wake() // and nothing is waited for
		w.turn()
		<-w.execution.orders
		w.execution.execute()
		w.execution.reset()
	})
	t.Logf("a list is written with %v allocations, a round has %v", n, round)
	if round > 0 {
		t.Errorf("%v allocations in a round, want none", round)
	}
}
