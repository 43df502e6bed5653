package lab

import (
	"testing"
	"time"
)

// TestE2EPairTutorial types a tutorial for two nodes word for word, and switches
// either of them off. The one that returns rejoins by itself, and knows what was
// changed while it was away.
func TestE2EPairTutorial(t *testing.T) {
	s := newScene(t, "lvsm", "lvss")
	s.play(`
		lvsm# pcs cluster auth lvsm lvss -u hacluster -p secret
		lvsm# pcs cluster setup --name auth_cluster lvsm lvss
		lvsm# pcs cluster start --all
		lvsm# pcs property set stonith-enabled=false
		lvsm# pcs property set no-quorum-policy=ignore
		lvsm# pcs resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP cidr_netmask=32 op monitor interval=30s
		all on lvsm
	`)
	s.eventually("lvsm", "pcs quorum status", "lvsm and lvss hear each other. Either may fail")
	s.play(`
		power-off lvsm
		all on lvss
		lvss# pcs quorum status
		says lvss has gone on alone
		lvss# pcs resource defaults resource-stickiness=100
		heal lvsm
		all on lvss
		lvsm# pcs resource defaults
		says resource-stickiness=100
	`)
	s.together("lvsm", "lvss")
	s.play(`
		power-off lvss
		all on lvsm
		heal lvss
		all on lvsm
	`)
	s.together("lvsm", "lvss")
}

// TestE2EPairOfTwoNeverServesTwice has the owner die in three ways. The other
// asks the network before it takes the address, and the kernel of the first has
// let go of it by then.
func TestE2EPairOfTwoNeverServesTwice(t *testing.T) {
	s := newScene(t, "lvsm", "lvss")
	s.formAs(Pair)
	q, err := newQuorate(t.Context(), s.cluster, Pair)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		task
		runs int
	}{
		{task{Event: EventPowerOff}, 3},
		{task{Event: EventKill}, 2},
		{task{Event: EventFreeze, Hold: 3 * time.Second}, 1},
	} {
		r, err := bench(t.Context(), s.Lab, q, tt.task, tt.runs, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Double != 0 || r.Shared != 0 {
			t.Errorf("%s: two nodes answered for %v ms, and two served the address for %v ms: %+v", tt.Event, r.Double, r.Shared, r)
		}
		t.Logf("%s: gaps of %v ms, %v at most: %+v", tt.Event, r.Median, r.Max, r.Runs)
	}
}

// TestE2EPairHealsASplit cuts all that is between two nodes that have no ping
// target, so that both go on alone, and has the configuration changed on either
// side. One state survives, by itself; what the other had is told and archived.
func TestE2EPairHealsASplit(t *testing.T) {
	s := newScene(t, "lvsm", "lvss")
	s.play(`
		lvsm# pcs cluster auth lvsm lvss -u hacluster -p secret
		lvsm# pcs cluster setup --name auth_cluster lvsm lvss
		lvsm# pcs cluster start --all
		lvsm# pcs property set no-quorum-policy=ignore
		lvsm# pcs node attribute lvsm priority=10
		lvsm# pcs resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP cidr_netmask=32 op monitor interval=30s
		all on lvsm

		cut lvss
		lvss# until pcs quorum status | grep -q "lvss has gone on alone"; do sleep 0.1; done
		lvsm# until pcs quorum status | grep -q "lvsm has gone on alone"; do sleep 0.1; done
		lvsm# pcs resource defaults resource-stickiness=100
		lvss# pcs resource defaults resource-stickiness=7
		lvss# pcs node attribute lvss rack=b12

		heal lvss
		all on lvsm
		lvss# until pcs resource defaults | grep -q "resource-stickiness=100"; do sleep 0.1; done
	`)
	s.together("lvsm", "lvss")
	s.play(`
		lvss# quorate events
		says lvss gives way. Configured there alone
		says node lvss attribute rack=b12; resource default resource-stickiness=7
		lvss# cat /var/lib/quorate/data-*/diverged-*/verdict.txt
		says node lvss attribute rack=b12
		lvss# ls /var/lib/quorate/data-*/diverged-*/raft
		says raft.db
		lvsm# ls /var/lib/quorate/data-*
		never says diverged
	`)
}
