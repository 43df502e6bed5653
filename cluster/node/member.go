package node

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/consensus"
	"quorate/cluster/fork"
	"quorate/cluster/lease"
	"quorate/cluster/membership"
	"quorate/cluster/reach"
	"quorate/cluster/transport"
	pb "quorate/proto/quorate/v1"
)

// Kinds of datagrams.
const (
	datagramLease  = 1
	datagramGossip = 2
)

// startCore starts this machine's part in its cluster.
func (a *Agent) startCore(stores consensus.Stores) (*Core, error) {
	nonce, err := draw()
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	data, err := a.identity.DataDir()
	if err != nil {
		return nil, err
	}
	profile := a.profile.run()
	pings := pinger(profile.Lease, a.logger)
	guard := a.guardUp()
	core, err := StartCore(CoreConfig{
		ID: a.identity.ID(), Nonce: nonce, BootID: boot, Version: a.version, Store: a.store,
		Transport: a.raftTransport, Stores: stores, Timing: profile.Raft,
		Network: datagrams{a.transport}, Clock: lease.RawClock{}, Guard: doubleGuard{guard, a.warden}, Lease: leaseFor(guard, profile.Lease), Beat: profile.Beat,
		Marks: lease.NewFileMarks(filepath.Join(data, "testimonies.json")),
		Reach: pings, Pinger: pings, Devices: a.devices, Peers: peers{a.transport}, Agents: a.agents, Warden: wards{a.warden}, Watchdog: a.warden.Watchdog, Alerts: a.runAlert, Log: a.logger,
	})
	if err != nil {
		return nil, err
	}
	a.transport.HandleDatagrams(datagramLease, func(from string, payload []byte) {
		d := &pb.LeaseDatagram{}
		if err := proto.Unmarshal(payload, d); err == nil {
			core.lease.Receive(from, d)
		}
	})
	return core, nil
}

// raftTransport makes the way of Raft's messages to the other members.
func (a *Agent) raftTransport(ready <-chan struct{}) consensus.Transport {
	t := a.transport.RaftTransport(transport.RaftConfig{
		Ready: ready, History: a.history, Split: a.split, Log: a.logger,
	})
	a.streams.Store(t)
	return t
}

// split tells the core that a node's log and this one's went apart.
func (a *Agent) split(node string) {
	if core := a.current(); core != nil {
		core.Split(node)
	}
}

// history is the ids of the forks in this node's log.
func (a *Agent) history() []string { return fork.History(a.store.Get().State.Forks) }

// followForks ends the streams of Raft's that began before the log was forked,
// here or by who caught this node up.
func (a *Agent) followForks(ctx context.Context) error {
	known := a.history()
	for {
		changed := a.store.Changed()
		if now := a.history(); !slices.Equal(now, known) {
			known = now
			a.streams.Load().Recheck()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// pinger pings in proportion to the lease: with one of 400 ms twice a second,
// twenty times where nobody answers, and a node is isolated after a second.
func pinger(length time.Duration, logger *slog.Logger) *reach.Pinger {
	return reach.New(reach.Config{
		Clock: lease.RawClock{}, Open: reach.OpenSocket,
		Interval: length * 5 / 4, Hurried: length / 8, Patience: length * 5 / 2, Log: logger,
	})
}

// datagrams carries the lease's datagrams.
type datagrams struct{ *transport.Transport }

func (d datagrams) Send(to string, m *pb.LeaseDatagram) error {
	payload, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode datagram: %w", err)
	}
	return d.SendDatagram(to, datagramLease, payload)
}

// gossip takes part in the membership: who is there, with which version, at
// which addresses. What it says moves nothing.
func (a *Agent) gossip(ctx context.Context) error {
	id := a.identity.ID()
	info := self{a}.Info()
	m := membership.New(membership.Config{
		Self:      membership.Member{ID: id, Name: info.Name, Version: a.version, Addresses: a.directory.Addresses(id)},
		Transport: membership.NewCarrier(id, a.transport, datagramGossip, transport.ALPNGossip),
		Peers:     func() []string { return a.directory.Others(id) },
		Log:       a.logger,
	})
	return m.Run(ctx)
}
