package scheduler

import (
	"strings"
	"testing"
)

// A placeCase is a state and where things belong: "db n1, web -".
type placeCase struct{ name, state, want string }

func placesOf(p *Plan) string {
	var list []string
	for _, pl := range p.Placements {
		name := "-"
		if pl.Node != "" {
			name = p.names[pl.Node]
		}
		list = append(list, pl.Resource+" "+name)
	}
	return strings.Join(list, ", ")
}

func checkPlaces(t *testing.T, cases []placeCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			p := Schedule(parse(t, tt.state), noon)
			if got := placesOf(p); got != tt.want {
				t.Errorf("Schedule(%s)\n got %s\nwant %s\n%s", tt.state, got, tt.want, describe(p))
			}
		})
	}
}

func TestLocation(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"prefers", "n1 online, n2 online; db; db prefers n2=1", "db n2"},
		{"prefers the highest score", "n1 online, n2 online; db; db prefers n1=10 n2=20", "db n2"},
		{"adds up", "n1 online, n2 online; db; db prefers n1=10 n1=11 n2=20", "db n1"},
		{"avoids", "n1 online, n2 online; db; db prefers n1=-INFINITY", "db n2"},
		{"a negative score forbids", "n1 online; db; db prefers n1=-1", "db -"},
		{"-INFINITY beats INFINITY", "n1 online; db; db prefers n1=INFINITY n1=-INFINITY", "db -"},
		{"an unknown node is nobody's", "n1 online; db; db prefers n9=INFINITY", "db n1"},
		{"opt-in", "n1 online, n2 online; db; web; web prefers n2=0; property symmetric-cluster=false", "db -, web n2"},
		{"a group by its first member", "n1 online, n2 online; a; b; group g a b; g prefers n2=5", "a n2, b n2"},
		{"a member draws its group", "n1 online, n2 online; a; b; group g a b; b prefers n2=5", "a n2, b n2"},
	})
}

func TestStickiness(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"of the resource", "n1 online, n2 online; db on n2 resource-stickiness=10; db prefers n1=10", "db n2"},
		{"is outweighed", "n1 online, n2 online; db on n2 resource-stickiness=10; db prefers n1=11", "db n1"},
		{"of the defaults", "n1 online, n2 online; db on n2; db prefers n1=10; default resource-stickiness=10", "db n2"},
		{"of the group", "n1 online, n2 online; a on n2; group g a resource-stickiness=10; a prefers n1=10; default resource-stickiness=1", "a n2"},
		{"of a group's members adds up", "n1 online, n2 online; a on n2; b on n2; group g a b resource-stickiness=6; a prefers n1=11", "a n2, b n2"},
		{"without any, scores decide", "n1 online, n2 online; db on n2; db prefers n1=1", "db n1"},
		{"without any, equals stay", "n1 online, n2 online; a on n2; b on n2; c on n2", "a n2, b n2, c n2"},
		{"lasts over a restart", "n1 online, n2 online; db ran n2 resource-stickiness=10; db prefers n1=5", "db n2"},
		{"not over the loss of its node", "n1 online, n2 gone, n3 online; db ran n2 resource-stickiness=10; db prefers n3=5", "db n3"},
	})
}

