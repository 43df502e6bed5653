package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/cluster/adoption"
	pb "quorate/proto/quorate/v1"
)

// keepalived says keepalived.conf in Quorate's words. Each vrrp_instance becomes a
// group of its addresses that prefers nodes by priority, and, in it, a director of
// the virtual servers at those addresses. Other virtual servers are one director
// of their own.
type keepalived struct {
	*translation
	instances []*instance
	groups    map[string]*Directive // virtual_server_group, by name
	members   []*pb.Node            // of the cluster, which may be real servers
}

// An instance is a vrrp_instance, which several files may have.
type instance struct {
	name      string
	directive *Directive // of the first file that has it
	group     string
	iface     string
	addresses []netip.Addr
	virtuals  []*Virtual
	made      []*Directive // of the virtual servers
	copies    syncDaemon
}

func (t *keepalived) translate() {
	t.groups = make(map[string]*Directive)
	first := &Directive{Block: t.files[0].Directives}
	for _, d := range first.Block {
		if d.holds() {
			t.top(d)
		}
	}
	for _, d := range first.find("vrrp_instance") {
		t.instance(d)
	}
	for _, d := range first.find("vrrp_sync_group") {
		t.syncGroup(d)
	}
	t.track(first)
	t.virtualServers(first)
	t.synchronise(first)
	t.directors()
	t.notify(first)
	t.mail(first)
	t.realServers()
	t.globalDefs(first)
	t.compare()
}

// globalDefs takes a block of which something was taken.
func (t *keepalived) globalDefs(file *Directive) {
	for _, d := range file.find("global_defs") {
		if slices.ContainsFunc(d.Block, func(sub *Directive) bool { return sub.holds() && t.entries[sub].Verdict != adoption.NotTaken }) {
			t.take(d)
		}
	}
}

// leftBlocks are blocks of which nothing is taken.
var leftBlocks = map[string]string{
	"global_defs":              "",
	"static_ipaddress":         "addresses that stay on a node are the system's to set",
	"static_routes":            noRoutes,
	"static_rules":             noRoutes,
	"track_group":              noRoutes,
	"bfd_instance":             "a lost node is found by leases, within half a second; no BFD is needed",
	"garp_group":               announced,
	"linkbeat_interfaces":      "the kernel tells of a lost carrier at once",
	"interface_up_down_delays": "an interface without carrier counts at once",
	"SSL":                      "checks have no client certificate",
	"linkbeat_use_polling":     "the kernel tells of a lost carrier at once",
	"net_namespace":            noProcess,
	"net_namespace_ipvs":       noProcess,
	"namespace_with_ipsets":    noProcess,
	"use_pid_dir":              noProcess,
	"instance":                 noProcess,
	"child_wait_time":          noProcess,
}

// Reasons that many directives share.
const (
	noRoutes   = "routes that stay on a node, and rules, are the system's to set"
	noNotify   = "no program is run on changes; \"quorate events --follow\" tells of them"
	noFault    = "there is no state FAULT: notify_backup runs before the addresses go, for whatever reason"
	announced  = "addresses are announced in a burst, after 1, 5 and 30 seconds, and each minute"
	noProcess  = "it says how keepalived itself runs"
	noVRRP     = "members know each other by the cluster's keys and talk on its own port; no VRRP is spoken"
	noPriority = "the node with the highest priority has the addresses; where it began is forgotten"
)

// top says what becomes of a directive at the top of a file.
func (t *keepalived) top(d *Directive) {
	name := d.Name()
	switch why, left := leftBlocks[name]; {
	case d.Notation:
	case name == "global_defs":
		t.leave(d, "nothing in it has an equal")
		for _, sub := range d.Block {
			if sub.holds() {
				t.leaveAll(sub, global(sub.Name()))
			}
		}
	case left:
		t.leaveAll(d, why)
	case name == "virtual_server_group":
		t.groups[d.word(1)] = d
		t.leaveAll(d, "no virtual_server that can be taken names it")
	}
}

