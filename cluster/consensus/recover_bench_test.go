package consensus

import (
	"log/slog"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	pb "quorate/proto/quorate/v1"
)

// BenchmarkRecover is how long a node of a pair takes, on real stores and with a
// peer that does not answer, from the order to go on alone until it leads.
func BenchmarkRecover(b *testing.B) {
	for name, entries := range map[string]int{"short log": 10, "log before its snapshot": 8000} {
		b.Run(name, func(b *testing.B) {
			var total time.Duration
			for range b.N {
				b.StopTimer()
				m := benchNode(b, entries)
				b.StartTimer()
				began := time.Now()
				if err := m.Recover(b.Context(), "b", m.ledger.copy(), &pb.Command{Actor: "a alone"}); err != nil {
					b.Fatal(err)
				}
				total += time.Since(began)
				b.StopTimer()
				_ = m.raft().Shutdown().Error()
			}
			b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/fork")
		})
	}
}

// benchNode is one that led for so many entries, and whose peer then vanished.
func benchNode(b *testing.B, entries int) *member {
	b.Helper()
	stores, err := OpenStores(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stores.Close() })
	m := &member{ledger: &ledger{}}
	m.Node, err = Start(Config{
		ID: "a", FSM: m.ledger, Timing: LAN, Log: slog.New(slog.DiscardHandler), Stores: stores,
		Transport: func(<-chan struct{}) Transport {
			_, t := raft.NewInmemTransport("a")
			return plain{t}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Bootstrap(); err != nil {
		b.Fatal(err)
	}
	for leads := range m.changes {
		if leads {
			break
		}
	}
	var last raft.ApplyFuture
	for range entries {
		last = m.raft().Apply(nil, 0)
	}
	if err := last.Error(); err != nil {
		b.Fatal(err)
	}
	m.raft().AddVoter("b", "b", 0, 0)
	return m
}
