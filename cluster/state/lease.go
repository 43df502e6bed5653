package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// Threshold is how long a node with this lease must have been silent before
// voters may testify: 1.10 of the lease, for clocks that run apart, and 10 ms,
// for the grain of timers.
func Threshold(lease time.Duration) time.Duration {
	return (lease*11+9)/10 + 10*time.Millisecond
}

// admit begins a new epoch of a node (rules 5, 16 and 17).
//
// All it owned is freed, and what is known of its resources is forgotten: until
// a probe tells, each of them may run there, and an instance that may run on an
// admitted node keeps the resource from starting elsewhere (S4). The nonce may
// be the known one, as a running agent asks again after its lease was lost;
// the compare-and-set on the epoch keeps late requests out.
func (d *draft) admit(a *pb.Admit) error {
	n := NodeByID(d.State, a.Node)
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", a.Node)
	case a.FromEpoch != n.Epoch:
		return refuse(Stale, "epoch", "ask again from the present one", "%s is at epoch %d, not %d", n.Name, n.Epoch, a.FromEpoch)
	case a.Nonce == 0:
		return refuse(Invalid, "nonce", "", "it is zero")
	case a.Lease.CheckValid() != nil || a.Lease.AsDuration() <= 0:
		return refuse(Invalid, "lease", "give a positive duration", "its length is %v", a.Lease.AsDuration())
	}
	rebooted := n.BootId != "" && a.BootId != "" && a.BootId != n.BootId
	admitted := with(n, func(n *pb.Node) {
		n.Epoch++
		n.Admission = pb.Admission_ADMISSION_ADMITTED
		n.Nonce, n.Lease = a.Nonce, admittedLease(n, a, rebooted)
		n.ElectorateConfirmed = 0 // until it has recounted its lease (rule 20)
		n.AdmittedAt, n.GoneAt, n.Standings, n.FencedAt = d.at, nil, nil, nil
		if a.BootId != "" {
			n.BootId = a.BootId
		}
		if a.Version != "" {
			n.Version = a.Version
		}
		if rebooted {
			n.Restarting, n.Transient = false, nil
			n.Stopped = n.Disabled // a shutdown stopped it, or an operator did for the time before
		}
	})
	d.putNodeRecord(admitted)
	if rebooted {
		d.rebooted(admitted)
	}
	d.forget(admitted)
	d.returned(admitted)
	d.record(&pb.Event{
		Kind: "node-admitted", Node: n.Name, Severity: pb.Severity_SEVERITY_INFO,
		Text: fmt.Sprintf("%s is admitted with epoch %d", n.Name, admitted.Epoch),
	})
	return nil
}

// admittedLease is how long a node's leases last under its new epoch: no shorter
// than before, because its kernel may go on serving under what the last epoch
// wrote (rule 25). A kernel that was booted since has forgotten it.
func admittedLease(n *pb.Node, a *pb.Admit, rebooted bool) *durationpb.Duration {
	if !rebooted && n.Lease.AsDuration() > a.Lease.AsDuration() {
		return n.Lease
	}
	return a.Lease
}

// LongestLease is how long a lease may be made: for longer than that nobody
// waits for an agent to come back.
const LongestLease = time.Minute

// setLength changes how long a node's leases last, and so how long it must be
// silent to be gone (rule 25). The compare-and-set on the version keeps out a
// shorter one that was asked for before a longer one and comes after it.
func (d *draft) setLength(s *pb.SetLength) error {
	n := NodeByID(d.State, s.Node)
	length := s.Length.AsDuration()
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", s.Node)
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != s.Epoch:
		return refuse(Stale, "epoch", "", "%s is not admitted at epoch %d (it is %s at %d)", n.Name, s.Epoch, admissionName(n.Admission), n.Epoch)
	case n.LeaseVersion != s.FromVersion:
		return refuse(Stale, "length", "ask again from the present one", "it is at version %d, not %d", n.LeaseVersion, s.FromVersion)
	case s.Length.CheckValid() != nil || length <= 0 || length > LongestLease:
		return refuse(Invalid, "length", "give a positive duration of at most "+LongestLease.String(), "it is %v", length)
	}
	d.putNodeRecord(with(n, func(n *pb.Node) {
		n.Lease = s.Length
		n.LeaseVersion++
		n.Restarting = s.Restarting
	}))
	d.record(&pb.Event{
		Kind: "lease-length", Node: n.Name, Severity: pb.Severity_SEVERITY_INFO,
		Text: fmt.Sprintf("%s is gone after %v of silence from now on: %s", n.Name, Threshold(length), s.Reason),
	})
	return nil
}

