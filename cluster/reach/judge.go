package reach

import "time"

// A judge decides whether a node is isolated: it reaches no target for the
// patience it has, and is so until it has reached one all the time for as long
// again, and as long once more, so that a flapping link moves things once.
//
// Its zero value has seen nothing: not isolated.
type judge struct {
	known    bool // there was time to find out
	isolated bool
	lost     time.Duration // when it last reached none, while isolated
}

// look judges anew by the newest answered question, and says whether the verdict
// has changed. Targets that were set after since had no time to answer yet.
func (j *judge) look(now, since, newest, patience time.Duration) bool {
	reached := now-newest < patience
	switch {
	case !j.isolated && reached:
		news := !j.known
		j.known = true
		return news
	case !j.isolated:
		if now-since < patience {
			return false
		}
		j.known, j.isolated, j.lost = true, true, now
		return true
	case !reached:
		j.lost = now
		return false
	case now-j.lost < 2*patience:
		return false
	}
	j.isolated = false
	return true
}

// look brings the verdict up to date. Without targets there is nobody out of
// reach. p.mu is held.
func (p *Pinger) look(now time.Duration) {
	switch none := (judge{known: true}); {
	case len(p.targets) > 0:
		if p.judge.look(now, p.since, p.newest(), p.Patience) {
			p.tell()
		}
	case p.judge != none:
		p.judge = none
		p.tell()
	}
}

// tell wakes who waits for a change of the verdict. p.mu is held.
func (p *Pinger) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Isolated reports whether this node reaches none of its targets, once it is
// known: a Pinger that has just begun has to wait for an answer.
func (p *Pinger) Isolated() (isolated, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.judge.isolated, p.judge.known
}

// Changed is closed when Isolated next changes; take it before the answer.
func (p *Pinger) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}
