package node

import (
	"testing"
	"time"

	"quorate/cluster/consensus"
)

func TestTheClusterIsToldOnceThatADiskHangsAndThatItIsBack(t *testing.T) {
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		hangs time.Duration // for how long; 0: it does not
		known bool
		want  string // hangs, back, or nothing
	}{
		{"a healthy disk", 0, false, ""},
		{"a stall, as under load", diskNotice / 2, false, ""},
		{"a hang", diskNotice, false, "hangs"},
		{"a hang that is known", time.Hour, true, ""},
		{"a disk that is back, or hung before this start", 0, true, "back"},
	}
	for _, tt := range tests {
		var hang *consensus.HangError
		if tt.hangs > 0 {
			hang = &consensus.HangError{What: "a write of the log", Since: now.Add(-tt.hangs)}
		}
		got := ""
		if r := diskReport("a", hang, tt.known, now); r != nil {
			got = "back"
			if r.HangsSince != nil {
				got = "hangs"
			}
		}
		if got != tt.want {
			t.Errorf("%s: the cluster is told %q, want %q", tt.name, got, tt.want)
		}
	}
}
