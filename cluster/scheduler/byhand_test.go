package scheduler

import (
	"slices"
	"testing"
)

func TestS1WhatAPersonRunsIsLeftAlone(t *testing.T) {
	checkPlans(t, []planCase{
		{"it is not taken over", "n1 online, n2 online; db by-hand n2", ""},
		{"nor stopped although it is disabled", "n1 online, n2 online; db by-hand n2 target-role=Stopped", ""},
		{"nor moved", "n1 online, n2 online; db by-hand n2; db prefers n1=INFINITY n2=-INFINITY", ""},
		{"nor replaced when its node is gone", "n1 online, n2 gone; db by-hand n2", ""},
		{"what must run with it does", "n1 online, n2 online; db by-hand n2; web; web with db INFINITY", "start web n2\n"},
		{"of a clone the instance alone", "n1 online, n2 online; clone c db clone-max=2; db by-hand n2", "start db n1\n"},
		{"and it counts", "n1 online, n2 online; clone c db clone-max=1; db by-hand n2", ""},
	})
}

func TestWhatAPersonRunsIsToldWithTheWayBack(t *testing.T) {
	tests := []struct{ state, want string }{
		{"n1 online, n2 online; db by-hand n1", "db is left alone, as it is run by hand on n1: `quorate resource debug-stop db` there, or `quorate resource cleanup db`, gives it back"},
		{"n1 gone, n2 online; db by-hand n1", "db was run by hand on n1, which is gone: make sure that it does not run there, then run `quorate resource cleanup db`"},
	}
	for _, tt := range tests {
		if p := Schedule(parse(t, tt.state), noon); !slices.Contains(p.Problems, tt.want) {
			t.Errorf("%s\n got %q\nwant %q", tt.state, p.Problems, tt.want)
		}
	}
}
