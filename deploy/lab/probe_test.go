package lab

import (
	"bytes"
	"encoding/json"
	"testing"
)

// On a busy machine ten minutes have more than a thousand gaps.
func TestATallyOfAnyLengthIsRead(t *testing.T) {
	var said bytes.Buffer
	lines := json.NewEncoder(&said)
	for _, l := range []probeLine{{Ready: true}, {Tally: []Tally{{Kind: "icmp", Gaps: make([]Gap, 100_000)}}}} {
		if err := lines.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	var p Prober
	p.read(&said, make(chan struct{}), nil)
	if p.err != nil || len(p.tally) != 1 || len(p.tally[0].Gaps) != 100_000 {
		t.Errorf("read %d tallies, error %v; want the one of 100,000 gaps", len(p.tally), p.err)
	}
}
