package state

import (
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

func TestWhatNeedsAWatchdogWaitsForItS4(t *testing.T) {
	c := newCluster(t)
	c.run(`
		property watchdog-timeout=30s
		meta vip fencing=watchdog
		start vip a
		done vip a
		property watchdog-timeout=5s`)
	if got := Lapse(c.state(), "vip"); got != 30*time.Second {
		t.Errorf("it is waited %v for vip, want as long as its node was told when it started, 30s", got)
	}
	c.run(`
		gone a b=1s c=1s
		! start vip b: na owns vip
		free vip
		start vip b`)
	if got := Lapse(c.state(), "vip"); got != 5*time.Second {
		t.Errorf("it is waited %v for vip now, want 5s", got)
	}
	if got := Lapse(c.state(), "db"); got == 5*time.Second {
		t.Errorf("it is waited %v for db, which needs no watchdog", got)
	}
}

// A machine that its watchdog has reset runs nothing, what could not be stopped
// included.
func TestAWatchdogEndsWhatCouldNotBeStoppedS5(t *testing.T) {
	for policy, free := range map[string]string{"watchdog": "free db\nstart db b", "stop": "! free db: the stop of db on na failed"} {
		t.Run(policy, func(t *testing.T) {
			newCluster(t).run("meta db fencing=" + policy + "\nstart db a\ndone db a\nstop db a\nfailed db a\n! start db b: na owns db\ngone a b=1s c=1s\n" + free)
		})
	}
}

func TestAWatchdogsResetIsAFencing(t *testing.T) {
	const fails = "meta db fencing=watchdog\nstart db a\ndone db a\nstop db a\nfailed db a\n"
	tests := []struct {
		name, script  string
		forgotten, on bool // the failure, the record
	}{
		{"others have waited for it", fails + "gone a b=1s c=1s\nfree db", true, true},
		{"the machine is back before that", fails + "gone a b=1s c=1s\nadmit a boot=boot2", true, true},
		{"the agent alone is back", fails + "gone a b=1s c=1s\nadmit a", false, false},
		{"nobody waits", fails + "meta db fencing=none\ngone a b=1s c=1s\nfree db", false, false},
		{"a person is to look", "op db stop 0s on-fail=block\n" + fails + "gone a b=1s c=1s\nadmit a boot=boot2", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run(tt.script)
			if i := InstanceOf(c.state(), "db", "a"); (i.FailCount == 0) != tt.forgotten || tt.forgotten && i.State == pb.InstanceState_INSTANCE_STATE_BLOCKED {
				t.Errorf("the instance is %v", i)
			}
			if list := c.state().Fencings; (len(list) == 1) != tt.on || tt.on && (!Ended(list[0]) || list[0].OffAt == nil || list[0].AskedAt == nil) {
				t.Errorf("on record is %v", list)
			}
		})
	}
}

// However many resources could not be stopped there, it is one reset.
func TestANodeThatItsWatchdogHasResetTwiceWaitsForAnOperator(t *testing.T) {
	c := newCluster(t)
	c.run("property fencing=watchdog")
	for _, boot := range []string{"boot2", "boot3"} {
		if NodeByID(c.state(), "a").HeldSince != nil {
			t.Fatal("it waits after one reset")
		}
		c.run(`
			start db a
			done db a
			start vip a
			done vip a
			stop db a
			failed db a
			stop vip a
			failed vip a
			gone a b=1s c=1s
			free db
			admit a boot=` + boot + `
			probe db a
			notrunning db a
			probe vip a
			notrunning vip a`)
	}
	if NodeByID(c.state(), "a").HeldSince == nil || len(c.state().Fencings) != 2 {
		t.Errorf("after two resets it does not wait, or they count as %d", len(c.state().Fencings))
	}
}
