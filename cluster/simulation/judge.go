package simulation

import (
	"strings"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// judge checks S1 for a resource, at the only instants at which it can begin to
// be violated: when a machine begins to serve, or goes on longer.
func (w *world) judge(resource string) {
	if resource == service && !w.gentle {
		return // nothing but its agent stops it
	}
	if on := w.serving(resource); len(on) > 1 && !w.violated() {
		w.violate("S1: %s is served by %s", resource, strings.Join(on, " and "))
	}
}

// serving returns who serves a resource at this instant.
func (w *world) serving(resource string) []string {
	var list []string
	for _, name := range w.names {
		if w.machines[name].kernel.serves(resource) {
			list = append(list, name)
		}
	}
	return list
}

// A standing is the newest that any machine has applied of a node.
type standing struct {
	epoch uint64
	gone  bool
	start uint64        // of the agent: its nonce
	lease time.Duration // how long its leases last
}

// ending is an epoch that is over.
type ending struct {
	epoch     uint64
	restarted bool // by another start of its agent, which may leave the guard as it is (rule 25)
}

// attend is called by every machine with each state that it applies. When the
// first of them learns that an epoch of a node is over, the node must be silent
// already: from this instant on what it served may be given to another (S1).
func (w *world) attend(s state.Snapshot) {
	for _, n := range s.State.Nodes {
		if ended, news := w.learn(n); news {
			w.judgeEnd(n.Id, ended)
		}
	}
}

// learn notes a node's standing and returns the epoch that ended by it.
func (w *world) learn(n *pb.Node) (ended ending, news bool) {
	is := standing{n.Epoch, n.Admission == pb.Admission_ADMISSION_GONE, n.Nonce, n.Lease.AsDuration()}
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.standing[n.Id]
	switch {
	case is.epoch > was.epoch:
		w.standing[n.Id] = is
		if is.gone {
			return ending{epoch: is.epoch}, true
		}
		return ending{is.epoch - 1, is.start != was.start}, true
	case is.epoch == was.epoch && is.gone && !was.gone:
		w.standing[n.Id] = is
		return ending{epoch: is.epoch}, true
	case is.epoch == was.epoch && is.lease > was.lease:
		is.gone = was.gone
		w.standing[n.Id] = is
	}
	return ending{}, false
}

func (w *world) judgeEnd(id string, ended ending) {
	m := w.machines[id]
	if p := m.running(); p != nil {
		if epoch, _, held := p.core.Held(); held && epoch <= ended.epoch {
			w.violate("S1: %s holds its lease of epoch %d, which is over", id, epoch)
		}
	}
	for _, r := range addresses {
		if m.kernel.serves(r) && !ended.restarted {
			w.violate("S1: %s serves %s although its epoch %d is over", id, r, ended.epoch)
		}
	}
}

// silentAfter is how long a machine that reaches nobody may go on serving.
const silentAfter = leaseLength*(100+200*maxDrift)/100 + 10*time.Millisecond

// needsOthers reports whether the machine, as far as it knows, can hold no lease
// by itself: it is not the only voter.
func (m *machine) needsOthers() bool {
	p := m.running()
	return p != nil && len(p.store.Get().State.Electorate.GetVoters()) > 1
}

// bridges reports whether a machine's lease is one for the restart of its agent,
// or was since the epoch began.
func (w *world) bridges(m *machine) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.standing[m.id].lease > leaseLength
}

// judgeSilence checks S3 on a machine that has reached nobody for silentAfter.
func (w *world) judgeSilence(m *machine) {
	if w.bridges(m) {
		return
	}
	for _, id := range addresses {
		if m.needsOthers() && m.kernel.serves(id) {
			w.violate("S3: %s still serves %s %v after it was cut off", m.id, id, silentAfter)
		}
	}
}
