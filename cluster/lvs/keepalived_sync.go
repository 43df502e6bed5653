package lvs

import (
	"fmt"
	"slices"
)

// synchronise lets the director of an instance copy its connections, as
// lvs_sync_daemon in global_defs and lvs_sync_daemon_interface say. keepalived's id
// is the instance's virtual_router_id unless it is given.
func (t *keepalived) synchronise(file *Directive) {
	for _, in := range t.instances {
		if in.directive == nil || len(in.virtuals) == 0 {
			continue
		}
		if d := in.directive.last("lvs_sync_daemon_interface"); d != nil && d.word(1) != "" {
			in.copies = syncDaemon{iface: d.word(1)}
			in.made = append(in.made, d)
			t.take(d)
		}
	}
	for _, defs := range file.find("global_defs") {
		for _, d := range defs.find("lvs_sync_daemon") {
			t.syncDaemon(d)
		}
	}
	for _, in := range t.instances {
		if in.copies.iface == "" || in.copies.id > 0 {
			continue
		}
		if d := in.directive.last("virtual_router_id"); d != nil && number(d.word(1)) > 0 && number(d.word(1)) <= 255 {
			in.copies.id = number(d.word(1))
			in.made = append(in.made, d)
			t.approximate(d, "it numbers the copies of connections; no VRRP is spoken")
		}
	}
}

// syncDaemon reads INTERFACE [[inst] INSTANCE] [id ID] [maxlen, port, ttl, group …].
func (t *keepalived) syncDaemon(d *Directive) {
	copies, name, dropped := syncDaemon{iface: d.word(1)}, "", ""
	for i := 2; i < len(d.Words); i++ {
		switch word := d.Words[i]; {
		case word == "inst":
			i++
			name = d.word(i)
		case word == "id":
			i++
			copies.id = number(d.word(i))
		case slices.Contains([]string{"maxlen", "port", "ttl", "group"}, word):
			i++
			dropped += fmt.Sprintf(" %s %s", word, d.word(i))
		default:
			name = word
		}
	}
	i := slices.IndexFunc(t.instances, func(in *instance) bool { return in.directive != nil && in.name == name && len(in.virtuals) > 0 })
	if i < 0 || copies.iface == "" || copies.id > 255 {
		return // it stays left, with a reason
	}
	t.instances[i].copies = copies
	t.instances[i].made = append(t.instances[i].made, d)
	t.take(d)
	if dropped != "" {
		t.approximate(d, "without"+dropped)
	}
}
