package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cluster/constraint"
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
					t.Row(render.Cell{Text: grammar.ConstraintText(c)}, render.Cell{Text: "id: " + c.GetId(), Style: render.Faint})
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

func newLocationCommand(a *app) *cobra.Command {
	add := a.changes(&cobra.Command{
		Use:   "add ID RESOURCE NODE SCORE [resource-discovery=WHERE]",
		Short: "Add a location constraint under an id of your own",
		Long: "Add a location constraint under an id of your own. With resource-discovery=exclusive the\n" +
			"resource runs nowhere but where such constraints are.",
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
		Use:   "location RESOURCE prefers|avoids NODE[=SCORE]... | rule [OPTION=VALUE]... EXPRESSION",
		Short: "Say which nodes a resource likes, and which it must not run on",
		Long: "Say which nodes a resource likes, and which it must not run on. The score is a whole\n" +
			"number, INFINITY or -INFINITY; without one it is INFINITY. Alone: list them.\n\n" +
			"A rule gives its score to all nodes for which its EXPRESSION holds:\n" +
			"  defined|not_defined ATTRIBUTE\n" +
			"  ATTRIBUTE lt|lte|gt|gte|eq|ne [string|integer|number|version] VALUE\n" +
			"  date gt|lt DATE, date in_range [DATE] to DATE,\n" +
			"  date in_range DATE to duration hours=5\n" +
			"  date-spec hours=9-16 weekdays=1-5\n" +
			"  EXPRESSION and|or EXPRESSION, ( EXPRESSION )\n" +
			"OPTIONS are score, score-attribute (the attribute that has the score), constraint-id and\n" +
			"resource-discovery. #uname is the name of a node. See \"node attribute\".",
		Example: "constraint location WebService prefers lvsm=50\nconstraint location WebService avoids web1\n" +
			"constraint location WebService rule score=-INFINITY rack ne 2 and date-spec hours=9-16",
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
		Use:   "add RESOURCE with RESOURCE [SCORE] [id=ID] [influence=BOOL] [node-attribute=NAME]",
		Short: "Run a resource where another runs, or where it does not",
		Long: "Run the first resource where the second runs; with a negative score, where it does\n" +
			"not. The score is a whole number, INFINITY (the default) or -INFINITY. With\n" +
			"influence=false the second does not move for the sake of the first; with node-attribute,\n" +
			"nodes that have one value of it count as one.",
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
			return a.changeConstraints(c, "no colocation of "+words[0]+" with "+words[1], func(k *pb.Constraint) []*pb.Edit {
				if l := k.GetColocation(); l.GetResource() != words[0] || l.GetWith() != words[1] {
					return nil
				}
				return []*pb.Edit{deleteConstraint(k.GetId())}
			})
		},
	})
	return noun("colocation", "Say which resources run together, and which apart",
		"constraint colocation add WebService with VirtualIP INFINITY", a.listConstraints(isColocation),
		add, remove, newConstraintListCommand(a, isColocation, "colocation"), newColocationSetCommand(a))
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
			return a.changeConstraints(c, "no order of "+strings.Join(ids, ", "), func(k *pb.Constraint) []*pb.Edit {
				if !isOrder(k) {
					return nil
				}
				return withoutNames(k, ids)
			})
		},
	})
	c := &cobra.Command{
		Use:   "order [ACTION] RESOURCE then [ACTION] RESOURCE [kind=KIND] [symmetrical=BOOL] [id=ID]",
		Short: "Say which resource starts before which, and stops after it",
		Long: "Say which resource starts before which, or stops (ACTION: start or stop). kind is\n" +
			"Mandatory (the default), Optional or Serialize; with symmetrical=false they do not stop\n" +
			"the other way round. Alone: list them.",
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
	c.AddCommand(remove, newConstraintListCommand(a, isOrder, "order"), newOrderSetCommand(a))
	return a.changes(c)
}

// newColocationSetCommand and newOrderSetCommand read sets, which begin with the
// first word after the command.
func newColocationSetCommand(a *app) *cobra.Command {
	return newSetCommand(a, grammar.ColocationSet, &cobra.Command{
		Use:   "set RESOURCE... [sequential=BOOL] [set RESOURCE...]... [setoptions [score=SCORE] [id=ID]]",
		Short: "Run several resources together, or apart",
		Long: "Run several resources together, each with the one before it; with a negative score,\n" +
			"apart. With sequential=false those of a set are not bound to each other. Each set runs\n" +
			"with the set after it.",
		Example: "constraint colocation set VirtualIP WebService Batch\n" +
			"constraint colocation set A B sequential=false set VirtualIP setoptions score=100",
	})
}

func newOrderSetCommand(a *app) *cobra.Command {
	return newSetCommand(a, grammar.OrderSet, &cobra.Command{
		Use:   "set RESOURCE... [action=ACTION] [sequential=BOOL] [set RESOURCE...]... [setoptions [OPTION=VALUE]...]",
		Short: "Start several resources one after the other",
		Long: "Start several resources one after the other, and stop them the other way round. With\n" +
			"sequential=false those of a set have no order, but all start after the set before it.\n" +
			"setoptions are kind, symmetrical and id.",
		Example: "constraint order set VirtualIP WebService Batch\n" +
			"constraint order set A B sequential=false set WebService setoptions kind=Optional",
	})
}

func newSetCommand(a *app, read func([]string) (*pb.Edit, error), c *cobra.Command) *cobra.Command {
	c.ValidArgsFunction = a.completes(resourceIDs, groupIDs)
	c.RunE = func(c *cobra.Command, words []string) error {
		edit, err := read(words)
		if err != nil {
			return err
		}
		return a.change(c, edit)
	}
	return a.changes(c)
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

// withoutNames returns the edits after which a constraint names none of some
// resources: it loses them from its sets, or is deleted.
func withoutNames(c *pb.Constraint, ids []string) []*pb.Edit {
	left := c
	for _, id := range ids {
		if left != nil {
			left = constraint.Without(left, id)
		}
	}
	switch left {
	case c:
		return nil
	case nil:
		return []*pb.Edit{deleteConstraint(c.GetId())}
	}
	create := &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: left}}
	return []*pb.Edit{deleteConstraint(c.GetId()), {Kind: create}}
}

// changeConstraints makes the edits that some constraints need, or says that
// there are none.
func (a *app) changeConstraints(c *cobra.Command, none string, edits func(*pb.Constraint) []*pb.Edit) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	var all []*pb.Edit
	for _, k := range resp.GetState().GetConstraints() {
		all = append(all, edits(k)...)
	}
	if len(all) == 0 {
		return notFound("constraint: there is %s", none)
	}
	return a.change(c, all...)
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
	return slices.Contains(constraint.Names(c), id)
}