// global says why a directive of global_defs is not taken.
func global(name string) string {
	switch {
	case strings.HasPrefix(name, "notification_email"), strings.HasPrefix(name, "smtp_"):
		return noRecipient
	case strings.Contains(name, "email"):
		return "there is no state FAULT of which mail could be sent"
	case name == "lvs_sync_daemon":
		return "it names no vrrp_instance that has virtual servers"
	case strings.HasPrefix(name, "lvs_flush"):
		return "a director leaves foreign services alone, and removes its own when it stops"
	case name == "lvs_timeouts":
		return "the kernel's timeouts stay as they are"
	case strings.Contains(name, "garp"), strings.Contains(name, "gna"):
		return announced
	case strings.Contains(name, "script"), strings.Contains(name, "notify"), strings.Contains(name, "fifo"):
		return noNotify
	case strings.HasPrefix(name, "enable_snmp"), strings.HasPrefix(name, "snmp"), name == "enable_traps", strings.Contains(name, "dbus"):
		return "there is neither SNMP nor D-Bus"
	case strings.HasPrefix(name, "vrrp_"), name == "router_id", strings.Contains(name, "vmac"), strings.Contains(name, "priority"), name == "default_interface":
		return noVRRP
	case !slices.Contains(globals, name):
		return "it is not known here"
	}
	return noProcess
}

// globals are the other directives of global_defs.
var globals = []string{
	"process_names", "process_name", "checker_process_name", "lvs_process_name", "bfd_process_name", "use_symlink_paths",
	"set_supplementary_groups", "checker_log_all_failures", "dynamic_interfaces", "disable_local_igmp", "v3_checksum_as_v2",
	"nftables", "nftables_priority", "nftables_ifindex", "nftables_ipvs", "nftables_ipvs_priority", "nftables_ipvs_start_fwmark",
	"nftables_counters", "checker_no_swap", "checker_rt_priority", "checker_cpu_affinity", "checker_rlimit_rttime",
	"checker_rlimit_rtime", "bfd_no_swap", "bfd_rt_priority", "bfd_cpu_affinity", "bfd_rlimit_rttime", "bfd_rlimit_rtime",
	"process_monitor_rcv_bufs", "process_monitor_rcv_bufs_force", "lvs_netlink_cmd_rcv_bufs", "lvs_netlink_cmd_rcv_bufs_force",
	"lvs_netlink_monitor_rcv_bufs", "lvs_netlink_monitor_rcv_bufs_force", "rs_init_notifies", "log_unknown_vrids", "umask",
	"random_seed", "reload_check_config", "reload_time_file", "reload_repeat", "reload_file", "include_check", "config_save_dir",
	"tmp_config_directory", "data_use_instance", "json_version", "iproute_usr_dir", "iproute_etc_dir", "state_dump_file",
	"stats_dump_file", "json_dump_file",
}

// leftOfInstance are directives of a vrrp_instance without an equal.
var leftOfInstance = map[string]string{
	"use_vmac": noVRRP, "use_vmac_addr": noVRRP, "vmac_xmit_base": noVRRP, "use_ipvlan": noVRRP, "unicast_peer": noVRRP,
	"unicast_fault_no_peer": noVRRP, "check_unicast_src": noVRRP, "old_unicast_checksum": noVRRP, "native_ipv6": noVRRP,
	"vrf": noVRRP, "mcast_src_ip": noVRRP, "unicast_src_ip": noVRRP, "mcast_dst_ip": noVRRP, "track_src_ip": noVRRP,
	"virtual_router_id": noVRRP, "unicast_ttl": noVRRP, "version": noVRRP, "authentication": noVRRP, "auth_type": noVRRP,
	"auth_pass": noVRRP, "auth_hmac": noVRRP, "v3_checksum_as_v2": noVRRP, "skip_check_adv_addr": noVRRP, "strict_mode": noVRRP,
	"lower_prio_no_advert": noVRRP, "higher_prio_send_advert": noVRRP, "owner_ignore_adverts": noVRRP, "kernel_rx_buf_size": noVRRP,
	"accept": noVRRP, "no_accept": noVRRP, "no_virtual_ipaddress": noVRRP, "timer_expired_backup": noVRRP, "thread_timer_expired": noVRRP,
	"advert_int":                 "a lost node is found by leases: see the property profile, and \"quorate cluster status\" for how fast",
	"down_timer_adverts":         "a lost node is found by leases: see the property profile",
	"state":                      noPriority,
	"dont_track_primary":         "an address always leaves a node whose interface has no carrier",
	"track_bfd":                  leftBlocks["bfd_instance"],
	"virtual_rules":              "rules of routing are the system's to set; a route in a table of its own can be there always",
	"promote_secondaries":        "no sysctl of an interface is changed for an address",
	"linkbeat_use_polling":       leftBlocks["linkbeat_interfaces"],
	"debug":                      noProcess,
	"notify_fault":               noFault,
	"notify_stop":                "what notify_backup runs is run when the node stops, too",
	"notify_deleted":             noNotify,
	"notify_master_rx_lower_pri": noNotify,
	"notify_priority_changes":    noNotify,
	"lvs_sync_daemon_interface":  "no virtual server has an address of the instance",
	"garp_master_delay":          announced,
	"garp_master_refresh":        announced,
	"garp_master_repeat":         announced,
	"garp_master_refresh_repeat": announced,
	"garp_lower_prio_delay":      announced,
	"garp_lower_prio_repeat":     announced,
	"garp_extra_if":              announced,
	"vmac_garp_intvl":            announced,
}

