package engine

import "strings"

// fencingDigestChanged reports whether a device has other parameters than those
// that a node was unfenced with, as the node's attributes remember them. What
// nobody remembers has not changed.
func (c *cluster) fencingDigestChanged(r *resource, n *node) bool {
	known, ok := n.attrs["#digests-all"]
	if !ok {
		return false
	}
	all, _ := c.digestParameters(r, n, unfencing.Operation, 0)
	is := func(params map[string]string, in string) bool {
		return strings.Contains(in, r.id+":"+r.Type+":"+digestOf(params))
	}
	return !is(all, known) && !is(c.publicParameters(r, n, &unfencing), n.attrs["#digests-secure"])
}

// unfencing stands for what a node was unfenced by.
var unfencing = HistoryOp{Operation: "stonith-on", SecureParams: "passwd password user"}
