package scheduler

import (
	"strings"
	"testing"
)

// db is a promotable clone whose agent prefers n1, then n2.
const (
	scored = "n1 online master-db=10, n2 online master-db=5, n3 online master-db=5"
	dbs    = "; clone db-clone db promotable=true; "
)

func TestPromotablesArePlanned(t *testing.T) {
	checkPlans(t, []planCase{
		{"starts, and is promoted where it is worth most", scored + dbs + "db", "start db n1\nstart db n2\nstart db n3\npromote db n1\n"},
		{"is promoted once it runs", scored + dbs + "db on n1 on n2 on n3", "promote db n1\n"},
		{"rests when it is", scored + dbs + "db promoted n1 on n2 on n3", ""},
		{"rests while it is being promoted", scored + dbs + "db promoting n1 on n2 on n3", ""},
		{"moves to a better score", scored + dbs + "db on n1 promoted n2 on n3", "demote db n2\npromote db n1\n"},
		{"S4: waits for the demotion", scored + dbs + "db on n1 demoting n2 on n3", "promote db n1\n"},
		{"on several nodes", scored + "; clone db-clone db promotable=true promoted-max=2; db on n1 on n2 on n3", "promote db n1\npromote db n2\n"},
		{"not without a score", "n1 online, n2 online" + dbs + "db on n1 on n2", ""},
		{"nor on one that has none", "n1 online, n2 online master-db=1" + dbs + "db on n1 on n2", "promote db n2\n"},
		{"by a location on the role", "n1 online, n2 online" + dbs + `db on n1 on n2; constraint id:"l" location{resource:"db-clone" node:"n2" score:50 role:INSTANCE_ROLE_PROMOTED}`, "promote db n2\n"},
		{"not when nothing is to be", scored + dbs + "db target-role=Unpromoted promoted n1 on n2 on n3", "demote db n1\n"},
		{"nor when promoted-max is 0", scored + "; clone db-clone db promotable=true promoted-max=0; db promoted n1 on n2 on n3", "demote db n1\n"},
		{"is demoted before it stops", scored + dbs + "db target-role=Stopped promoted n1", "demote db n1\nstop db n1\n"},
		{"is demoted with the node's standby", strings.Replace(scored, "n1 online", "n1 standby", 1) + dbs + "db promoted n1 on n2 on n3", "demote db n1\nstop db n1\npromote db n2\n"},
		{"S4: waits for a node that is gone", strings.Replace(scored, "n1 online", "n1 gone", 1) + dbs + "db orphaned n1 on n2 on n3", "promote db n2\n"},
		{"is restarted as promoted", scored + dbs + "db failed-promoted n1 on n2 on n3", "stop db n1\nstart db n1\npromote db n1\n"},
		{"S4: another waits for the stop of what failed promoted", strings.Replace(scored, "n1 online", "n1 standby", 1) + dbs + "db failed-promoted n1 on n2 on n3", "stop db n1\npromote db n2\n"},
		{"S4: nothing is promoted while it is unknown whether another is", scored + dbs + "db on n1 unknown n2 on n3", "probe db n2\nstart db n2\npromote db n1\n"},
		{"takes over what it finds promoted", scored + dbs + "db found-promoted n1 on n2 on n3", "start db n1\npromote db n1\n"},
		{"does not interrupt a blocked one", scored + dbs + "db on n1 blocked n2 on n3", "promote db n1\n"},
		{"stays where it is for an equal score", strings.Replace(scored, "=10", "=5", 1) + dbs + "db on n1 on n2 promoted n3", ""},
		{"is kept by a failback policy", scored + dbs + "db on n1 promoted n2 on n3 failback=manual", ""},
		{"but not where it may not be promoted", "n1 online master-db=10, n2 online" + dbs + "db on n1 promoted n2 failback=manual", "demote db n2\npromote db n1\n"},
		{"is not planned in maintenance", strings.Replace(scored, "n1 online", "n1 maintenance", 1) + dbs + "db promoted n1 on n2 on n3", ""},
	})
}

func TestS4APromotionWaitsForItsPredecessor(t *testing.T) {
	for _, state := range []string{"demoting n2", "promoted n2", "failed-promoted n2", "unknown n2", "blocked n2 promoted n2"} {
		p := Schedule(parse(t, scored+dbs+"db on n1 on n3 "+state), noon)
		for _, s := range p.Ready() {
			if s.Kind == promote {
				t.Errorf("with db %s it is promoted at once: %s", state, p)
			}
		}
	}
}

