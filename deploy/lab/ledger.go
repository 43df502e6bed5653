package lab

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// A ledger knows what was written to a cluster's configuration and what became
// of it: every key's newest value that was acknowledged, and the values of
// commands that ended without an answer, which may have come to pass, then or
// later, or never.
type ledger struct {
	mu      sync.Mutex
	entries map[string]*entry
	done    int
	unknown int
}

type entry struct {
	acknowledged string
	possible     map[string]bool
}

func newLedger() *ledger { return &ledger{entries: map[string]*entry{}} }

// begin notes that a value is about to be written. One at a time of each key.
func (l *ledger) begin(key, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[key]
	if !ok {
		e = &entry{possible: map[string]bool{}}
		l.entries[key] = e
	}
	e.possible[value] = true
}

// end notes what the command said.
func (l *ledger) end(key, value string, acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !acknowledged {
		l.unknown++
		return
	}
	l.done++
	e := l.entries[key]
	e.acknowledged = value
	delete(e.possible, value)
}

// missing says which acknowledged values a node lost.
func (l *ledger) missing(node string, values map[string]string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost []string
	for _, key := range slices.Sorted(maps.Keys(l.entries)) {
		e, got := l.entries[key], values[key]
		if e.acknowledged != "" && got != e.acknowledged && !e.possible[got] {
			lost = append(lost, fmt.Sprintf("%s: %s is %q, and %q was acknowledged", node, key, got, e.acknowledged))
		}
	}
	return lost
}

func (l *ledger) counts() (done, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done, l.unknown
}
