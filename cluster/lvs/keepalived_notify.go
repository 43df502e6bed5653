package lvs

import (
	"fmt"

	pb "quorate/proto/quorate/v1"
)

// hookAgent is the agent of notify scripts.
const hookAgent = "hook"

// notify makes hooks of the scripts that instances and sync groups run on changes of
// their state. Those of a sync group go with its first instance.
func (t *keepalived) notify(file *Directive) {
	for _, in := range t.instances {
		if in.directive != nil && len(in.addresses) > 0 {
			t.hooks(in.directive, in.group, "INSTANCE", named(in.name)+"-hook")
		}
	}
	for _, d := range file.find("vrrp_sync_group") {
		if of := t.instancesOf(d); len(of) > 0 {
			t.hooks(d, of[0].group, "GROUP", named(d.word(1))+"-sync-hook")
		}
	}
}

// hooks makes one of notify_master and notify_backup, and one of notify, which is
// told what has changed (keepalived.conf(5), "notify scripts").
func (t *keepalived) hooks(d *Directive, group, kind, id string) {
	t.hook(group, id, d.last("notify_master"), d.last("notify_backup"), "", "")
	all := d.last("notify")
	if all == nil {
		return
	}
	priority := "100"
	if p := d.last("priority"); p != nil {
		priority = p.word(1)
	}
	told := func(state string) string { return fmt.Sprintf(" %s %s %s %s", kind, named(d.word(1)), state, priority) }
	t.hook(group, id+"-all", all, all, told("MASTER"), told("BACKUP"))
}

// hook makes one, as the last of its group: it starts when the addresses are there, and
// stops before they go.
func (t *keepalived) hook(group, id string, start, stop *Directive, started, stopped string) {
	parameters := make(map[string]string)
	var of []*Directive
	for _, h := range []struct {
		name, told string
		d          *Directive
	}{{"start", started, start}, {"stop", stopped, stop}} {
		if h.d == nil {
			continue
		}
		command, problem := t.hookCommand(h.d, h.told)
		if problem != "" {
			t.leave(h.d, problem)
			return
		}
		parameters[h.name], of = command, append(of, h.d)
	}
	if len(of) == 0 {
		return
	}
	for _, d := range of {
		note := "it runs when the addresses have come, as the agent"
		if d == stop {
			note = "it runs before the addresses go, as the agent, and not when the node is lost"
		}
		if start == stop {
			note = "it runs when the addresses have come and before they go, as the agent, and not for FAULT and STOP"
		}
		t.approximate(d, note)
	}
	m := member{group: group, resource: &pb.Resource{Id: id, Agent: hookAgent, Parameters: parameters}}
	t.offer(of, func(c *pb.Configuration) string {
		if !hasGroup(c, group) {
			return "no address of the instance was taken"
		}
		return m.add(c)
	})
}

// hookCommand reads SCRIPT [USER [GROUP]].
func (t *keepalived) hookCommand(d *Directive, told string) (command, problem string) {
	if d.word(1) == "" {
		return "", "it names no program"
	}
	command, note, problem := commandOf(d.Words[1:2])
	if problem == "" && note == shellNote && told != "" {
		problem = "it is for a shell, which takes no arguments: put it into a file"
	}
	return command + told, problem
}