func TestConstraintsOnRoles(t *testing.T) {
	const (
		vipWith  = `; constraint id:"c" colocation{resource:"vip" with:"db-clone" with_role:INSTANCE_ROLE_PROMOTED score:1000000}`
		vipAfter = `; constraint id:"o" order{first:"db-clone" first_action:ORDER_ACTION_PROMOTE then:"vip"}`
	)
	checkPlans(t, []planCase{
		{"runs with what is promoted, after it", scored + dbs + "db; vip" + vipWith + vipAfter, "start db n1\nstart db n2\nstart db n3\npromote db n1\nstart vip n1\n"},
		{"and moves with it", scored + dbs + "db on n1 promoted n2 on n3; vip on n2" + vipWith + vipAfter, "stop vip n2\ndemote db n2\npromote db n1\nstart vip n1\n"},
		{"or not at all", "n1 online, n2 online" + dbs + "db on n1 on n2; vip" + vipWith + vipAfter, ""},
		{"what is promoted follows", scored + dbs + `db on n1 on n2 on n3; vip on n2; constraint id:"c" colocation{resource:"db-clone" role:INSTANCE_ROLE_PROMOTED with:"vip" score:1000000}`, "promote db n2\n"},
		{"by a set", scored + dbs + `db on n1 on n2 on n3; vip on n2; constraint id:"c" colocation{score:1000000 sets{resources:"vip"} sets{resources:"db-clone" role:INSTANCE_ROLE_PROMOTED}}`, "stop vip n2\nstart vip n1\npromote db n1\n"},
		{"starts before the promotion", scored + dbs + `db on n1 on n2 on n3; disk; constraint id:"o" order{first:"disk" then:"db-clone" then_action:ORDER_ACTION_PROMOTE}`, "start disk n1\npromote db n1\n"},
		{"stops after the demotion", scored + dbs + `db promoted n1 on n2 on n3 target-role=Unpromoted; disk on n1 target-role=Stopped; constraint id:"o" order{first:"db-clone" first_action:ORDER_ACTION_DEMOTE then:"disk" then_action:ORDER_ACTION_STOP}`, "demote db n1\nstop disk n1\n"},
	})
}

func TestAGroupIsPromotedInItsOrder(t *testing.T) {
	const nodes = "n1 online master-a=10 master-b=10, n2 online"
	checkPlans(t, []planCase{
		{"promoted", nodes + "; clone g-clone g promotable=true; group g a b; a on n1 on n2; b on n1 on n2", "promote a n1\npromote b n1\n"},
		{"demoted", nodes + "; clone g-clone g promotable=true; group g a b; a promoted n1 on n2 target-role=Unpromoted; b promoted n1 on n2 target-role=Unpromoted", "demote b n1\ndemote a n1\n"},
	})
}

// What is to be promoted and cannot be yet says what it waits for (S6), also behind
// another one of its group.
func TestS6WhatWaitsToBePromotedSaysSo(t *testing.T) {
	const group = "n1 online master-r1=10 master-r2=10, n2 online master-r1=5 master-r2=5; clone cg g promotable=true; group g r1 r2; first blocked n2; "
	const after = `; constraint id:"o" order{first:"first" then:"cg" then_action:ORDER_ACTION_PROMOTE}`
	tests := []struct {
		name, state string
		want        map[string]string // by resource and node: of its sentence
	}{
		{"waits", group + "r1 on n1 on n2; r2 on n1 on n2" + after, map[string]string{
			"r1 n1": "promoted r1 waits for first, which must start before it (o)",
			"r2 n1": "promoted r2 waits for promoted r1, which must start before it (g)",
		}},
		{"is promoted", group + "r1 promoted n1 on n2; r2 promoted n1 on n2" + after, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, pl := range Schedule(parse(t, tt.state), noon).Placements {
				at := pl.Resource + " " + strings.TrimPrefix(pl.Instance, "id-")
				if said := strings.Join(pl.Blocked, "; "); pl.Resource != "first" && said != tt.want[at] {
					t.Errorf("%s: %q, want %q", at, said, tt.want[at])
				}
			}
		})
	}
}
