package lvs

import (
	"fmt"
	"slices"
	"strconv"

	pb "quorate/proto/quorate/v1"
)

// healthAgent is the agent of what is tracked: a clone, whose checks set an attribute
// of each node.
const healthAgent = "health"

// A tracker is a vrrp_script, vrrp_track_process or track_file: something that
// instances track.
type tracker struct {
	d          *Directive
	id         string // of its resource, and of the attribute
	parameters map[string]string
	file       bool // its value is a number, not 1 or 0
	weight     weight
	made       []string // resources that were offered already
}

// A weight is what a tracker adds to a priority: when it passes, if it is positive,
// and else when it does not. Weight 0 takes the node out.
type weight struct {
	n       int
	reverse bool
}

// track makes health resources of what the instances track, and locations.
func (t *keepalived) track(file *Directive) {
	trackers := map[string][]*tracker{
		"track_script":  t.trackers(file, (*keepalived).script, "vrrp_script"),
		"track_process": t.trackers(file, (*keepalived).process, "vrrp_track_process"),
		"track_file":    t.trackers(file, (*keepalived).trackFile, "track_file", "vrrp_track_file"),
	}
	for _, in := range t.instances {
		if in.directive != nil {
			t.trackIn(in.directive, []*instance{in}, trackers)
		}
	}
	for _, d := range file.find("vrrp_sync_group") {
		t.trackIn(d, t.instancesOf(d), trackers)
	}
	for _, list := range trackers {
		for _, k := range list {
			if len(k.made) == 0 {
				t.leaveAll(k.d, "no instance that is taken tracks it")
			}
		}
	}
}

// trackers reads the blocks of a kind.
func (t *keepalived) trackers(file *Directive, read func(*keepalived, *tracker) string, names ...string) (list []*tracker) {
	for _, d := range file.find(names...) {
		k := &tracker{d: d, parameters: make(map[string]string)}
		if d.word(1) == "" || !d.Opened {
			t.leaveAll(d, "it has no name, or no block")
			continue
		}
		t.take(d)
		if problem := read(t, k); problem != "" {
			t.leaveAll(d, problem)
			continue
		}
		list = append(list, k)
	}
	return list
}

// instancesOf are the instances of a sync group that were taken.
func (t *keepalived) instancesOf(d *Directive) (list []*instance) {
	for _, n := range t.syncMembers(d) {
		i := slices.IndexFunc(t.instances, func(in *instance) bool { return in.name == n.Name() && len(in.addresses) > 0 })
		if i >= 0 {
			list = append(list, t.instances[i])
		}
	}
	return list
}

// trackIn reads the track_… blocks of an instance, or of a sync group.
func (t *keepalived) trackIn(d *Directive, of []*instance, trackers map[string][]*tracker) {
	for _, kind := range []string{"track_script", "track_process", "track_file"} {
		for _, block := range d.find(kind) {
			t.take(block)
			for _, line := range block.Block {
				if line.holds() {
					t.trackLine(d, line, of, trackers[kind])
				}
			}
		}
	}
}

// trackLine reads NAME [weight N [reverse|noreverse]].
func (t *keepalived) trackLine(in, line *Directive, of []*instance, trackers []*tracker) {
	i := slices.IndexFunc(trackers, func(k *tracker) bool { return k.d.word(1) == line.Name() })
	switch {
	case i < 0:
		t.leave(line, "nothing of that name was taken")
		return
	case len(of) == 0:
		t.leave(line, "no address of it was taken")
		return
	}
	k, w := trackers[i], trackers[i].weight
	if line.word(1) == "weight" {
		w = weightOf(line.Words[2:])
	}
	t.take(line)
	if w.n != 0 && t.inSyncGroup(in) {
		w.n = 0
		t.approximate(line, "in a sync group it counts as weight 0, as there")
	}
	clone := t.makeTracker(k, w)
	for _, member := range of {
		t.place(line, member.group, k, w, clone)
	}
}

// inSyncGroup reports whether a directive is an instance of a sync group whose weights
// do not count (keepalived.conf(5), "VRRP synchronization group").
func (t *keepalived) inSyncGroup(in *Directive) bool {
	if in.Name() != "vrrp_instance" {
		return in.last("sync_group_tracking_weight") == nil
	}
	for _, d := range (&Directive{Block: t.files[0].Directives}).find("vrrp_sync_group") {
		if slices.ContainsFunc(t.syncMembers(d), func(n *Directive) bool { return n.Name() == in.word(1) }) {
			return d.last("sync_group_tracking_weight") == nil
		}
	}
	return false
}

