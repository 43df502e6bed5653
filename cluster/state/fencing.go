package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

const (
	keptFencings = 100 // that have ended
	keptAttempts = 10  // of one of them

	// switchOnTries is how often a node is tried to be switched on again.
	switchOnTries = 10

	// A node that was fenced by the cluster heldAfter times within heldWithin waits
	// for an operator: more would not mend it.
	heldAfter  = 2
	heldWithin = 10 * time.Minute
)

// FencingByID returns a fencing.
func FencingByID(s *pb.State, id uint64) *pb.Fencing { return get(s.GetFencings(), id, byFencing) }

func byFencing(f *pb.Fencing, id uint64) int { return cmp.Compare(f.Id, id) }

// Ended reports whether nothing is left to be done of a fencing.
func Ended(f *pb.Fencing) bool { return f.GetPhase() > pb.FencingPhase_FENCING_PHASE_ON }

// FencingUnderWay returns the fencing of a node that has not ended; there is at most one.
func FencingUnderWay(s *pb.State, node string) *pb.Fencing {
	for _, f := range s.GetFencings() {
		if f.Node == node && !Ended(f) {
			return f
		}
	}
	return nil
}

// fenceGone asks for a node that is gone to be fenced, if anything waits for that.
func (d *draft) fenceGone(n *pb.Node) {
	var waiting []string
	for _, a := range d.Assignments {
		if a.Node == n.Id && a.Unfenced {
			waiting = append(waiting, a.Resource)
		}
	}
	if len(waiting) > 0 {
		d.askFencing(n, false, "", fmt.Sprintf("it is gone, and %s may still run there", strings.Join(waiting, ", ")))
	}
}

// escalate asks for the node of a failed stop to be fenced, where the policy is that
// and the resource does not say otherwise (on-fail).
func (d *draft) escalate(i *pb.Instance) {
	policy := d.onFailedStop(i)
	if policy == "fence" || policy == "" && d.needsPower(i.Resource) {
		d.askFencing(NodeByID(d.State, i.Node), false, "", fmt.Sprintf("the stop of %s there failed: %s", i.Resource, i.LastError))
	}
}

// askFencing commits the wish that a node be off. One under way for the same epoch
// is enough; what one of an earlier epoch will find says nothing of this one.
func (d *draft) askFencing(n *pb.Node, stayOff bool, actor, reason string) {
	if f := FencingUnderWay(d.State, n.Id); f != nil {
		if f.Epoch == n.Epoch && f.Phase == pb.FencingPhase_FENCING_PHASE_OFF {
			if stayOff != f.StayOff && actor != "" {
				d.putFencing(with(f, func(f *pb.Fencing) { f.StayOff = stayOff }))
			}
			return
		}
		d.endFencing(f, pb.FencingPhase_FENCING_PHASE_CALLED_OFF, "it was asked for anew")
	}
	d.LastFencing++
	d.putFencing(&pb.Fencing{
		Id: d.LastFencing, Node: n.Id, Epoch: n.Epoch, Phase: pb.FencingPhase_FENCING_PHASE_OFF, StayOff: stayOff,
		Actor: actor, Reason: reason, AskedAt: d.at,
	})
	d.record(&pb.Event{
		Kind: "fencing-asked", Node: n.Name, Actor: actor, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s is to be fenced: %s", n.Name, reason),
	})
}

// mended ends the fencings that failures led to on nodes where none of these is left: a
// person has stopped it by hand.
func (d *draft) mended() {
	for _, f := range d.Fencings {
		n := NodeByID(d.State, f.Node)
		if Ended(f) || f.Actor != "" || f.Phase != pb.FencingPhase_FENCING_PHASE_OFF || n.GetAdmission() != pb.Admission_ADMISSION_ADMITTED {
			continue
		}
		waits := slices.ContainsFunc(d.Instances, func(i *pb.Instance) bool {
			return i.Node == f.Node && awaitsFencing(i)
		})
		if !waits {
			d.endFencing(f, pb.FencingPhase_FENCING_PHASE_CALLED_OFF, "the failures there were cleaned up")
		}
	}
}

// returned ends what waits for a node that has a new epoch: nothing of an older one
// owns anything any more, and what still runs there is found by probes. What a person
// asked for stays.
func (d *draft) returned(n *pb.Node) {
	switch f := FencingUnderWay(d.State, n.Id); {
	case f.GetPhase() == pb.FencingPhase_FENCING_PHASE_ON:
		d.endFencing(f, pb.FencingPhase_FENCING_PHASE_DONE, "")
	case f != nil && f.Actor == "":
		d.endFencing(f, pb.FencingPhase_FENCING_PHASE_CALLED_OFF, "it came back by itself")
	}
}

