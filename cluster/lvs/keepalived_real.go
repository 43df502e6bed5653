package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// realServerAgent makes a node a real server.
const realServerAgent = "realserver"

// A servant is what members of the cluster have to be as real servers of an
// instance's virtual servers: with direct routing and tunnels they need its addresses.
type servant struct {
	forward string
	addrs   []netip.Addr
	nodes   []string
	made    []*Directive // of the real servers
}

// realServers makes members of the cluster real servers where they are among those of
// a director, which keepalived leaves to scripts and rules of the packet filter.
// Members are known by the addresses that the cluster has of them.
func (t *keepalived) realServers() {
	for _, in := range t.instances {
		for _, forward := range []string{"direct", "tunnel"} {
			s := &servant{forward: forward}
			for _, v := range in.virtuals {
				t.serve(s, v)
			}
			if len(s.nodes) > 0 && len(s.addrs) > 0 {
				t.offer(s.made, t.clone(s, in).add)
			}
		}
	}
}

// serve adds the members that serve a virtual server.
func (t *keepalived) serve(s *servant, v *Virtual) {
	for _, r := range v.Reals {
		i := slices.IndexFunc(t.members, func(n *pb.Node) bool { return reachedAt(n, r.Address) })
		if i < 0 || r.Forward != s.forward {
			continue
		}
		s.made = append(s.made, r.made)
		if name := t.members[i].GetName(); !slices.Contains(s.nodes, name) {
			s.nodes = append(s.nodes, name)
		}
		for _, a := range v.Addresses {
			if !slices.Contains(s.addrs, a.Addr()) {
				s.addrs = append(s.addrs, a.Addr())
			}
		}
	}
}

func reachedAt(n *pb.Node, addr netip.Addr) bool {
	return slices.ContainsFunc(n.GetAddresses(), func(text string) bool {
		a, err := netip.ParseAddrPort(text)
		return err == nil && a.Addr().Unmap() == addr
	})
}

// A cloned is a resource with its clone, and the members that it is kept off.
type cloned struct {
	resource *pb.Resource
	off      []string
}

func (t *keepalived) clone(s *servant, in *instance) cloned {
	id := in.group + "-real"
	if s.forward != "direct" {
		id += "-" + s.forward
	}
	words := make([]string, len(s.addrs))
	for i, a := range s.addrs {
		words[i] = a.String()
	}
	c := cloned{resource: &pb.Resource{Id: id, Agent: realServerAgent, Parameters: map[string]string{"ip": strings.Join(words, " "), "forward": s.forward}}}
	for _, n := range t.members {
		if n.GetRole() != pb.Role_ROLE_WITNESS && !slices.Contains(s.nodes, n.GetName()) {
			c.off = append(c.off, n.GetName())
		}
	}
	for _, d := range s.made {
		t.entries[d].Note = strings.TrimPrefix(fmt.Sprintf("%s; %s makes the node a real server", t.entries[d].Note, id), "; ")
	}
	return c
}

// add puts them into the configuration, in place of those of their names.
func (c cloned) add(cfg *pb.Configuration) string {
	setResource(cfg, c.resource)
	id := c.resource.Id + "-clone"
	if !slices.ContainsFunc(cfg.Clones, func(old *pb.Clone) bool { return old.Member == c.resource.Id }) {
		cfg.Clones = append(cfg.Clones, &pb.Clone{Id: id, Member: c.resource.Id})
	}
	for _, node := range c.off {
		constrain(cfg, location(id, node, -infinity))
	}
	return ""
}
