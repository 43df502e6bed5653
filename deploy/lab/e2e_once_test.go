package lab

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// typedAfter is how many commands on each node must have begun after the leader
// was struck.
const typedAfter = 3

// TestE2ECommandsSurviveTheLeaderAndAreDoneOnce strikes the leader's agent while
// people type on the other nodes: each of their commands succeeds, and was done once.
// What is proposed a second time would be refused, as it exists already.
func TestE2ECommandsSurviveTheLeaderAndAreDoneOnce(t *testing.T) {
	s := newScene(t, "n1", "n2", "n3")
	s.form()
	created := map[string]string{}
	for i, fault := range []Fault{Kill, Freeze} {
		leader, longest := s.typeWhileTheLeaderIsStruck(fault, i, created)
		t.Logf("%s of %s, who led: %d commands so far, the longest took %v", fault, leader, len(created), longest.Round(time.Millisecond))
		s.play("heal " + leader)
		if err := await(t.Context(), "all that was created", func() error { return s.has(created) }); err != nil {
			t.Fatal(err)
		}
	}
	v, err := s.cluster.View(t.Context(), "n1")
	if err != nil {
		t.Fatal(err)
	}
	for id := range created {
		var told []string
		for _, e := range v.GetState().GetEvents() {
			if e.GetKind() == "configuration" && slices.Contains(strings.Fields(e.GetText()), id) {
				told = append(told, e.GetText())
			}
		}
		if len(told) != 1 {
			t.Errorf("%d events tell of %s, which was created once: %q", len(told), id, told)
		}
	}
}

// typeWhileTheLeaderIsStruck creates resources on the nodes that do not lead, some
// before and some after the fault, and adds them to created. Every command must
// succeed.
func (s *scene) typeWhileTheLeaderIsStruck(fault Fault, round int, created map[string]string) (leader string, longest time.Duration) {
	s.Helper()
	v, err := s.cluster.Settled(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	var streams sync.WaitGroup
	var mu sync.Mutex // guards created and longest
	var number atomic.Int64
	var struck atomic.Bool
	typed := make(chan struct{}, 1)
	for _, node := range s.Spec.Nodes() {
		if node == v.Leader {
			continue
		}
		streams.Go(func() {
			for after := 0; after < typedAfter; {
				if struck.Load() {
					after++
				}
				n, began := number.Add(1), time.Now()
				id, ip := fmt.Sprintf("once%d-%d", round, n), fmt.Sprintf("fd77::%x:%x", round+1, n)
				_, err := s.Output(s.Context(), node, "pcs", "resource", "create", id, "ocf:heartbeat:IPaddr2",
					"ip="+ip, "meta", "target-role=Stopped")
				select {
				case typed <- struct{}{}:
				default:
				}
				if err != nil {
					s.Errorf("%s of %s: %s on %s after %v: %v", fault, v.Leader, id, node, time.Since(began), err)
					return
				}
				mu.Lock()
				created[id], longest = ip, max(longest, time.Since(began))
				mu.Unlock()
			}
		})
	}
	<-typed
	if _, err := s.Fault(s.Context(), fault, v.Leader); err != nil {
		s.Error(err)
	}
	struck.Store(true)
	streams.Wait()
	return v.Leader, longest
}
