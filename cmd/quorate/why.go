package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newWhyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "why RESOURCE [[not] on NODE]",
		Short: "Explain where a resource runs, and where not",
		Long: "Explain where a resource runs, and where not: the deciding reason first, then every\n" +
			"node's score and what it is made of.",
		Example:           "why VirtualIP\nwhy VirtualIP on lvss\nwhy VirtualIP not on lvsm",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			r, err := whyRequest(words)
			if err != nil {
				return err
			}
			var resp *pb.WhyResponse
			err = a.ask(c.Context(), readTimeout, func(ctx context.Context, cl *client) (err error) {
				resp, err = cl.Why(ctx, r)
				return err
			})
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error { return a.printWhy(w, resp) })
		},
	}
}

// whyRequest reads RESOURCE [[not] on NODE]. The answer is the same with "not":
// it says how things are.
func whyRequest(words []string) (*pb.WhyRequest, error) {
	e := grammar.Errorf("%q is not a question", strings.Join(words, " ")).With("write RESOURCE, RESOURCE on NODE or RESOURCE not on NODE")
	if len(words) == 0 {
		return nil, grammar.Errorf("no resource is named").With("write RESOURCE [[not] on NODE]")
	}
	r := &pb.WhyRequest{Resource: words[0]}
	rest := words[1:]
	if len(rest) == 3 && rest[0] == "not" {
		rest = rest[1:]
	}
	switch {
	case len(rest) == 0:
		return r, nil
	case len(rest) == 2 && rest[0] == "on":
		r.Node = rest[1]
		return r, nil
	}
	return nil, e
}

func (a *app) printWhy(w io.Writer, resp *pb.WhyResponse) error {
	for i, s := range resp.GetSentences() {
		if !slices.Contains(resp.GetSentences()[:i], s) {
			fmt.Fprintln(w, s)
		}
	}
	if len(resp.GetScores()) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	var t render.Table
	scores := slices.SortedStableFunc(slices.Values(resp.GetScores()), func(x, y *pb.NodeScore) int {
		return cmp.Compare(y.GetScore(), x.GetScore())
	})
	for _, n := range scores {
		t.Row(render.Cell{Text: n.GetNode(), Style: render.Strong}, render.Cell{Text: grammar.FormatScore(n.GetScore())})
		for _, r := range n.GetReasons() {
			t.Row(render.Cell{}, render.Cell{Text: grammar.FormatScore(r.GetScore())}, render.Cell{Text: r.GetSource()}, render.Cell{Text: r.GetText(), Style: render.Faint})
		}
	}
	return t.Write(w, a.palette())
}