// instance makes the group of a vrrp_instance.
func (t *keepalived) instance(d *Directive) {
	in := &instance{name: d.word(1), directive: d, group: named(d.word(1))}
	if d.word(1) == "" || !d.Opened {
		t.leaveAll(d, "it has no name, or no block")
		return
	}
	if i := slices.IndexFunc(t.instances, func(o *instance) bool { return o.group == in.group }); i >= 0 {
		t.leaveAll(d, fmt.Sprintf("line %d has an instance of that name", t.instances[i].directive.Line))
		return
	}
	t.instances = append(t.instances, in)
	for _, sub := range d.Block {
		if why, left := leftOfInstance[sub.Name()]; left && sub.holds() {
			t.leaveAll(sub, why)
		}
	}
	if i := d.last("interface"); i != nil {
		in.iface = i.word(1)
		t.take(i)
	}
	t.trackInterface(in)
	meta := t.failback(in)
	for _, block := range d.find("virtual_ipaddress", "virtual_ipaddress_excluded") {
		t.take(block)
		for _, a := range block.Block {
			if a.holds() {
				t.address(in, a, meta)
			}
		}
	}
	if len(in.addresses) == 0 {
		t.leave(d, "no address of it can be taken")
		return
	}
	t.take(d)
	t.routes(in)
	t.priorities(in)
}

// trackInterface takes what an address does by itself.
func (t *keepalived) trackInterface(in *instance) {
	for _, block := range in.directive.find("track_interface") {
		t.take(block)
		for _, d := range block.Block {
			switch {
			case !d.holds():
			case d.Name() == in.iface && len(d.Words) == 1:
				t.take(d)
			case d.Name() == in.iface:
				t.approximate(d, "without a carrier the addresses leave the node, whatever the weight")
			default:
				t.leave(d, "only the interfaces that have the addresses are watched")
			}
		}
	}
}

// failback returns the meta attributes of the group that say when it returns.
// Preempting is keepalived's default, whatever the difference of priorities.
func (t *keepalived) failback(in *instance) map[string]string {
	stay, delay := in.directive.last("nopreempt"), in.directive.last("preempt_delay")
	t.take(in.directive.find("preempt")...)
	switch {
	case stay != nil:
		t.take(stay)
		if delay != nil {
			t.leave(delay, "it means nothing with nopreempt")
		}
		return map[string]string{"failback": "manual"}
	case delay != nil && number(delay.word(1)) > 0:
		t.take(delay)
		return map[string]string{"failback": fmt.Sprintf("delay %ds", number(delay.word(1)))}
	case delay != nil:
		t.take(delay)
	}
	return map[string]string{"failback": "auto"}
}

// An addressLine is ADDRESS[/PREFIX] with options.
type addressLine struct {
	prefix    netip.Prefix
	nic       string
	broadcast string
	label     string
	dropped   []string
}

