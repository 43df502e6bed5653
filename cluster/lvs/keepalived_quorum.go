package lvs

import "strconv"

// Notes that several directives share.
const (
	whereDirects = "it runs on the node that directs alone, as the agent"
	warmedUp     = "first checks are spread over a second"
	ofAllServers = "it is the virtual server's to say, for all its real servers"
)

// quorum reads how much weight a virtual server needs, and what is run when it has
// it or has it no more.
func (t *keepalived) quorum(d *Directive, v *Virtual) {
	for name, into := range map[string]*int{"quorum": &v.Quorum, "hysteresis": &v.Hysteresis} {
		if q := d.last(name); q != nil {
			*into = number(q.word(1))
			t.take(q)
		}
	}
	if h := d.last("hysteresis"); h != nil && v.Hysteresis > max(v.Quorum, 1) {
		v.Hysteresis = max(v.Quorum, 1)
		t.approximate(h, "as "+strconv.Itoa(v.Hysteresis)+": with more than the quorum it could never be lost")
	}
	for name, into := range map[string]*bool{"alpha": &v.Alpha, "omega": &v.Omega} {
		if a := d.last(name); a != nil {
			*into = !negative(a.word(1))
			t.take(a)
		}
	}
	t.program(d.last("quorum_up"), &v.Up)
	t.program(d.last("quorum_down"), &v.Down)
	if w := d.last("warmup"); w != nil {
		t.approximate(w, warmedUp)
	}
}

// notified reads what is run when a real server comes and goes.
func (t *keepalived) notified(d *Directive, v *Virtual, r *Real) {
	t.program(d.last("notify_up"), &r.Up)
	t.program(d.last("notify_down"), &r.Down)
	t.ofAll(d, v)
}

// ofAll reads what a real server or a check says that only the virtual server can say.
func (t *keepalived) ofAll(d *Directive, v *Virtual) {
	if a := d.last("alpha"); a != nil {
		if negative(a.word(1)) == v.Alpha {
			t.leave(a, ofAllServers)
		} else {
			t.take(a)
		}
	}
	if w := d.last("warmup"); w != nil {
		t.approximate(w, warmedUp)
	}
}

// program reads SCRIPT [USER [GROUP]].
func (t *keepalived) program(d *Directive, into *string) {
	if d == nil {
		return
	}
	if d.word(1) == "" {
		t.leave(d, "it names no program")
		return
	}
	command, _, problem := commandOf(d.Words[1:2])
	if problem != "" {
		t.leave(d, problem)
		return
	}
	*into = command
	t.approximate(d, whereDirects)
}