// forget ends the rights of a node's older epochs and makes it probed anew.
func (d *draft) forget(n *pb.Node) {
	for _, a := range d.Assignments {
		if a.Node == n.Id && InstanceOf(d.State, a.Resource, n.Id) == nil { // its start was under way
			d.putInstance(&pb.Instance{Resource: a.Resource, Node: n.Id, Since: d.at})
		}
	}
	d.Assignments = without(d.Assignments, func(a *pb.Assignment) bool { return a.Node == n.Id })
	d.dropOperations(n.Id)
	d.Instances = rewrite(d.Instances, func(i *pb.Instance) *pb.Instance {
		if i.Node != n.Id {
			return i
		}
		return with(i, func(i *pb.Instance) {
			i.Epoch = n.Epoch
			d.setState(i, pb.InstanceState_INSTANCE_STATE_UNKNOWN)
		})
	})
}

// setState changes what is known of an instance that the draft owns.
func (d *draft) setState(i *pb.Instance, s pb.InstanceState) {
	if i.State != s || i.Since == nil {
		i.State, i.Since = s, d.at
	}
	if s == pb.InstanceState_INSTANCE_STATE_STOPPED {
		i.Promoted = false
	}
}

// nodeGone ends an epoch: no lease of it is live any more (rule 14).
func (d *draft) nodeGone(g *pb.NodeGone) error {
	n := NodeByID(d.State, g.Node)
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", g.Node)
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != g.Epoch:
		return refuse(Stale, "epoch", "", "%s is not admitted at epoch %d (it is %s at %d)", n.Name, g.Epoch, admissionName(n.Admission), n.Epoch)
	}
	if err := d.checkTestimonies(n, g.Testimonies); err != nil {
		return err
	}
	d.end(n, d.describeTestimonies(g.Testimonies))
	return nil
}

// end makes an admitted node gone, and says why.
func (d *draft) end(n *pb.Node, why string) {
	gone := with(n, func(n *pb.Node) {
		n.Admission = pb.Admission_ADMISSION_GONE
		n.GoneAt = d.at
		n.Restarting, n.Transient = false, nil
	})
	d.putNodeRecord(gone)
	d.dropOperations(n.Id)
	d.release(gone)
	d.record(&pb.Event{
		Kind: "node-gone", Node: n.Name, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s is gone: %s", n.Name, why),
	})
	d.fenceGone(gone)
}

// checkTestimonies checks that a majority of the electorate of this index, the
// silent node not among the witnesses, heard nothing for long enough.
func (d *draft) checkTestimonies(n *pb.Node, testimonies []*pb.Testimony) error {
	threshold := Threshold(n.Lease.AsDuration())
	heard := make(map[string]bool, len(testimonies))
	for _, t := range testimonies {
		switch {
		case t.Voter == n.Id:
			return refuse(Invalid, "testimony", "", "%s testifies about itself", n.Name)
		case !Votes(d.State, t.Voter):
			return refuse(Precondition, "testimony", "", "%s is not in the electorate", NodeName(d.State, t.Voter))
		case heard[t.Voter]:
			return refuse(Invalid, "testimony", "", "%s is counted twice", NodeName(d.State, t.Voter))
		case t.Silence.AsDuration() < threshold:
			return refuse(Precondition, "testimony", "", "%s heard %s %v ago, within %v",
				NodeName(d.State, t.Voter), n.Name, t.Silence.AsDuration(), threshold)
		}
		heard[t.Voter] = true
	}
	if need := len(d.Electorate.GetVoters())/2 + 1; len(heard) < need {
		return refuse(Precondition, "testimony", "", "%d voters testify, and a majority is %d", len(heard), need)
	}
	return nil
}

// release frees what a gone node owned. What falls silent with the lease is
// free at once. What may outlive it, or needs the machine to be off, is orphaned, to
// be freed by time or by fencing (rule 15); so is what nobody owned but may run
// there. A failed stop stays on record (S5).
func (d *draft) release(n *pb.Node) {
	d.Assignments = rewrite(d.Assignments, func(a *pb.Assignment) *pb.Assignment {
		switch {
		case a.Node != n.Id:
			return a
		case !d.lingers(a.Resource):
			return nil
		default:
			return with(a, func(a *pb.Assignment) { a.Orphaned, a.Unfenced = true, d.needsPower(a.Resource) })
		}
	})
	d.Instances = rewrite(d.Instances, func(i *pb.Instance) *pb.Instance {
		if i.Node != n.Id || i.State == pb.InstanceState_INSTANCE_STATE_STOPPED {
			return i
		}
		if !d.lingers(i.Resource) {
			return with(i, func(i *pb.Instance) { d.setState(i, pb.InstanceState_INSTANCE_STATE_STOPPED) })
		}
		d.orphan(i, n)
		if i.State == pb.InstanceState_INSTANCE_STATE_BLOCKED {
			return i
		}
		return with(i, func(i *pb.Instance) { d.setState(i, pb.InstanceState_INSTANCE_STATE_UNKNOWN) })
	})
}

