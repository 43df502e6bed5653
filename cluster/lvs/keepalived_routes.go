package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// routeAgent is the agent of virtual_routes.
const routeAgent = "route"

// routes makes resources of an instance's virtual_routes, which follow its addresses.
func (t *keepalived) routes(in *instance) {
	var ids []string
	for _, block := range in.directive.find("virtual_routes") {
		t.take(block)
		for _, d := range block.Block {
			if !d.holds() {
				continue
			}
			r, problem := parseRoute(d, in.iface)
			if problem != "" {
				t.leave(d, problem)
				continue
			}
			t.take(d)
			if len(r.dropped) > 0 {
				t.approximate(d, "without "+strings.Join(r.dropped, ", "))
			}
			id := fmt.Sprintf("%s-route-%s", in.group, named(r.parameters["destination"]))
			for n := 2; slices.Contains(ids, id); n++ {
				id = fmt.Sprintf("%s-route-%s-%d", in.group, named(r.parameters["destination"]), n)
			}
			ids = append(ids, id)
			m := member{group: in.group, resource: &pb.Resource{Id: id, Agent: routeAgent, Parameters: r.parameters}}
			t.offer([]*Directive{d}, func(c *pb.Configuration) string {
				if !hasGroup(c, in.group) {
					return "no address of the instance was taken"
				}
				return m.add(c)
			})
		}
	}
}

// A routeLine is [TYPE] [src A] [to] DESTINATION [via|gw A [or A]] [dev D] and more.
type routeLine struct {
	parameters map[string]string
	dropped    []string
}

// routeNames are options in the words of the agent.
var routeNames = map[string]string{
	"src": "source", "via": "gateway", "gw": "gateway", "dev": "device", "to": "destination",
	"metric": "metric", "priority": "metric", "preference": "metric",
}

// tables are those that have names everywhere (rt_tables of iproute2).
var tables = map[string]string{"main": "254", "default": "253", "local": "255"}

// parseRoute reads a line of virtual_routes (keepalived.conf(5), "static_routes").
func parseRoute(d *Directive, iface string) (r routeLine, problem string) {
	r.parameters = make(map[string]string)
	for i := 0; i < len(d.Words); i++ {
		word := d.Words[i]
		ours, takes := routeNames[word]
		switch {
		case takes && i+1 < len(d.Words) && slices.Contains([]string{"inet", "inet6"}, d.Words[i+1]):
			i += 2
			r.parameters[ours] = d.word(i)
		case takes:
			i++
			r.parameters[ours] = d.word(i)
		case word == "table":
			i++
			if problem := r.table(d.word(i)); problem != "" {
				return r, problem
			}
		case slices.Contains([]string{"unicast", "blackhole", "unreachable", "prohibit"}, word):
			r.parameters["type"] = word
		case slices.Contains([]string{"throw", "local", "broadcast", "multicast", "anycast", "nat", "nexthop"}, word):
			return r, fmt.Sprintf("a route with %s is not available", word)
		case word == "default" || isNetwork(word):
			r.parameters["destination"] = word
		case word == "no_track":
			r.dropped = append(r.dropped, word)
		default: // an option with a value
			r.dropped = append(r.dropped, strings.TrimSpace(word+" "+d.word(i+1)))
			i++
		}
	}
	return r, r.complete(iface)
}

func (r routeLine) table(name string) (problem string) {
	if number, ok := tables[name]; ok {
		name = number
	}
	if _, err := strconv.ParseUint(name, 10, 31); err != nil {
		return fmt.Sprintf("table %s: write its number", name)
	}
	r.parameters["table"] = name
	return ""
}

// complete says what is missing. Without a next hop the route is one of the
// instance's interface.
func (r routeLine) complete(iface string) (problem string) {
	if r.parameters["destination"] == "" {
		return "it has no destination"
	}
	kind := r.parameters["type"]
	if (kind == "" || kind == "unicast") && r.parameters["gateway"] == "" && r.parameters["device"] == "" {
		r.parameters["device"] = iface
	}
	return ""
}

// isNetwork knows ADDRESS and ADDRESS/LENGTH.
func isNetwork(word string) bool {
	if _, err := netip.ParsePrefix(word); err == nil {
		return true
	}
	_, err := netip.ParseAddr(word)
	return err == nil
}
