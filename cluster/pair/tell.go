package pair

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// tell logs a turn, and has it committed where a log can take it (S6). The fork
// itself is told by its own command.
func (d *Driver) tell(st *pb.State, before, now Machine) {
	if before.Phase == now.Phase && before.Why == now.Why {
		return
	}
	self, peer := state.NodeName(st, d.Self), state.NodeName(st, d.peer)
	level := d.Logger.Info
	if now.Phase == HeldBack || now.Phase == CutOff || now.Phase == Waiting {
		level = d.Logger.Warn
	}
	level("pair", "phase", now.Phase.String(), "peer", peer, "reason", now.Why)
	took := (now.Since - before.Since).Round(time.Millisecond)
	switch {
	case now.Phase == CutOff && before.Phase == Forked:
		d.note(&pb.Event{
			Kind: "cut-off", Node: self, Severity: pb.Severity_SEVERITY_ERROR,
			Text: fmt.Sprintf("%s is cut off: %s", self, now.Why),
		})
	case now.Phase == Forked && before.Phase == CutOff:
		d.note(&pb.Event{
			Kind: "cut-off-ended", Node: self, Severity: pb.Severity_SEVERITY_INFO,
			Text: fmt.Sprintf("%s reaches a ping target again after %v, and runs resources again", self, took),
		})
	case now.Phase == Together && before.undecided():
		d.note(&pb.Event{
			Kind: "pair-together", Node: self, Severity: pb.Severity_SEVERITY_INFO,
			Text: fmt.Sprintf("%s hears %s again; meanwhile it was %v%s", self, peer, before.Phase, because(before.Why)),
		})
	case now.Phase == Apart && before.undecided():
		d.note(&pb.Event{
			Kind: "pair-together", Node: self, Severity: pb.Severity_SEVERITY_INFO,
			Text: fmt.Sprintf("%s follows again what the other has decided; before, it was %v%s", self, before.Phase, because(before.Why)),
		})
	}
}

// undecided reports whether the peer was silent for long, and this node did not
// go on alone.
func (m Machine) undecided() bool {
	return m.Phase == Deciding || m.Phase == HeldBack || m.Phase == CutOff
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// claimed tells that a start waits for another host to give an address up, once
// for each that does not.
func (d *Driver) claimed(st *pb.State, r *pb.Resource, text string) {
	d.mu.Lock()
	told := d.refused[r.Id] == text
	d.refused[r.Id] = text
	d.mu.Unlock()
	if told {
		return
	}
	self := state.NodeName(st, d.Self)
	d.Logger.Warn("resource not started", "resource", r.Id, "reason", text)
	d.note(&pb.Event{
		Kind: "address-taken", Node: self, Resource: r.Id, Severity: pb.Severity_SEVERITY_ERROR,
		Text: fmt.Sprintf("%s is not started on %s: %s", r.Id, self, text),
	})
}

func (d *Driver) cleared(r *pb.Resource) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.refused, r.Id)
}

// note queues an event.
func (d *Driver) note(e *pb.Event) {
	select {
	case d.notes <- e:
	default:
	}
}

// noteTimeout bounds how long an event waits for a leader: one that nobody can
// commit for so long is in the log of this node only.
const noteTimeout = 10 * time.Second

func (d *Driver) noteLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-d.notes:
			d.commit(ctx, e)
		}
	}
}

func (d *Driver) commit(ctx context.Context, e *pb.Event) {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	c := &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: []*pb.Event{e}}}}
	if err := d.Log.Propose(ctx, c); err != nil {
		d.Logger.Info("event not recorded", "kind", e.Kind, "err", err)
	}
}

// Status says how this node stands with its peer; nil: there is none.
func (d *Driver) Status() *pb.PairStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.machine
	if m.Phase == Apart {
		return nil
	}
	p := &pb.PairStatus{
		Phase: pb.PairPhase(m.Phase), Peer: d.peer, Reason: m.Why,
		Since: durationpb.New(d.Clock.Now() - m.Since), Fenced: d.fenced(d.State.Get().State, d.peer),
	}
	if d.Reach != nil {
		_, p.Checked = d.Reach.Newest()
	}
	return p
}
