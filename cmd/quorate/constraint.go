package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newConstraintCommand(a *app) *cobra.Command {
	c := noun("constraint", "Say where, with what and after what resources run",
		"constraint location WebService prefers lvsm=50\nconstraint colocation add WebService with VirtualIP INFINITY",
		a.listConstraints(anyKind),
		newLocationCommand(a), newColocationCommand(a), newOrderCommand(a),
		newConstraintListCommand(a, anyKind, ""), newConstraintDeleteCommand(a), newReferencesCommand(a))
	c.PersistentFlags().Bool("full", false, "accepted from pcs; ids are always shown")
	_ = c.PersistentFlags().MarkHidden("full")
	return c
}

// A kind selects constraints.
type kind func(*pb.Constraint) bool

func anyKind(*pb.Constraint) bool        { return true }
func isLocation(c *pb.Constraint) bool   { return c.GetLocation() != nil }
func isColocation(c *pb.Constraint) bool { return c.GetColocation() != nil }
func isOrder(c *pb.Constraint) bool      { return c.GetOrder() != nil }

func newConstraintListCommand(a *app, k kind, of string) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"show", "config"},
		Short:   "List the constraints, with their ids",
		Example: strings.Join(strings.Fields("constraint "+of+" list"), " "),
		RunE:    a.listConstraints(k),
	}
}

func (a *app) listConstraints(k kind) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		resp, err := a.member(c.Context())
		if err != nil {
			return err
		}
		list := slices.DeleteFunc(slices.Clone(resp.GetState().GetConstraints()), func(c *pb.Constraint) bool { return !k(c) })
		return a.printConstraints(list)
	}
}

func (a *app) printConstraints(list []*pb.Constraint) error {
	return a.print(&pb.Configuration{Constraints: list}, func(w io.Writer) error {
		if len(list) == 0 {
			fmt.Fprintln(w, "No constraints.")
		}
		for _, part := range []struct {
			title string
			kind  kind
		}{{"Location", isLocation}, {"Colocation", isColocation}, {"Order", isOrder}} {
			t := render.Table{Indent: "  "}
			for _, c := range list {
				if part.kind(c) {
					t.Row(render.Cell{Text: constraintText(c)}, render.Cell{Text: "id: " + c.GetId(), Style: render.Faint})
				}
			}
			if !slices.ContainsFunc(list, part.kind) {
				continue
			}
			fmt.Fprintln(w, part.title)
			if err := t.Write(w, a.palette()); err != nil {
				return err
			}
		}
		return nil
	}, "constraints")
}

// constraintText writes a constraint as people say it.
func constraintText(c *pb.Constraint) string {
	switch k := c.GetKind().(type) {
	case *pb.Constraint_Location:
		l, verb := k.Location, "prefers"
		score := l.GetScore()
		if score < 0 {
			verb, score = "avoids", -score
		}
		return fmt.Sprintf("%s %s %s=%s", l.GetResource(), verb, l.GetNode(), grammar.FormatScore(score))
	case *pb.Constraint_Colocation:
		return fmt.Sprintf("%s with %s %s", k.Colocation.GetResource(), k.Colocation.GetWith(), grammar.FormatScore(k.Colocation.GetScore()))
	case *pb.Constraint_Order:
		o := k.Order
		text := fmt.Sprintf("%s then %s", o.GetFirst(), o.GetThen())
		if o.GetKind() != pb.OrderKind_ORDER_KIND_MANDATORY {
			text += " kind=" + grammar.FormatKind(o.GetKind())
		}
		if o.GetAsymmetrical() {
			text += " symmetrical=false"
		}
		return text
	default:
		return "of a kind that this version does not know"
	}
}

func newLocationCommand(a *app) *cobra.Command {
	add := a.changes(&cobra.Command{
		Use:               "add ID RESOURCE NODE SCORE",
		Short:             "Add a location constraint under an id of your own",
		Example:           "constraint location add web-home WebService lvsm 50\nconstraint location add web-never WebService web1 -INFINITY",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			edit, err := grammar.LocationAdd(words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		},
	})
	c := &cobra.Command{
		Use:   "location RESOURCE prefers|avoids NODE[=SCORE]...",
		Short: "Say which nodes a resource likes, and which it must not run on",
		Long: "Say which nodes a resource likes, and which it must not run on. The score is a whole\n" +
			"number, INFINITY or -INFINITY; without one it is INFINITY. Alone: list them.",
		Example:           "constraint location WebService prefers lvsm=50\nconstraint location WebService avoids web1",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) == 0 {
				return a.listConstraints(isLocation)(c, nil)
			}
			edits, err := grammar.Location(words)
			if err != nil {
				return err
			}
			return a.change(c, edits...)
		},
	}
	c.AddCommand(add, newConstraintListCommand(a, isLocation, "location"), hidden(newConstraintDeleteCommand(a)))
	return a.changes(c)
}