// lingers reports whether a resource may outlive its node's lease, or is taken to.
func (d *draft) lingers(resource string) bool {
	return Lapse(d.State, resource) > 0 || d.needsPower(resource)
}

func (d *draft) needsPower(resource string) bool {
	return FencingOf(d.State, resource) == FencingPower
}

// Lapse returns how long a resource may outlive the lease of its node: by what it
// was started with, or by what it has now, which a reload may have given it. Of a
// clone the longest of all instances counts.
func Lapse(s *pb.State, resource string) time.Duration {
	longest := max(ResourceByID(s, resource).GetTraits().GetLapse().AsDuration(), WatchdogTimeout(s, resource))
	for _, a := range AssignmentsOf(s, resource) {
		longest = max(longest, a.GetLapse().AsDuration())
	}
	return longest
}

// orphan makes a gone node the owner of what may run there unowned, so that its
// time must pass as well. Of two gone nodes the later one counts, as its time ends
// last; of a clone each, and each that must be fenced.
func (d *draft) orphan(i *pb.Instance, n *pb.Node) {
	resource := i.Resource
	cloned := CloneOf(d.State, resource) != nil
	for _, a := range AssignmentsOf(d.State, resource) {
		switch {
		case a.Node == n.Id, !a.Orphaned && !cloned:
			return
		case !cloned && !a.Unfenced:
			d.dropAssignment(a.Number)
		}
	}
	d.LastAssignment++
	d.putAssignment(&pb.Assignment{
		Resource: resource, Node: n.Id, Epoch: n.Epoch, Number: d.LastAssignment, Orphaned: true, Unfenced: d.needsPower(resource),
		Promoted: d.mayBePromoted(i),
	})
}

// free ends an orphaned assignment. The leader's clock says when. What needs a
// fencing device's word is not freed so.
func (d *draft) free(f *pb.Free) error {
	a := d.numbered(f.Resource, f.Number)
	switch {
	case a == nil:
		return refuse(Stale, "assignment", "", "%s is not owned under assignment %d", f.Resource, f.Number)
	case !a.Orphaned:
		return refuse(Precondition, "assignment", "stop it there", "%s has a live owner, %s", f.Resource, NodeName(d.State, a.Node))
	case a.Unfenced:
		return refuse(Precondition, "assignment", "make sure that the machine is off, then run `stonith confirm "+NodeName(d.State, a.Node)+"`",
			"%s has not been fenced", NodeName(d.State, a.Node))
	case !a.Watchdog && InstanceOf(d.State, a.Resource, a.Node).GetState() == pb.InstanceState_INSTANCE_STATE_BLOCKED: // S5
		return refuse(Precondition, "assignment", "make sure that the machine is off, then run `resource cleanup "+f.Resource+"`",
			"the stop of %s on %s failed, and the node is gone since", f.Resource, NodeName(d.State, a.Node))
	}
	if FencingOf(d.State, a.Resource) != FencingNone { // else nobody has waited
		d.reset(a)
	}
	d.dropAssignment(a.Number)
	if i := InstanceOf(d.State, a.Resource, a.Node); i.GetPromoted() {
		d.putInstance(with(i, func(i *pb.Instance) { i.Promoted = false }))
	}
	d.record(&pb.Event{
		Kind: "freed", Node: NodeName(d.State, a.Node), Resource: f.Resource, Severity: pb.Severity_SEVERITY_INFO,
		Text: fmt.Sprintf("%s may start elsewhere: %s", f.Resource, f.Reason),
	})
	return nil
}

// numbered returns a resource's assignment of a number.
func (d *draft) numbered(resource string, number uint64) *pb.Assignment {
	for _, a := range AssignmentsOf(d.State, resource) {
		if a.Number == number {
			return a
		}
	}
	return nil
}

func (d *draft) describeTestimonies(testimonies []*pb.Testimony) string {
	said := ""
	sorted := slices.SortedFunc(slices.Values(testimonies), func(a, b *pb.Testimony) int {
		return strings.Compare(NodeName(d.State, a.Voter), NodeName(d.State, b.Voter))
	})
	for i, t := range sorted {
		if i > 0 {
			said += ", "
		}
		said += fmt.Sprintf("%s heard nothing for %v", NodeName(d.State, t.Voter), t.Silence.AsDuration().Round(time.Millisecond))
	}
	return said
}

func admissionName(a pb.Admission) string {
	switch a {
	case pb.Admission_ADMISSION_ADMITTED:
		return "admitted"
	case pb.Admission_ADMISSION_GONE:
		return "gone"
	default:
		return "new"
	}
}