// recordFencing takes in what became of attempts.
func (d *draft) recordFencing(r *pb.RecordFencing) error {
	f := FencingByID(d.State, r.Id)
	switch {
	case f == nil:
		return refuse(Stale, "fencing", "", "there is no fencing %d", r.Id)
	case f.Phase == pb.FencingPhase_FENCING_PHASE_CALLED_OFF && r.Phase == pb.FencingPhase_FENCING_PHASE_OFF && r.Done:
		return d.offAllTheSame(f, r)
	case f.Phase != r.Phase || Ended(f):
		return refuse(Stale, "fencing", "", "fencing %d is not in that phase", r.Id)
	}
	f = d.addAttempts(f, r)
	f.StayOff = f.StayOff || r.StaysOff // of the draft: addAttempts made it
	switch {
	case r.Done && r.Phase == pb.FencingPhase_FENCING_PHASE_OFF:
		d.isOff(f, r.By)
	case r.Done:
		d.endFencing(f, pb.FencingPhase_FENCING_PHASE_DONE, "")
	case r.Phase == pb.FencingPhase_FENCING_PHASE_ON && f.Failures >= switchOnTries:
		d.endFencing(f, pb.FencingPhase_FENCING_PHASE_DONE, "it could not be switched on again: "+lastError(f))
	}
	return nil
}

// offAllTheSame: the order to switch off was on its way when the fencing was called
// off. The node is switched on again; no right is touched by that.
func (d *draft) offAllTheSame(f *pb.Fencing, r *pb.RecordFencing) error {
	if f.StayOff || FencingUnderWay(d.State, f.Node) != nil {
		return refuse(Stale, "fencing", "", "fencing %d was called off", f.Id)
	}
	d.putFencing(with(f, func(f *pb.Fencing) {
		f.Phase, f.OffAt, f.EndedAt, f.By = pb.FencingPhase_FENCING_PHASE_ON, d.at, nil, r.By
		f.Note = "it had come back when it was switched off"
	}))
	return nil
}

// addAttempts keeps the newest attempts, and tells of the first that failed.
func (d *draft) addAttempts(f *pb.Fencing, r *pb.RecordFencing) *pb.Fencing {
	before := f.Failures
	f = with(f, func(f *pb.Fencing) {
		for _, a := range r.Attempts {
			a.Error = oneLine(a.Error)
			if a.Error != "" {
				f.Failures++
			}
			f.Attempts = append(f.Attempts, a)
		}
		f.Attempts = f.Attempts[max(0, len(f.Attempts)-keptAttempts):]
	})
	d.putFencing(f)
	if name := NodeName(d.State, f.Node); before == 0 && f.Failures > 0 {
		d.record(&pb.Event{
			Kind: "fencing-failed", Node: name, Severity: pb.Severity_SEVERITY_ERROR,
			Text: fmt.Sprintf("%s could not be fenced by %s: %s", name, lastFailed(f).GetDevice(), lastError(f)),
		})
	}
	return f
}

func lastFailed(f *pb.Fencing) *pb.FencingAttempt {
	for _, a := range slices.Backward(f.GetAttempts()) {
		if a.Error != "" {
			return a
		}
	}
	return nil
}

func lastError(f *pb.Fencing) string { return lastFailed(f).GetError() }

// isOff: a node is off for certain, since after the fencing was asked for. Nothing
// of that epoch runs any more.
func (d *draft) isOff(f *pb.Fencing, by string) {
	n := NodeByID(d.State, f.Node)
	if n == nil {
		d.endFencing(f, pb.FencingPhase_FENCING_PHASE_DONE, "it is no member any more")
		return
	}
	d.record(&pb.Event{
		Kind: "fenced", Node: n.Name, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s is off for certain: %s", n.Name, by),
	})
	phase := pb.FencingPhase_FENCING_PHASE_ON
	if f.StayOff {
		phase = pb.FencingPhase_FENCING_PHASE_DONE
	}
	f = with(f, func(f *pb.Fencing) {
		f.Phase, f.OffAt, f.By, f.Failures = phase, d.at, by, 0
		if f.StayOff {
			f.EndedAt = d.at
		}
	})
	d.putFencing(f)
	if n.Admission == pb.Admission_ADMISSION_ADMITTED && n.Epoch == f.Epoch {
		d.end(n, "it was switched off")
	}
	d.clear(f.Node, f.Epoch)
	d.hold(f.Node)
}

// clear forgets what a node ran under an epoch, and older ones, once it is known to
// have been off since: it returns as a clean member.
func (d *draft) clear(node string, epoch uint64) {
	n := NodeByID(d.State, node)
	if n.Admission == pb.Admission_ADMISSION_GONE && n.Epoch <= epoch {
		d.putNodeRecord(with(n, func(n *pb.Node) { n.FencedAt = d.at }))
	}
	d.Assignments = without(d.Assignments, func(a *pb.Assignment) bool { return a.Node == node && a.Epoch <= epoch })
	d.Instances = rewrite(d.Instances, func(i *pb.Instance) *pb.Instance {
		if i.Node != node || i.Epoch > epoch {
			return i
		}
		return with(i, func(i *pb.Instance) {
			d.clean(i)
			d.stopped(i)
		})
	})
}