func newColocationCommand(a *app) *cobra.Command {
	add := a.changes(&cobra.Command{
		Use:   "add RESOURCE with RESOURCE [SCORE] [id=ID]",
		Short: "Run a resource where another runs, or where it does not",
		Long: "Run the first resource where the second runs; with a negative score, where it does\n" +
			"not. The score is a whole number, INFINITY (the default) or -INFINITY.",
		Example:           "constraint colocation add WebService with VirtualIP INFINITY\nconstraint colocation add Batch with WebService -INFINITY",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			edit, err := grammar.Colocation(words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		},
	})
	remove := a.changes(&cobra.Command{
		Use:               "delete RESOURCE RESOURCE",
		Aliases:           []string{"remove"},
		Short:             "Remove the colocations of two resources",
		Example:           "constraint colocation delete WebService VirtualIP",
		Args:              words(2, 2),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			return a.deleteConstraints(c, "no colocation of "+words[0]+" with "+words[1], func(k *pb.Constraint) bool {
				l := k.GetColocation()
				return l.GetResource() == words[0] && l.GetWith() == words[1]
			})
		},
	})
	return noun("colocation", "Say which resources run together, and which apart",
		"constraint colocation add WebService with VirtualIP INFINITY", a.listConstraints(isColocation),
		add, remove, newConstraintListCommand(a, isColocation, "colocation"), newSetRefusal("colocation"))
}

func newOrderCommand(a *app) *cobra.Command {
	remove := a.changes(&cobra.Command{
		Use:               "delete RESOURCE...",
		Aliases:           []string{"remove"},
		Short:             "Remove the orders that name a resource",
		Example:           "constraint order delete WebService",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.deleteConstraints(c, "no order of "+strings.Join(ids, ", "), func(k *pb.Constraint) bool {
				return slices.Contains(ids, k.GetOrder().GetFirst()) || slices.Contains(ids, k.GetOrder().GetThen())
			})
		},
	})
	c := &cobra.Command{
		Use:   "order RESOURCE then RESOURCE [kind=KIND] [symmetrical=BOOL] [id=ID]",
		Short: "Say which resource starts before which, and stops after it",
		Long: "Say which resource starts before which. kind is Mandatory (the default), Optional or\n" +
			"Serialize; with symmetrical=false they do not stop the other way round. Alone: list them.",
		Example:           "constraint order VirtualIP then WebService\nconstraint order start A then start B kind=Optional",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) == 0 {
				return a.listConstraints(isOrder)(c, nil)
			}
			edit, err := grammar.Order(words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		},
	}
	c.AddCommand(remove, newConstraintListCommand(a, isOrder, "order"), newSetRefusal("order"))
	return a.changes(c)
}

// newSetRefusal answers `set`, which pcs has, with what to write instead.
func newSetRefusal(kind string) *cobra.Command {
	return hidden(&cobra.Command{
		Use:     "set RESOURCE...",
		Short:   "Not supported: write one constraint a pair",
		Example: "constraint " + kind + " list",
		RunE:    func(_ *cobra.Command, words []string) error { return grammar.NoSets(kind, words) },
	})
}

func newConstraintDeleteCommand(a *app) *cobra.Command {
	return a.changes(&cobra.Command{
		Use:               "delete ID...",
		Aliases:           []string{"remove"},
		Short:             "Remove constraints by id",
		Example:           "constraint delete web-home",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(constraintIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, deleteConstraint)...)
		},
	})
}

func deleteConstraint(id string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_DeleteConstraint{DeleteConstraint: &pb.DeleteConstraint{Id: id}}}
}

// deleteConstraints removes those that match, or says that there are none.
func (a *app) deleteConstraints(c *cobra.Command, none string, match kind) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	var edits []*pb.Edit
	for _, k := range resp.GetState().GetConstraints() {
		if match(k) {
			edits = append(edits, deleteConstraint(k.GetId()))
		}
	}
	if len(edits) == 0 {
		return notFound("constraint: there is %s", none)
	}
	return a.change(c, edits...)
}

func newReferencesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "ref RESOURCE...",
		Short:             "List the constraints that name a resource",
		Example:           "constraint ref VirtualIP",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.listConstraints(func(k *pb.Constraint) bool {
				return slices.ContainsFunc(ids, func(id string) bool { return refersTo(k, id) })
			})(c, nil)
		},
	}
}

func refersTo(c *pb.Constraint, id string) bool {
	names := []string{
		c.GetLocation().GetResource(), c.GetColocation().GetResource(), c.GetColocation().GetWith(),
		c.GetOrder().GetFirst(), c.GetOrder().GetThen(),
	}
	return slices.Contains(names, id)
}