// parseAddress reads a line of virtual_ipaddress. Without a prefix an address is
// a network of its own, as in keepalived.
func parseAddress(d *Directive, nic string) (a addressLine, problem string) {
	a.nic = nic
	text := d.Name()
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return a, fmt.Sprintf("%q is not an address", text)
		}
		a.prefix = netip.PrefixFrom(addr, addr.BitLen())
	} else {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return a, fmt.Sprintf("%q is not an address with a prefix", text)
		}
		a.prefix = p
	}
	for i := 1; i < len(d.Words); i++ {
		switch option, value := d.Words[i], d.word(i+1); option {
		case "dev":
			a.nic = value
			i++
		case "brd":
			a.broadcast = value
			i++
		case "label":
			_, a.label, _ = strings.Cut(value, ":")
			i++
		case "scope", "peer", "preferred_lft", "track_group", "rmdir":
			a.dropped = append(a.dropped, strings.TrimSpace(option+" "+value))
			i++
		default:
			a.dropped = append(a.dropped, option)
		}
	}
	return a, ""
}

func (a addressLine) resource() *pb.Resource {
	p := map[string]string{"ip": a.prefix.Addr().String(), "cidr_netmask": fmt.Sprint(a.prefix.Bits())}
	for name, value := range map[string]string{"nic": a.nic, "broadcast": a.broadcast, "iflabel": a.label} {
		if value != "" {
			p[name] = value
		}
	}
	return &pb.Resource{Id: vipName(a.prefix.Addr()), Agent: vipAgent, Parameters: p}
}

// address makes the resource of an address.
func (t *keepalived) address(in *instance, d *Directive, meta map[string]string) {
	a, problem := parseAddress(d, in.iface)
	if problem != "" {
		t.leave(d, problem)
		return
	}
	for _, other := range t.instances {
		if slices.Contains(other.addresses, a.prefix.Addr()) {
			t.leave(d, fmt.Sprintf("instance %s has that address already", other.name))
			return
		}
	}
	in.addresses = append(in.addresses, a.prefix.Addr())
	t.take(d)
	if len(a.dropped) > 0 {
		t.approximate(d, "without "+strings.Join(a.dropped, ", "))
	}
	t.offer([]*Directive{d}, member{group: in.group, meta: meta, resource: a.resource()}.add)
}

// priorities makes locations of the priorities that the nodes' files have.
func (t *keepalived) priorities(in *instance) {
	for _, f := range t.files {
		own := (&Directive{Block: f.Directives}).find("vrrp_instance")
		i := slices.IndexFunc(own, func(d *Directive) bool { return d.word(1) == in.name })
		if i < 0 {
			continue
		}
		p := own[i].last("priority")
		if p == nil {
			continue
		}
		score := number(p.word(1))
		switch {
		case f.Node == "":
			t.leave(p, "whose file it is is not said: give the files of all nodes as NODE=FILE, and priorities become preferences")
		case score < 1 || score > 255:
			t.leave(p, "a priority is a number from 1 to 255")
		default:
			t.take(p)
			t.offer([]*Directive{p}, func(c *pb.Configuration) string {
				if !hasGroup(c, in.group) {
					return "no address of the instance was taken"
				}
				constrain(c, location(in.group, f.Node, int64(score)))
				return ""
			})
		}
	}
}

// syncGroup keeps instances together.
func (t *keepalived) syncGroup(d *Directive) {
	names := t.syncMembers(d)
	for _, sub := range d.Block {
		if why, left := leftOfInstance[sub.Name()]; left && sub.holds() {
			t.leaveAll(sub, why)
		}
	}
	for _, name := range []string{"track_interface", "global_tracking", "sync_group_tracking_weight"} {
		for _, sub := range d.find(name) {
			t.leaveAll(sub, "each instance watches its own interfaces")
		}
	}
	var members []*instance
	for _, n := range names {
		i := slices.IndexFunc(t.instances, func(in *instance) bool { return in.name == n.Name() && len(in.addresses) > 0 })
		if i < 0 {
			t.leave(n, "no such instance was taken")
			continue
		}
		t.take(n)
		members = append(members, t.instances[i])
	}
	if len(members) < 2 {
		t.leave(d, "fewer than two of its instances were taken")
		return
	}
	t.approximate(d, "the instances are kept on one node; when one cannot run there, all move")
	for _, in := range members[1:] {
		t.together(d, in.group, members[0].group)
	}
}

