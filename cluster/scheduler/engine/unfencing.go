package engine

import (
	"maps"
	"strings"
)

// fencingDigestChanged reports whether a device has other parameters than those
// that a node was unfenced with, as the node's attributes remember them. What
// nobody remembers has not changed.
func (c *cluster) fencingDigestChanged(r *resource, n *node) bool {
	known, ok := n.attrs["#digests-all"]
	if !ok {
		return false
	}
	all, _ := c.digestParameters(r, n, "stonith-on", 0)
	is := func(params map[string]string, in string) bool {
		return strings.Contains(in, r.id+":"+r.Type+":"+digestOf(params))
	}
	return !is(all, known) && !is(c.publicParameters(r, n, all), n.attrs["#digests-secure"])
}

// publicParameters leaves out a device's secrets. Before feature set 3.16.0, of
// Pacemaker 2.1.5, the cluster's own parameters of devices were left out too.
func (c *cluster) publicParameters(r *resource, n *node, all map[string]string) map[string]string {
	public := maps.Clone(all)
	old := c.in.FeatureSet != "" && compareVersions(c.in.FeatureSet, "3.16.0") < 0
	if old {
		public = c.parameters(r, n)
	}
	maps.DeleteFunc(public, func(name, _ string) bool {
		switch name {
		case "passwd", "password", "user":
			return true
		case "provides", "stonith-timeout":
			return old
		}
		return internalParameter(name) || old && strings.HasPrefix(name, "pcmk_")
	})
	return public
}
