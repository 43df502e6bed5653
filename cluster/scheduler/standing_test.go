package scheduler

import (
	"strings"
	"testing"
	"time"
)

func TestAReturnWaitsForANodeToBeReady(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"back for a moment", "n1 up=5s, n2 online; db on n2 catch-up; db prefers n1=50", "db n2"},
		{"it has said that it is not ready", "n1 up=20s, n2 online; db on n2 catch-up standing=n1:5s; db prefers n1=50", "db n2"},
		{"ready", "n1 up=5s, n2 online; db on n2 catch-up standing=n1:ready; db prefers n1=50", "db n1"},
		{"it never is", "n1 up=30s, n2 online; db on n2 catch-up; db prefers n1=50", "db n1"},
		{"it was, and is not now", "n1 up=1h, n2 online; db on n2 catch-up standing=n1:29s; db prefers n1=50", "db n2"},
		{"nor for as long as it may take", "n1 up=1h, n2 online; db on n2 catch-up standing=n1:30s; db prefers n1=50", "db n1"},
		{"whatever the policy", "n1 up=5s, n2 online; db on n2 catch-up failback=auto; db prefers n1=50", "db n2"},
		{"what needs nothing does not wait", "n1 up=5s, n2 online; db on n2; db prefers n1=50", "db n1"},
		{"an operator's move waits", "n1 up=5s, n2 online; db on n2 catch-up move=n1", "db n2"},
		{"an operator's move of a ready node's", "n1 up=5s, n2 online; db on n2 catch-up standing=n1:ready move=n1", "db n1"},
		{"with its address", "n1 up=5s, n2 online; db on n2 catch-up; vip on n2; group g db vip; g prefers n1=50", "db n2, vip n2"},
		{"with a dependent that is preferred", "n1 up=5s, n2 online; db on n2 catch-up; vip on n2; vip with db INFINITY; vip prefers n1=50", "db n2, vip n2"},
		{"a move of its address", "n1 up=5s, n2 online; db on n2 catch-up; vip on n2 move=n1; group g db vip", "db n2, vip n2"},
		{"a move of its address, ready", "n1 up=5s, n2 online; db on n2 catch-up standing=n1:ready; vip on n2 move=n1; group g db vip", "db n1, vip n1"},
	})
}

func TestAFailoverNeverWaitsForANodeToBeReady(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"its node is gone", "n1 up=5s, n2 gone; db catch-up; db prefers n2=50", "db n1"},
		{"its node stops", "n1 up=5s, n2 stopped; db on n2 catch-up", "db n1"},
		{"standby", "n1 up=5s, n2 standby; db on n2 catch-up", "db n1"},
		{"an obstacle", "n1 up=5s, n2 online; db on n2 catch-up hindered n2", "db n1"},
		{"it failed too often", "n1 up=5s, n2 online; db on n2 catch-up migration-threshold=1 fails=n2:1", "db n1"},
		{"its address cannot be there", "n1 up=5s, n2 online; db on n2 catch-up; vip on n2 hindered n2; vip with db INFINITY", "db n1, vip n1"},
		{"it reaches nobody", "n1 up=5s reaches, n2 isolated; db on n2 catch-up", "db n1"},
		{"it runs nowhere", "n1 up=5s, n2 online; db catch-up; db prefers n1=50", "db n1"},
	})
}

func TestItIsSaidWhatAReturnWaitsForS6(t *testing.T) {
	for _, tt := range []struct{ name, state, want string }{
		{
			"a better node", "n1 up=5s, n2 online; db on n2 catch-up standing=n1:5s; db prefers n1=50",
			"n1 is not ready to take it over yet (it hears the open connections); it goes there as soon as it is, at 2026-01-01 12:00:25 at the latest",
		},
		{"a move", "n1 up=5s, n2 online; db on n2 catch-up move=n1", "n1 is not ready to take it over yet; it goes there as soon as it is"},
	} {
		p := Schedule(parse(t, tt.state), noon)
		if got := p.Placements[0].Reason(); !strings.HasPrefix(got, "db runs on n2: "+tt.want) {
			t.Errorf("%s: reason %q, want %q", tt.name, got, tt.want)
		}
		if len(p.Problems) != 1 || !strings.HasPrefix(p.Problems[0], "db stays on n2 for now: "+tt.want) {
			t.Errorf("%s: problems %q, want %q", tt.name, p.Problems, tt.want)
		}
		if want := noon.Add(25 * time.Second); !p.Next.Equal(want) {
			t.Errorf("%s: next at %v, want %v", tt.name, p.Next, want)
		}
	}
}