// hold keeps a node from hosting anything that was fenced too often of late.
func (d *draft) hold(node string) {
	n, times := NodeByID(d.State, node), 0
	for _, f := range d.Fencings {
		if f.Node == node && f.Actor == "" && f.OffAt != nil && d.at.AsTime().Sub(f.OffAt.AsTime()) < heldWithin {
			times++
		}
	}
	if times < heldAfter || n.HeldSince != nil {
		return
	}
	d.putNodeRecord(with(n, func(n *pb.Node) { n.HeldSince = d.at }))
	d.record(&pb.Event{
		Kind: "node-held", Node: n.Name, Severity: pb.Severity_SEVERITY_ERROR,
		Text: fmt.Sprintf("%s was fenced %d times within %v and hosts nothing until `stonith history cleanup %s`", n.Name, times, heldWithin, n.Name),
	})
}

// fenced notes that one of a pair was fenced by the other, which had no leader to
// ask: it is switched on again from here.
func (d *draft) fenced(node, by string) {
	n := NodeByID(d.State, node)
	d.askFencing(n, false, "", "it was silent")
	d.isOff(FencingUnderWay(d.State, node), by)
}

// endFencing ends a fencing that is under way.
func (d *draft) endFencing(f *pb.Fencing, phase pb.FencingPhase, note string) {
	d.putFencing(with(f, func(f *pb.Fencing) { f.Phase, f.EndedAt, f.Note = phase, d.at, cmp.Or(note, f.Note) }))
	kind, severity := "fencing-ended", pb.Severity_SEVERITY_INFO
	text := fmt.Sprintf("%s was switched on again", NodeName(d.State, f.Node))
	if note != "" {
		text = fmt.Sprintf("fencing of %s ended: %s", NodeName(d.State, f.Node), note)
	}
	if strings.HasPrefix(note, "it could not") {
		severity = pb.Severity_SEVERITY_ERROR
	}
	d.record(&pb.Event{Kind: kind, Node: NodeName(d.State, f.Node), Severity: severity, Text: text})
}

// putFencing keeps a fencing; of those that have ended only the newest.
func (d *draft) putFencing(f *pb.Fencing) {
	d.Fencings = put(d.Fencings, f.Id, byFencing, f)
	ended := 0
	for _, f := range slices.Backward(d.Fencings) {
		if Ended(f) {
			ended++
		}
	}
	d.Fencings = without(d.Fencings, func(f *pb.Fencing) bool {
		if ended <= keptFencings || !Ended(f) {
			return false
		}
		ended--
		return true
	})
}

// fenceNode is a person's wish.
func (d *draft) fenceNode(w *pb.FenceNode) (string, error) {
	n := NodeByName(d.State, w.Node)
	if n == nil {
		return "", d.noSuchNode(w.Node)
	}
	if len(WaysToFence(d.State, n.Id)) == 0 {
		return "", refuse(Precondition, "node", "make one with `stonith create`", "no fencing device can switch %s", n.Name)
	}
	d.askFencing(n, w.StayOff, cmp.Or(d.actor, "an operator"), "a person asked for it")
	return "fencing of " + n.Name + " asked for", nil
}

// confirmOff takes a person's word for that of a device: what waits for the node is
// free. It is not taken of a node that answers.
func (d *draft) confirmOff(name string) (string, error) {
	n := NodeByName(d.State, name)
	switch {
	case n == nil:
		return "", d.noSuchNode(name)
	case n.Admission == pb.Admission_ADMISSION_ADMITTED:
		return "", refuse(Precondition, "node", "use `stonith fence "+n.Name+"`", "%s is a member in good standing, and not off", n.Name)
	}
	word := cmp.Or(d.actor, "an operator") + " says so"
	f := FencingUnderWay(d.State, n.Id)
	if f.GetPhase() == pb.FencingPhase_FENCING_PHASE_OFF {
		d.putFencing(with(f, func(f *pb.Fencing) {
			f.Phase, f.OffAt, f.EndedAt, f.By = pb.FencingPhase_FENCING_PHASE_DONE, d.at, d.at, word
		}))
	}
	d.clear(n.Id, n.Epoch)
	d.trust(n.Id)
	d.record(&pb.Event{
		Kind: "fencing-confirmed", Node: n.Name, Actor: d.actor, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s is off: %s", n.Name, word),
	})
	return n.Name + " confirmed off", nil
}

// trust lets a node host resources again when it is back.
func (d *draft) trust(node string) {
	if n := NodeByID(d.State, node); n.GetHeldSince() != nil {
		d.putNodeRecord(with(n, func(n *pb.Node) { n.HeldSince = nil }))
	}
}

// cleanupFencing forgets what has ended. A node that waited for an operator does not
// any more.
func (d *draft) cleanupFencing(name string) (string, error) {
	if name != "" && NodeByName(d.State, name) == nil {
		return "", d.noSuchNode(name)
	}
	for _, n := range d.Nodes {
		if name == "" || n.Name == name {
			d.trust(n.Id)
			d.Fencings = without(d.Fencings, func(f *pb.Fencing) bool { return f.Node == n.Id && Ended(f) })
		}
	}
	return "history of fencing of " + orAll(name, "every node") + " forgotten", nil
}
