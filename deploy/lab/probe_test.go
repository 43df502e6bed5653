package lab

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// What a busy machine answers late it does answer.
func TestOnlyWhatNobodyAnsweredIsSilence(t *testing.T) {
	for _, tt := range []struct {
		name    string
		gap     Gap
		silence time.Duration
		lasts   bool
	}{
		{"no gap", Gap{}, 0, false},
		{"an outage", Gap{To: time.Second, Lost: 500}, time.Second, false},
		{"an outage, and then a busy machine", Gap{To: 4 * time.Second, Lost: 2000, Late: 1500}, time.Second, false},
		{"an outage that lasts", Gap{To: time.Second, Lost: 500, Open: true}, time.Second, true},
		{"the last answers are late", Gap{To: time.Second, Lost: 500, Late: 500, Open: true}, 0, false},
		{"the last answer is not waited for", Gap{To: 150 * time.Millisecond, Lost: 1, Open: true}, 150 * time.Millisecond, false},
	} {
		if got := tt.gap.Silence(); got != tt.silence || tt.gap.lasts() != tt.lasts {
			t.Errorf("%s: silent for %v, want %v; lasts: %v, want %v", tt.name, got, tt.silence, tt.gap.lasts(), tt.lasts)
		}
	}
}

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
