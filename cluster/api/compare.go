package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// common is what an agent reads here that should be the same on every node; nil:
// nothing.
func common(agent resources.Agent, r *pb.Resource) *pb.Common {
	comparer, ok := agent.(resources.Comparer)
	if !ok {
		return nil
	}
	what, lines, err := comparer.Common(r)
	if what == "" || err != nil { // of which Validate tells
		return nil
	}
	return &pb.Common{What: what, Lines: lines}
}

// compare warns of the nodes that could not run a resource as this one could, and of
// what it reads that is not the same there. A node that does not answer is not
// waited for: it may be down.
func (d *draft) compare(ctx context.Context, agent resources.Agent, r *pb.Resource) {
	here := common(agent, r)
	if here == nil {
		return
	}
	name := d.self.Info().Name
	for _, n := range d.base.Nodes {
		if !d.askable(n) {
			continue
		}
		answer, err := d.askValidate(ctx, n, r)
		switch code := status.Code(err); {
		case code == codes.Unavailable || code == codes.DeadlineExceeded:
			d.logger.Info("node did not answer about a resource", "node", n.Name, "resource", r.Id, "err", err)
		case err != nil:
			d.warned = append(d.warned, fmt.Sprintf("on %s: %s", n.Name, status.Convert(err).Message()))
		case answer.Error != "":
			d.warned = append(d.warned, fmt.Sprintf("on %s: %s: %s", n.Name, answer.Field, answer.Error))
		default:
			d.warned = append(d.warned, difference(name, here, n.Name, answer.GetCommon())...)
		}
	}
}

// askable reports whether a node is another one that may run resources, and answer.
func (d *draft) askable(n *pb.Node) bool {
	return n.Role != pb.Role_ROLE_WITNESS && n.Admission == pb.Admission_ADMISSION_ADMITTED && n.Id != d.self.Info().ID
}

// difference says what two nodes read differently: nothing, or a sentence.
func difference(a string, one *pb.Common, b string, other *pb.Common) []string {
	if slices.Equal(one.GetLines(), other.GetLines()) {
		return nil
	}
	only := func(on string, lines, without []string) (parts []string) {
		for _, l := range lines {
			if !slices.Contains(without, l) {
				parts = append(parts, fmt.Sprintf("only %s has %q", on, l))
			}
		}
		return parts
	}
	parts := append(only(a, one.GetLines(), other.GetLines()), only(b, other.GetLines(), one.GetLines())...)
	if len(parts) == 0 {
		parts = []string{"the same lines are in another order"}
	}
	if more := len(parts) - shownDifferences; more > 0 {
		parts = append(parts[:shownDifferences], fmt.Sprintf("and %d more", more))
	}
	return []string{fmt.Sprintf("%s is not the same on %s and %s: %s", one.GetWhat(), a, b, strings.Join(parts, ", "))}
}

// shownDifferences are enough to see what is meant.
const shownDifferences = 4
