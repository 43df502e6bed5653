package state

import (
	"testing"
	"time"
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
