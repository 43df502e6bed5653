package node

import (
	"context"
	"fmt"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

const (
	// A link or a ping target that was silent for so long was cut off, and what the
	// hosts behind the cut know of our addresses may be another node's by now.
	cutOff = 500 * time.Millisecond
	// How often links are looked at. They are heard many times as often.
	mendInterval = 50 * time.Millisecond
)

// mend announces the addresses held here whenever a part of the network is heard
// again that was not: also when the carrier of this node was never lost, as with
// a cut behind a switch.
func (a *Agent) mend(ctx context.Context, core *Core) error {
	tick := time.NewTicker(mendInterval)
	defer tick.Stop()
	seen := make(silences)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if mended := seen.mended(a.quiet(core)); mended != "" {
			a.logger.Info("announcing addresses: the network has mended", "heard", mended)
			a.vip.Announce()
		}
	}
}

// silences say which ways into the network were silent when last looked at.
type silences map[string]bool

// mended returns a way that was silent and is heard now; empty: there is none.
func (s silences) mended(now map[string]bool) string {
	found := ""
	for way, silent := range now {
		if s[way] && !silent {
			found = way
		}
		s[way] = silent
	}
	return found
}

// quiet returns for each link and each ping target whether it is silent.
func (a *Agent) quiet(core *Core) map[string]bool {
	ways := make(map[string]bool)
	for _, id := range a.directory.Others(a.identity.ID()) {
		for _, l := range a.transport.Links(id) {
			if l.LastHeard >= 0 { // it was heard once
				ways[fmt.Sprintf("%s at %s", id, l.Address)] = l.LastHeard > cutOff
			}
		}
	}
	pinger := core.reporter.reach
	for _, t := range pinger.Targets() {
		if t.Answered {
			ways[t.Address.String()] = t.Ago > pinger.Interval+cutOff
		}
	}
	return ways
}

// contested notes that another host claims an address, for tell to record.
func (a *Agent) contested(resource, text string) {
	a.note(&pb.Event{Kind: "address-conflict", Severity: pb.Severity_SEVERITY_ERROR, Resource: resource, Text: text})
}

// note has an event of this node recorded, as soon as that is possible.
func (a *Agent) note(e *pb.Event) {
	select {
	case a.notes <- e:
	default: // too many to be news
	}
}

// tell records events that are no results of operations.
func (a *Agent) tell(ctx context.Context, core *Core) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-a.notes:
			e.Node = state.NodeName(a.store.Get().State, core.id)
			if err := record(ctx, core, e); err != nil {
				a.logger.Warn("event not recorded", "kind", e.Kind, "err", err)
			}
		}
	}
}

func record(ctx context.Context, core *Core, e *pb.Event) error {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	_, err := core.log.Propose(ctx, &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: []*pb.Event{e}}}})
	return err
}