func TestColocation(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"together", "n1 online, n2 online; web; vip; web with vip INFINITY", "vip n1, web n1"},
		{"the dependent's wish counts for the primary", "n1 online, n2 online; vip; web; web with vip INFINITY; web prefers n2=50", "vip n2, web n2"},
		{"through a chain", "n1 online, n2 online; a; b; c; b with a INFINITY; c with b INFINITY; c prefers n2=50", "a n2, b n2, c n2"},
		{"the dependent's ban counts for the primary", "n1 online, n2 online; vip; web; web with vip INFINITY; web prefers n1=-INFINITY", "vip n2, web n2"},
		{"but not if it leaves no node", "n1 online; vip; web; web with vip INFINITY; web prefers n1=-INFINITY", "vip n1, web -"},
		{"the primary's ban binds the dependent", "n1 online; vip; web; web with vip INFINITY; vip prefers n1=-INFINITY", "vip -, web -"},
		{"a disabled primary takes the dependent along", "n1 online; vip target-role=Stopped; web; web with vip INFINITY", "vip -, web -"},
		{"a disabled dependent has no wishes", "n1 online, n2 online; vip; web target-role=Stopped; web with vip INFINITY; web prefers n2=50", "vip n1, web -"},
		{"apart", "n1 online, n2 online; a; b; b with a -INFINITY", "a n1, b n2"},
		{"apart, or not at all", "n1 online; a; b; b with a -INFINITY", "a n1, b -"},
		{"rather apart", "n1 online, n2 online; a; b; b with a -10; b prefers n1=5", "a n2, b n1"},
		{"rather apart, but rather at all", "n1 online; a; b; b with a -10", "a n1, b n1"},
		{"rather together", "n1 online, n2 online; a on n1; b on n2; b with a 10", "a n1, b n1"},
		{"rather together, but rather stays", "n1 online, n2 online; a on n1; b on n2 resource-stickiness=11; b with a 10; a prefers n1=100", "a n1, b n2"},
		{"with a group: with all of it", "n1 online, n2 online; a; b target-role=Stopped; web; group g a b; web with g INFINITY", "a n1, b -, web -"},
		{"a group with another", "n1 online, n2 online; a; b; vip; group g a b; g with vip INFINITY; vip prefers n2=1", "a n2, b n2, vip n2"},
		{"in a circle", "n1 online, n2 online; a; b; a with b INFINITY; b with a INFINITY; b prefers n2=1", "a n2, b n2"},
		{"a weak wish is not lost", "n1 online, n2 online; a; b; b with a 1; b prefers n2=1", "a n2, b n2"},
	})
}

func TestGroups(t *testing.T) {
	checkPlans(t, []planCase{
		{"start in order", "n1 online; b; a; c; group g c a b", "start c n1\nstart a n1\nstart b n1\n"},
		{"stop in reverse", "n1 standby; a on n1; b on n1; group g b a", "stop a n1\nstop b n1\n"},
		{"move as one", "n1 standby, n2 online; a on n1; b on n1; group g a b", "stop b n1\nstop a n1\nstart a n2\nstart b n2\n"},
		{"those after a failed one restart", "n1 online; a on n1; b failed n1; c on n1; group g a b c", "stop c n1\nstop b n1\nstart b n1\nstart c n1\n"},
		{"those after a disabled one stop", "n1 online; a on n1; b on n1 target-role=Stopped; c on n1; group g a b c", "stop c n1\nstop b n1\n"},
		{"what only has to be taken over restarts nobody", "n1 online; a found n1; b on n1; group g a b", "start a n1\n"},
	})
}

func TestOrder(t *testing.T) {
	checkPlans(t, []planCase{
		{"starts after", "n1 online; vip; web; web with vip INFINITY; vip then web", "start vip n1\nstart web n1\n"},
		{"stops before", "n1 standby, n2 online; vip on n1; web on n1; web with vip INFINITY; vip then web",
			"stop web n1\nstop vip n1\nstart vip n2\nstart web n2\n"},
		{"restarts with", "n1 online; vip failed n1; web on n1; vip then web", "stop web n1\nstop vip n1\nstart vip n1\nstart web n1\n"},
		{"restarts when the first starts", "n1 online; vip; web on n1; vip then web", "start vip n1\nstop web n1\nstart web n1\n"},
		{"mandatory: not without", "n1 online; vip target-role=Stopped; web on n1; vip then web", "stop web n1\n"},
		{"optional: also without", "n1 online; vip target-role=Stopped; web; vip then web optional", "start web n1\n"},
		{"optional: in order", "n1 online; b; a; b then a optional", "start b n1\nstart a n1\n"},
		{"optional: does not restart", "n1 online; vip failed n1; web on n1; vip then web optional", "stop vip n1\nstart vip n1\n"},
		{"asymmetrical: starts after", "n1 online; b; a; b then a asymmetrical", "start b n1\nstart a n1\n"},
		{"asymmetrical: stops in any order", "n1 standby; b on n1; a on n1; b then a asymmetrical", "stop a n1\nstop b n1\n"},
		{"asymmetrical: goes on without", "n1 online; vip on n1 target-role=Stopped; web on n1; vip then web asymmetrical", "stop vip n1\n"},
		{"asymmetrical: does not start without", "n1 online; vip target-role=Stopped; web; vip then web asymmetrical", ""},
		{"waits for what cannot start yet", "n1 online, n2 gone; vip orphaned n2; web; vip then web", ""},
		{"of groups", "n1 online; a; b; c; d; group g c d; group h a b; g then h", "start c n1\nstart d n1\nstart a n1\nstart b n1\n"},
		{"colocation alone is no order", "n1 online; vip; web; vip with web INFINITY", "start vip n1\nstart web n1\n"},
		{"room is made first", "n1 online, n2 standby; a on n2 priority=5; b on n1; a with b -INFINITY; a prefers n1=INFINITY; b prefers n2=1",
			"stop a n2\n"},
		{"a primary that cannot start yet holds its dependent", "n1 online, n2 gone; vip orphaned n2; web; web with vip INFINITY", ""},
	})
}