// weightOf reads N [reverse|noreverse].
func weightOf(words []string) weight {
	w := weight{reverse: slices.Contains(words, "reverse")}
	if len(words) > 0 {
		w.n, _ = strconv.Atoi(words[0]) // 0 as in keepalived, which logs it
		w.n = max(-254, min(w.n, 254))
	}
	return w
}

// makeTracker offers the resource of a tracker, unless it was, and returns its id. A
// file's number is multiplied by the weight there, so each weight has a resource.
func (t *keepalived) makeTracker(k *tracker, w weight) (id string) {
	id, parameters := k.id, k.parameters
	if factor := k.factor(w); k.file && factor != 1 {
		id = fmt.Sprintf("%s-times-%d", id, factor)
		parameters = map[string]string{"file": k.parameters["file"], "weight": strconv.Itoa(factor)}
	}
	if slices.Contains(k.made, id) {
		return id
	}
	k.made = append(k.made, id)
	t.offer(all(k.d), func(c *pb.Configuration) string {
		setResource(c, &pb.Resource{Id: id, Agent: healthAgent, Parameters: parameters})
		if cloneID := id + "-clone"; !slices.ContainsFunc(c.Clones, func(o *pb.Clone) bool { return o.Id == cloneID }) {
			c.Clones = append(c.Clones, &pb.Clone{Id: cloneID, Member: id})
		}
		return ""
	})
	return id
}

// factor is what a file's number is multiplied by.
func (k *tracker) factor(w weight) int {
	switch {
	case w.n == 0:
		return 1
	case w.reverse:
		return -w.n
	}
	return w.n
}

// place makes the location by which a group follows a tracker, and lets it wait for
// the first answer where both start.
func (t *keepalived) place(line *Directive, group string, k *tracker, w weight, id string) {
	where := k.rule(w, id)
	where.Resource = group
	t.offer([]*Directive{line}, func(c *pb.Configuration) string {
		switch {
		case !hasGroup(c, group):
			return "no address of the instance was taken"
		case !slices.ContainsFunc(c.Resources, func(r *pb.Resource) bool { return r.Id == id }):
			return fmt.Sprintf("%s in line %d was not taken", k.d.Name(), k.d.Line)
		}
		constrain(c, &pb.Constraint{Id: group + "-by-" + id, Kind: &pb.Constraint_Location{Location: where}})
		constrain(c, &pb.Constraint{
			Id:   group + "-after-" + id,
			Kind: &pb.Constraint_Order{Order: &pb.Order{First: id + "-clone", Then: group, Kind: pb.OrderKind_ORDER_KIND_OPTIONAL}},
		})
		return ""
	})
}

// rule is the location of a tracker, but for the resource.
func (k *tracker) rule(w weight, id string) *pb.Location {
	is := func(comparison pb.Comparison, value string) *pb.Condition {
		return &pb.Condition{Kind: &pb.Condition_Attribute{Attribute: &pb.AttributeCondition{Attribute: id, Comparison: comparison, Value: value}}}
	}
	up := w.n > 0 || w.n == 0 && w.reverse // what the score is for
	l := &pb.Location{Score: int64(w.n)}
	switch {
	case w.n == 0:
		l.Score = -infinity
	case w.reverse:
		l.Score = -l.Score
	}
	switch {
	case k.file && w.n != 0:
		l.Score, l.ScoreAttribute = 0, id
		l.Rule = &pb.Rule{Conditions: []*pb.Condition{is(pb.Comparison_COMPARISON_DEFINED, "")}}
	case k.file && !w.reverse: // any number but 0 is a failure
		l.Rule = &pb.Rule{Conditions: []*pb.Condition{is(pb.Comparison_COMPARISON_DEFINED, ""), is(pb.Comparison_COMPARISON_NE, "0")}}
	case up && !k.file:
		l.Rule = &pb.Rule{Conditions: []*pb.Condition{is(pb.Comparison_COMPARISON_EQ, "1")}}
	default:
		l.Rule = &pb.Rule{Conditions: []*pb.Condition{is(pb.Comparison_COMPARISON_EQ, "0")}}
	}
	return l
}
