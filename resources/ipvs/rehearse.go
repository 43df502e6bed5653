package ipvs

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// The kernel tells nobody how much of a table was copied. What it does is known: a
// master sends a connection again when it carries something and was last sent
// sync_refresh_period ago (see sysctls), within two seconds. So a node that has
// received for the time of sync_wait knows all connections that carried anything
// within the last sync_wait - 7 s.

// spare is how much longer than sync_wait a move waits for a node that says nothing:
// it may be slow to stand.
const spare = 15 * time.Second

// A hearing is what a node receives, and since when without a gap. What it was sent
// while it was the master itself it knows, too.
type hearing struct {
	link  string
	id    uint32
	since time.Time
}

// Rehearse implements [resources.Rehearser].
func (a *Agent) Rehearse(r *pb.Resource) *resources.Rehearsal {
	s, err := a.parse(r)
	if err != nil || s.sync == nil || s.sync.wait == 0 {
		return nil // a start will say what is wrong
	}
	a.syncing.Lock()
	defer a.syncing.Unlock()
	h, ok := a.hears[r.GetId()]
	if ok {
		return &resources.Rehearsal{Since: h.since, Length: s.sync.wait, Text: "open connections are copied to it over " + h.link}
	}
	why := "its sync daemon does not run"
	if _, err := s.sync.daemon(Backup); err != nil {
		why = err.Error()
	}
	return &resources.Rehearsal{Length: s.sync.wait, Text: fmt.Sprintf("open connections are not copied to it: %s", why)}
}

// hear notes what is received now that the daemons were set, or were not.
// a.syncing is held.
func (a *Agent) hear(failed error) {
	before := a.hears
	a.hears = make(map[string]hearing)
	if failed != nil {
		return
	}
	for id, d := range a.roles {
		h := hearing{d.Link, d.ID, time.Now()}
		if old, ok := before[id]; ok && old.link == h.link && old.id == h.id {
			h = old
		}
		a.hears[id] = h
	}
}

// Traits implements [resources.Judge]: a director that copies its connections waits
// for who has yet to receive them.
func (a *Agent) Traits(r *pb.Resource) *pb.Traits {
	t := proto.CloneOf(metadata.GetTraits())
	sync, err := parseSync(r)
	if err == nil && sync != nil && sync.wait > 0 {
		t.CatchUp = durationpb.New(sync.wait + spare)
	}
	return t
}
