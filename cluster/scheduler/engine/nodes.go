package engine

import (
	"slices"
	"strings"
)

// unpackNodes reads the configured nodes ("Cluster Nodes"), without what the
// status says of them.
func (c *cluster) unpackNodes() {
	for i := range c.in.Nodes {
		in := &c.in.Nodes[i]
		if in.ID == "" || in.Kind != "" && !strings.EqualFold(in.Kind, "member") {
			continue
		}
		n := &node{Node: in, given: i, attrs: make(map[string]string), utilization: make(map[string]string)}
		n.baseScore, _ = c.parseScore(in.Score, 0)
		n.unclean = c.fencing && c.startupFencing // until its state is seen
		if c.dc == nil && c.in.DC != "" && strings.EqualFold(in.ID, c.in.DC) {
			c.dc = n
		}
		c.nodes = append(c.nodes, n)
	}
	slices.SortStableFunc(c.nodes, func(a, b *node) int { return compareNames(a.Name, b.Name) })
	for i, n := range c.nodes {
		n.index = i
		c.describe(n)
		c.evalBlocks(n.Attributes, ruleEnv{}, n.attrs)
		c.evalBlocks(n.Utilization, ruleEnv{}, n.utilization)
		c.nameSite(n)
	}
}

// describe sets the attributes that every node has ("Built-in Node Attributes").
func (c *cluster) describe(n *node) {
	n.attrs["#uname"] = n.Name
	n.attrs["#id"] = n.ID
	n.attrs["#kind"] = "cluster"
	n.attrs["#is_dc"] = "false"
	if n == c.dc {
		n.attrs["#is_dc"] = "true"
	}
	if name := c.option("cluster-name"); name != "" {
		n.attrs["#cluster-name"] = name
	}
}

func (c *cluster) nameSite(n *node) {
	if _, set := n.attrs["#site-name"]; set {
		return
	}
	if site := either(n.attrs["site-name"], c.option("cluster-name")); site != "" {
		n.attrs["#site-name"] = site
	}
}
