package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/cluster/adoption"
	pb "quorate/proto/quorate/v1"
)

// Agents of what is made.
const (
	vipAgent      = "ocf:heartbeat:IPaddr2"
	directorAgent = "ipvs"
)

// Ldirectord adds to a configuration what can be taken of an ldirectord.cf. The
// report has an entry for each directive.
func Ldirectord(f *File, base *pb.Configuration, try adoption.Trial) (*pb.Configuration, *adoption.Report, error) {
	t := &ldirectord{translation: newTranslation([]*File{f})}
	t.translate(f)
	return t.adopt(base, try)
}

// Keepalived adds to a configuration what can be taken of the keepalived.conf of
// one node, or of the files of several, which hold what they have in common: of
// differences the first file counts, but for what is a node's own. Members of the
// cluster that are among the real servers are made such.
func Keepalived(files []*File, base *pb.Configuration, members []*pb.Node, try adoption.Trial) (*pb.Configuration, *adoption.Report, error) {
	t := &keepalived{translation: newTranslation(files), members: members}
	t.translate()
	return t.adopt(base, try)
}

// A member is a resource of a group that is made with its first member.
type member struct {
	group    string
	first    bool              // it is started before the others: a table has to be there before its address is
	meta     map[string]string // of the group
	resource *pb.Resource
}

// add puts the resource into the configuration, in place of one of its name.
func (m member) add(c *pb.Configuration) string {
	setResource(c, m.resource)
	i := slices.IndexFunc(c.Groups, func(g *pb.Group) bool { return g.Id == m.group })
	if i < 0 {
		c.Groups = append(c.Groups, &pb.Group{Id: m.group})
		i = len(c.Groups) - 1
	}
	g := c.Groups[i]
	switch {
	case slices.Contains(g.Members, m.resource.Id):
	case m.first:
		g.Members = slices.Insert(g.Members, 0, m.resource.Id)
	default:
		g.Members = append(g.Members, m.resource.Id)
	}
	for name, value := range m.meta {
		if g.Meta == nil {
			g.Meta = make(map[string]string)
		}
		g.Meta[name] = value
	}
	return ""
}

func setResource(c *pb.Configuration, r *pb.Resource) {
	if i := slices.IndexFunc(c.Resources, func(old *pb.Resource) bool { return old.Id == r.Id }); i >= 0 {
		c.Resources[i] = r
		return
	}
	c.Resources = append(c.Resources, r)
}

// constrain puts a constraint in, in place of one of its name.
func constrain(c *pb.Configuration, k *pb.Constraint) {
	if i := slices.IndexFunc(c.Constraints, func(old *pb.Constraint) bool { return old.Id == k.Id }); i >= 0 {
		c.Constraints[i] = k
		return
	}
	c.Constraints = append(c.Constraints, k)
}

func hasGroup(c *pb.Configuration, id string) bool {
	return slices.ContainsFunc(c.Groups, func(g *pb.Group) bool { return g.Id == id })
}

// vipName is the name of an address's resource.
func vipName(a netip.Addr) string { return "vip-" + named(a.String()) }

// named makes a name of a text: letters, digits, '.', '-' and '_'.
func named(text string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '-'
	}, text)
	if name == "" || strings.ContainsRune("._-", rune(name[0])) {
		return "x" + name
	}
	return name
}

// director is the resource that balances.
func director(id string, list []*Virtual, copies syncDaemon) *pb.Resource {
	p := map[string]string{"config": text(list)}
	if copies.iface != "" {
		p["sync"] = copies.iface
	}
	if copies.id > 0 {
		p["sync_id"] = fmt.Sprint(copies.id)
	}
	return &pb.Resource{Id: id, Agent: directorAgent, Parameters: p}
}

// A syncDaemon copies connections to the other nodes.
type syncDaemon struct {
	iface string // over which; empty: there is none
	id    int    // 0: the director's default
}

// location prefers a node.
func location(resource, node string, score int64) *pb.Constraint {
	return &pb.Constraint{
		Id:   fmt.Sprintf("%s-on-%s", resource, named(node)),
		Kind: &pb.Constraint_Location{Location: &pb.Location{Resource: resource, Node: node, Score: score}},
	}
}