func TestStartsThatDoNotWaitForEachOther(t *testing.T) {
	for _, tt := range []struct{ name, state, ready string }{
		{"no constraint", "n1 online; a; b", "start a n1\nstart b n1\n"},
		{"an order", "n1 online; a; b; b then a", "start b n1\n"},
		{"serialize", "n1 online; a; b; b then a serialize", "start a n1\n"},
		{"serialize with what is under way", "n1 online; a; b starting n1; b then a serialize", ""},
		{"room must be made", "n1 online, n2 online; a; b on n1 priority=5; a prefers n1=INFINITY; b prefers n2=1; b with a -INFINITY", "stop b n1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ready(Schedule(parse(t, tt.state), noon)); got != tt.ready {
				t.Errorf("Schedule(%s).Ready()\n got %q\nwant %q", tt.state, got, tt.ready)
			}
		})
	}
}

func TestPriority(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"the higher one gets the place", "n1 online; a; b priority=10; a with b -INFINITY", "a -, b n1"},
		{"a primary comes before its dependent all the same", "n1 online; a; b priority=10; b with a -INFINITY", "a n1, b -"},
	})
}

func TestFailures(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"below the threshold", "n1 online, n2 online; db on n1 migration-threshold=3 fails=n1:2", "db n1"},
		{"at the threshold", "n1 online, n2 online; db on n1 migration-threshold=3 fails=n1:3", "db n2"},
		{"on all nodes", "n1 online, n2 online; db migration-threshold=1 fails=n1:1 fails=n2:1", "db -"},
		{"a failed start is fatal", "n1 online, n2 online; db failed n1 fails=n1:1000000", "db n2"},
		{"a threshold of zero never bans", "n1 online, n2 online; db failed n1 migration-threshold=0 fails=n1:1000000", "db n1"},
		{"an expired failure counts for nothing", "n1 online, n2 online; db on n1 migration-threshold=1 failure-timeout=60s fails=n1:1:60s", "db n1"},
		{"a hard error bans at once", "n1 online, n2 online; db banned n1", "db n2"},
		{"whatever the threshold", "n1 online, n2 online; db banned n1 migration-threshold=0", "db n2"},
		{"a fatal one everywhere", "n1 online, n2 online; db fatal n1", "db -"},
		{"until it has expired", "n1 online; db fatal n1 failure-timeout=60s", "db n1"},
		{"one that has not expired does", "n1 online, n2 online; db on n1 migration-threshold=1 failure-timeout=60s fails=n1:1:59s", "db n2"},
		{"a member's failures move its group", "n1 online, n2 online; a on n1; b on n1 migration-threshold=1 fails=n1:1; group g a b", "a n2, b n2"},
	})
}

func TestMoves(t *testing.T) {
	checkPlaces(t, []placeCase{
		{"goes there", "n1 online, n2 online; db on n2 resource-stickiness=INFINITY move=n1", "db n1"},
		{"whatever the preference", "n1 online, n2 online; db on n2 move=n1; db prefers n2=INFINITY", "db n1"},
		{"is ignored while the node cannot host", "n1 standby, n2 online; db on n2 move=n1", "db n2"},
		{"does not override a ban", "n1 online, n2 online; db on n2 move=n1; db prefers n1=-INFINITY", "db n2"},
		{"drags the primary", "n1 online, n2 online; vip on n2; web on n2 move=n1; web with vip INFINITY; default resource-stickiness=INFINITY", "vip n1, web n1"},
		{"makes room where something must run apart", "n1 online, n2 online; a on n2 move=n1; b on n1; a with b -INFINITY; default resource-stickiness=1", "a n1, b n2"},
		{"takes the dependent along", "n1 online, n2 online; vip on n2 move=n1; web on n2; web with vip INFINITY; default failback=manual", "vip n1, web n1"},
		{"not where the dependent may not be", "n1 online, n2 online; vip on n2 move=n1; web on n2; web with vip INFINITY; web prefers n1=-INFINITY", "vip n2, web n2"},
	})
}
