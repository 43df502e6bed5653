package engine

import (
	"regexp"
	"strings"
)

// unpackConstraints reads what the configuration asks of resources. Those of
// one kind keep their order; the kinds do not touch each other.
func (c *cluster) unpackConstraints() {
	c.unpackLikes()
	for _, co := range c.apart {
		c.keepApart(co.dependent, co.dependentRole, co.primary, co.primaryRole)
		c.keepApart(co.primary, co.primaryRole, co.dependent, co.dependentRole)
	}
	for i := range c.in.Orders {
		c.unpackOrder(&c.in.Orders[i])
	}
}

// unpackLikes reads the constraints that say where resources belong.
func (c *cluster) unpackLikes() {
	for i := range c.in.Locations {
		c.unpackLocation(&c.in.Locations[i])
	}
	for i := range c.in.Colocations {
		c.unpackColocation(&c.in.Colocations[i])
	}
}

// constrained returns the resource that a constraint names; an instance of an
// anonymous clone stands for the clone.
func (c *cluster) constrained(id string) *resource {
	if id == "" {
		return nil
	}
	if r := c.byID[id]; r != nil {
		return r
	}
	for _, top := range c.resources {
		found := top.anySet(func(r *resource) bool { return r.historyID == id })
		if found {
			return top
		}
	}
	return nil
}

// A location says how much a resource likes some nodes.
type location struct {
	id        string
	text      string // why, if nobody configured it
	r         *resource
	role      role // the only one it counts for; unknown: all
	discovery discovery
	nodes     []nodeScore
}

type nodeScore struct {
	node  *node
	score int
}

func (c *cluster) unpackLocation(l *Location) {
	switch {
	case len(l.Sets) > 0:
		for _, set := range l.Sets {
			for _, id := range set.Resources {
				r := c.constrained(id)
				if r == nil {
					return
				}
				c.locate(l, r, either(set.Role, l.Role), either(set.Score, l.Score), nil)
			}
		}
	case l.Resource != "":
		if r := c.constrained(l.Resource); r != nil {
			c.locate(l, r, l.Role, l.Score, nil)
		}
	case l.Pattern != "":
		c.locatePattern(l)
	}
}

// locatePattern applies a location to the resources at the top whose id matches.
func (c *cluster) locatePattern(l *Location) {
	pattern, negated := strings.CutPrefix(l.Pattern, "!")
	expr, err := regexp.CompilePOSIX(pattern)
	if err != nil {
		return
	}
	for _, r := range c.resources {
		parts := expr.FindStringSubmatch(r.id)
		switch {
		case !negated && parts != nil:
			c.locate(l, r, l.Role, l.Score, parts)
		case negated && parts == nil:
			c.locate(l, r, l.Role, l.Score, nil)
		}
	}
}

// locate gives a resource one location, by a node and a score or by a rule.
// Parts are what a pattern's parentheses matched.
func (c *cluster) locate(l *Location, r *resource, roleName, score string, parts []string) {
	if l.Node == "" || score == "" {
		if len(l.Rules) > 0 {
			c.locateByRule(l, &l.Rules[0], r, parts)
		}
		return
	}
	n := c.nodeNamed(l.Node)
	value, ok := c.parseScore(score, 0)
	filter, valid := locationRole(roleName)
	if n == nil || !ok || !valid {
		return
	}
	c.addLocation(&location{id: l.ID, text: l.Text, r: r, role: filter, nodes: []nodeScore{{n, value}}}, l.Discovery)
}

// locationRole reads the role that a location counts for. What counts for
// Started counts for every role.
func locationRole(name string) (filter role, ok bool) {
	if name == "" {
		return roleUnknown, true
	}
	switch filter = parseRole(name); filter {
	case roleUnknown:
		return filter, false
	case roleStarted, roleUnpromoted:
		return roleUnknown, true
	default:
		return filter, true
	}
}

func (c *cluster) locateByRule(l *Location, rule *Rule, r *resource, parts []string) {
	filter, ok := locationRole(rule.Role)
	if !ok {
		return
	}
	attribute := submatches(rule.ScoreAttribute, parts)
	fixed, valid := c.parseScore(rule.Score, 0)
	if attribute == "" && (rule.Score == "" || !valid) {
		return
	}
	loc := &location{id: either(rule.ID, l.ID), text: l.Text, r: r, role: filter}
	for _, n := range c.nodes {
		env := ruleEnv{node: n.attrs, meta: r.meta, params: c.parameters(r, n), submatches: parts}
		if !c.ruleHolds(rule, env) {
			continue
		}
		score := fixed
		if attribute != "" {
			value := n.attrs[attribute]
			if score, valid = c.parseScore(value, 0); value == "" || !valid {
				continue
			}
		}
		loc.nodes = append(loc.nodes, nodeScore{n, score})
	}
	c.addLocation(loc, l.Discovery)
}

// submatches replaces %0 to %9 by what a pattern matched.
func submatches(s string, parts []string) string {
	if len(parts) == 0 || !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+1 < len(s) && isDigit(s[i+1]) {
			if k := int(s[i+1] - '0'); k < len(parts) {
				b.WriteString(parts[k])
			}
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (c *cluster) addLocation(l *location, discovery string) {
	switch strings.ToLower(discovery) {
	case "never":
		l.discovery = discoverNever
	case "exclusive":
		l.discovery = discoverExclusive
		l.r.exclusiveProbes = true
	}
	c.locations = append(c.locations, l)
	l.r.locations = append(l.r.locations, l)
}

// parameters returns the instance attributes of a resource on a node; those of
// its parents count where it has none itself.
func (c *cluster) parameters(r *resource, n *node) map[string]string {
	into := make(map[string]string)
	env := ruleEnv{}
	if n != nil {
		env.node = n.attrs
	}
	for p := r; p != nil; p = p.parent {
		c.evalBlocks(p.Parameters, env, into)
	}
	return into
}

func (c *cluster) nodeNamed(name string) *node {
	for _, n := range c.nodes {
		if strings.EqualFold(n.Name, name) {
			return n
		}
	}
	return nil
}

// applyLocations counts the locations in the tables of their resources.
func (c *cluster) applyLocations() {
	for i := len(c.locations) - 1; i >= 0; i-- {
		l := c.locations[i]
		l.r.apply(l, false)
	}
}

// apply counts a location for a resource and what is inside it. Members of a
// group after the first follow it: for them the scores count as 0.
func (r *resource) apply(l *location, follows bool) {
	r.applyOwn(l, follows)
	for i, child := range r.children {
		child.apply(l, follows || r.kind == Group && r.colocated && i > 0)
	}
}

func (r *resource) applyOwn(l *location, follows bool) {
	if l.role > roleUnknown && l.role != r.nextRole {
		return
	}
	l.addTo(r.allowed, follows)
	for _, s := range l.nodes {
		if !follows {
			r.noteLocation(s, l)
		}
		w := &r.allowed[s.node.index]
		if w.probe < l.discovery {
			r.exclusiveProbes = r.exclusiveProbes || l.discovery == discoverExclusive
			w.probe = l.discovery
		}
	}
}

// addTo counts a location in a table; for what follows a first member its scores
// are 0.
func (l *location) addTo(t table, follows bool) {
	for _, s := range l.nodes {
		score := s.score
		if follows {
			score = 0
		}
		w := &t[s.node.index]
		w.present, w.score = true, add(w.score, score)
	}
}
