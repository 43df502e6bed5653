package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestE2EKillAllLosesNothing is S2: whatever a command acknowledged is there
// after all agents were killed at the same moment, whichever that was. S1 holds
// all the while.
func TestE2EKillAllLosesNothing(t *testing.T) {
	const rounds = 20
	s := newScene(t, "n1", "n2", "n3")
	s.form()
	stop, err := s.Meter(VIP)
	if err != nil {
		t.Fatal(err)
	}
	created := map[string]string{} // what was acknowledged: its address by its name
	for round := range rounds {
		s.createUntilKilled(created, round)
		s.each(Heal)
		if err := await(t.Context(), "all that was acknowledged", func() error { return s.has(created) }); err != nil {
			t.Fatalf("round %d: %v", round+1, err)
		}
	}
	seen, err := stop()
	if err != nil || seen.Double != 0 {
		t.Errorf("two nodes answered for the address for %v (%v)", seen.Double, err)
	}
	t.Logf("%d rounds: %d resources were acknowledged, and none was lost", rounds, len(created))
}

// createUntilKilled creates resources on all nodes at once, until after some of
// them all agents are killed, and adds to created what was acknowledged.
//
// A command may fail also while all agents live, where nobody leads for as long as
// it asks. So the next is tried, for as long as a minute.
func (s *scene) createUntilKilled(created map[string]string, round int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	type made struct{ id, ip string }
	var streams sync.WaitGroup
	var number atomic.Int64
	var killed atomic.Bool
	acknowledged := make(chan made)
	for _, node := range s.Spec.Nodes() {
		streams.Go(func() {
			for !killed.Load() && ctx.Err() == nil {
				n := number.Add(1)
				m := made{fmt.Sprintf("r%d-%d", round, n), fmt.Sprintf("fd77::%x:%x", round+1, n)}
				_, err := s.Output(ctx, node, "pcs", "resource", "create", m.id, "ocf:heartbeat:IPaddr2",
					"ip="+m.ip, "meta", "target-role=Stopped")
				if err == nil {
					acknowledged <- m
				}
			}
		})
	}
	var killing sync.WaitGroup
	killing.Go(func() {
		streams.Wait()
		close(acknowledged)
	})
	last, count := 3+rand.IntN(6), 0
	for m := range acknowledged {
		created[m.id] = m.ip
		if count++; count == last {
			killing.Go(func() {
				killed.Store(true)
				s.each(Kill)
			})
		}
	}
	killing.Wait()
	if count < last {
		s.Fatalf("round %d: only %d commands were acknowledged in a minute", round+1, count)
	}
}

// each does the same to all nodes at the same moment.
func (s *scene) each(f Fault) {
	s.Helper()
	var g errgroup.Group
	for _, node := range s.Spec.Nodes() {
		g.Go(func() error {
			_, err := s.Fault(s.Context(), f, node)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		s.Error(err)
	}
}

// has says what is missing on a node, or that a node knows no leader.
func (s *scene) has(created map[string]string) error {
	for _, node := range s.Spec.Nodes() {
		v, err := s.cluster.View(s.Context(), node)
		if err != nil {
			return err
		}
		if v.Leader == "" {
			return fmt.Errorf("%s knows no leader", node)
		}
		there := map[string]string{}
		for _, r := range v.GetState().GetResources() {
			there[r.GetId()] = r.GetParameters()["ip"]
		}
		for id, ip := range created {
			if there[id] != ip {
				return fmt.Errorf("%s: %s has ip=%q, want %q", node, id, there[id], ip)
			}
		}
	}
	return nil
}