// syncMembers are the names in group { … }, or, in the old form, in the block itself.
func (t *keepalived) syncMembers(d *Directive) []*Directive {
	if g := d.last("group"); g != nil {
		t.take(g)
		return slices.DeleteFunc(slices.Clone(g.Block), func(n *Directive) bool { return !n.holds() })
	}
	var names []*Directive
	for _, sub := range d.Block {
		if len(sub.Words) == 1 && sub.holds() && slices.ContainsFunc(t.instances, func(in *instance) bool { return in.name == sub.Name() }) {
			names = append(names, sub)
		}
	}
	return names
}

func (t *keepalived) together(d *Directive, dependent, with string) {
	t.offer([]*Directive{d}, func(c *pb.Configuration) string {
		if !hasGroup(c, dependent) || !hasGroup(c, with) {
			return "not all of its instances were taken"
		}
		constrain(c, &pb.Constraint{
			Id:   dependent + "-with-" + with,
			Kind: &pb.Constraint_Colocation{Colocation: &pb.Colocation{Resource: dependent, With: with, Score: infinity}},
		})
		return ""
	})
}

// infinity is the score of what must be.
const infinity = 1000000

// directors makes a director of each instance's virtual servers.
func (t *keepalived) directors() {
	for _, in := range t.instances {
		if len(in.virtuals) == 0 {
			continue
		}
		var of []*Directive
		for _, d := range in.made {
			of = append(of, all(d)...)
		}
		t.offer(of, member{group: in.group, first: true, resource: director(in.director(), in.virtuals, in.copies)}.add)
	}
}

// ownDirectives are a node's own, and may differ.
var ownDirectives = []string{"priority", "state", "router_id", "mcast_src_ip", "unicast_src_ip", "unicast_peer", "lvs_sync_daemon", "lvs_sync_daemon_interface"}

// compare says of each directive of the other files whether the first has it, too.
func (t *keepalived) compare() {
	for _, f := range t.files[1:] {
		t.compareBlocks(&Directive{Block: t.files[0].Directives}, &Directive{Block: f.Directives}, f.Node)
	}
}

// identified are blocks that are told apart by their words.
var identified = []string{"vrrp_instance", "vrrp_sync_group", "vrrp_script", "vrrp_track_process", "track_file", "vrrp_track_file", "virtual_server", "virtual_server_group", "real_server", "sorry_server"}

// counterpart is the directive of a block that another one is compared with: the
// one with the same words, or, of those that occur once, with the same name.
func counterpart(in, d *Directive) *Directive {
	for _, c := range in.Block {
		if slices.Equal(c.Words, d.Words) && c.Opened == d.Opened {
			return c
		}
	}
	if slices.Contains(identified, d.Name()) || len(d.Words) < 2 {
		return nil
	}
	return in.last(d.Name())
}

func (t *keepalived) compareBlocks(first, other *Directive, node string) {
	for _, d := range other.Block {
		if !d.holds() {
			continue
		}
		c := counterpart(first, d)
		if t.entries[d].Verdict != adoption.NotTaken {
			t.compareBlocks(cmp.Or(c, &Directive{}), d, node)
			continue // a priority: it is taken by itself
		}
		switch {
		case c == nil:
			t.leaveAll(d, fmt.Sprintf("%s does not have it, and the first file counts", t.files[0].Name))
		case !slices.Equal(c.Words, d.Words) && !slices.Contains(ownDirectives, d.Name()):
			t.leave(d, fmt.Sprintf("it differs from %s:%d, which counts", c.File, c.Line))
		default:
			t.entries[d].Verdict, t.entries[d].Note = t.entries[c].Verdict, t.entries[c].Note
			t.follow(d, c)
			t.compareBlocks(c, d, node)
		}
	}
	t.missing(first, other, node)
}

// missing says of what only the first file has that another does not have it.
func (t *keepalived) missing(first, other *Directive, node string) {
	for _, c := range first.Block {
		e := t.entries[c]
		if !c.holds() || e.Verdict != adoption.Taken || e.Note != "" {
			continue
		}
		if counterpart(other, c) == nil {
			e.Note = fmt.Sprintf("%s does not have it", cmp.Or(node, "another file"))
		}
	}
}

// follow lets a directive of another file share the fate of the first's: what is
// refused there is refused here.
func (t *keepalived) follow(d, c *Directive) {
	for _, p := range t.of[t.entries[c]] {
		p.Entries = append(p.Entries, t.entries[d])
	}
}
