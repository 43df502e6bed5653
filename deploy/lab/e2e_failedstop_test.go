package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// failedStops are the ways in which a stop fails, as the script of the resource knows
// them: the first is tried for figures alone.
var failedStops = []string{"fails", "hangs"}

const (
	// lasting is a resource that needs a watchdog, and whose stop may fail.
	lasting = "Lasting"
	// lastingStop is how long its stop may take.
	lastingStop = time.Second
)

// lastingAddress is what it has. The lab asks every host for it, and so sees where it
// runs, whatever an agent says.
var lastingAddress = netip.MustParseAddr("10.77.0.101")

// testFailedStops has a resource that needs a watchdog move while its stop fails (S5): the
// machine that it is on is reset, the other one has it after that and not before it may
// (S4), and the first comes back as a clean member, to which it moves in the next run.
func (s *watchdogScene) testFailedStops() {
	s.Helper()
	s.machines["vm1"].shell(fmt.Sprintf("quorate resource create %s ocf:test:lasting ip=%v op stop timeout=%v meta fencing=watchdog --wait", lasting, lastingAddress, lastingStop))
	for i, way := range failedStops {
		if i > 0 || *daemonRuns > 1 {
			s.Run(way, func(t *testing.T) { s.in(t).escalates(way) })
		}
	}
	s.play("lvsm# quorate resource delete " + lasting + " --wait")
}

// escalates has a stop fail as often as it shall.
func (s *watchdogScene) escalates(way string) {
	s.Helper()
	var failed, resets, takeovers, returns []time.Duration
	for range *daemonRuns {
		p := s.failsToStop(way)
		failed, resets = append(failed, p.failed), append(resets, p.reset)
		takeovers, returns = append(takeovers, p.taken), append(returns, p.back)
	}
	s.Logf("a stop that %s, tried %d times: status told of it after %s; from then on the machine was reset after %s; another one had the resource after %s; the machine was a member again after %s",
		way, len(failed), spread(failed), spread(resets), spread(takeovers), spread(returns))
}

// phases are those of a failed stop: when it was told of after the move was asked for,
// and what followed that.
type phases struct{ failed, reset, taken, back time.Duration }

// failsToStop moves the resource away, which fails, and measures what comes of it.
func (s *watchdogScene) failsToStop(way string) (p phases) {
	s.Helper()
	from, to := s.lastingOn()
	s.machines[from].shell("echo " + way + " > /run/stop")
	stop, err := s.Meter(lastingAddress)
	if err != nil {
		s.Fatal(err)
	}
	asked := now()
	s.play("lvsm# quorate resource move " + lasting + " " + to)
	s.eventually("lvsm", "quorate status", "the watchdog of "+from+" resets it (fencing=watchdog), and "+lasting+" starts elsewhere then")
	failed := now()
	err = await(s.Context(), lasting+" on "+to, func() error {
		if p.reset == 0 && s.ended(from) {
			p.reset = now() - failed
		}
		v, err := s.cluster.View(s.Context(), "lvsm")
		if err == nil && v.Owners[lasting] != to {
			err = fmt.Errorf("%s is on %q, and %s was reset after %v", lasting, v.Owners[lasting], from, p.reset)
		}
		return err
	})
	p.failed, p.taken = failed-asked, now()-failed
	seen, meterErr := stop()
	if err != nil || meterErr != nil {
		s.Fatal(err, meterErr)
	}
	s.judge(from, to, failed, seen)
	// Its last beat was less than a lease before the move was asked for, or after that.
	if p.reset == 0 || p.taken+p.failed < watchdogWait-wanLease {
		s.Errorf("%s was reset after %v (0: never), and %s had the resource %v after it was to move; others have to wait until it was, and %v after its last beat",
			from, p.reset, to, p.taken+p.failed, watchdogWait)
	}
	s.boot()
	p.back = now() - failed
	s.isClean(from)
	return p
}

// lastingOn waits until the resource runs on one machine and the other one may have it.
func (s *watchdogScene) lastingOn() (from, to string) {
	s.Helper()
	from = s.machineOf(lasting)
	for name := range s.machines {
		if name != from {
			to = name
		}
	}
	return from, to
}

// judge judges by the answers for the resource's address: those of the old machine end
// while its watchdog's time runs, and those of the new one begin after that.
func (s *watchdogScene) judge(from, to string, failed time.Duration, seen *MeterReport) {
	s.Helper()
	of := func(machine string) []Span {
		return slices.DeleteFunc(slices.Clone(seen.Answered), func(span Span) bool { return span.Node != machine })
	}
	old, young := of(from), of(to)
	if len(old) == 0 || len(old)+len(young) != len(seen.Answered) || seen.Double > 0 {
		s.Errorf("asked for the address answered %+v, two at once for %v, want %s and then %s", seen.Answered, seen.Double, from, to)
		return
	}
	last := old[len(old)-1].To
	if last-failed > watchdogTimeout*11/10 {
		s.Errorf("%s answered until %v after its stop had failed, and its watchdog resets it within %v", from, last-failed, watchdogTimeout)
	}
	s.Logf("%s answered until %v after its stop had failed; %s had the resource: %+v", from, last-failed, to, young)
}

// isClean checks that nothing is held against a machine that is back, and that its reset
// is on record, as a fencing is.
func (s *watchdogScene) isClean(name string) {
	s.Helper()
	s.play(`
		lvsm# quorate status
		never says blocked
		never says may not run on ` + name + `
		lvsm# quorate stonith history show ` + name + `
		says was off for certain (its watchdog); that resets it
		lvsm# quorate stonith history cleanup`)
}
