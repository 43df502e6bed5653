package state

import (
	"fmt"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// What a node's transient attributes may come to, so that a program run wild does
// not fill the state.
const (
	mostTransient    = 500
	longestTransient = 4096 // of one value, in bytes
)

// setTransient takes in what programs say of their node. It counts only under the
// node's present epoch: one that was gone since has lost what it had set.
func (d *draft) setTransient(s *pb.SetTransient) error {
	n := NodeByID(d.State, s.Node)
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", s.Node)
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != s.Epoch:
		return refuse(Stale, "epoch", "", "%s is not admitted at epoch %d", n.Name, s.Epoch)
	}
	for _, name := range sortedKeys(s.Set) {
		if err := CheckTransient(name, s.Set[name]); err != nil {
			return err
		}
	}
	now := merged(n.Transient, s.Set)
	if len(now) > mostTransient && len(now) > len(n.Transient) {
		return refuse(Precondition, "node attribute", "remove those that nobody reads", "%s has %d transient ones, which is all that a node may have", n.Name, len(n.Transient))
	}
	d.putNodeRecord(with(n, func(n *pb.Node) { n.Transient = now }))
	return nil
}

// CheckTransient checks a transient attribute. The names of those that health
// programs set begin with # (Pacemaker Explained 3.0, "Tracking Node Health").
func CheckTransient(name, value string) error {
	if err := checkName("node attribute", strings.TrimPrefix(name, "#"), isName, nameRule); err != nil {
		return err
	}
	if len(value) > longestTransient || strings.ContainsAny(value, "\x00\n") {
		return refuse(Invalid, "node attribute", fmt.Sprintf("give one line of at most %d bytes", longestTransient), "the value of %s is none", name)
	}
	return nil
}

// Attribute returns what a node has as an attribute. What programs set goes before
// what people set.
func Attribute(n *pb.Node, name string) (value string, set bool) {
	if value, set = n.GetTransient()[name]; !set {
		value, set = n.GetAttributes()[name]
	}
	return value, set
}

// PromotionAttribute is the name of the node attribute that has the promotion score
// of a resource there (Pacemaker Explained 3.0, "Promotion Scores").
func PromotionAttribute(resource string) string { return "master-" + resource }
