package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// A text is a whole configuration that a resource holds in a parameter: that of
// an HAProxy, or of a director.

// textCommands are the verbs of "resource config" for texts.
func textCommands(a *app) []*cobra.Command {
	return []*cobra.Command{newTextEditCommand(a), newTextShowCommand(a), newTextSetCommand(a), newTextDiffCommand(a)}
}

// ofText gives a command the flag that chooses between the texts of a resource.
func (a *app) ofText(c *cobra.Command, parameter *string) *cobra.Command {
	c.Flags().StringVar(parameter, "parameter", "", "the `NAME` of the text, if the resource can have several")
	c.ValidArgsFunction = a.completesFirst(resourceIDs)
	return c
}

// completesFirst offers names as the first word, and files after it.
func (a *app) completesFirst(source func(*pb.GetResponse) []string) cobra.CompletionFunc {
	names := a.completes(source)
	return func(c *cobra.Command, words []string, part string) ([]string, cobra.ShellCompDirective) {
		if len(words) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return names(c, words, part)
	}
}

func newTextShowCommand(a *app) *cobra.Command {
	var parameter, node string
	c := &cobra.Command{
		Use:   "show RESOURCE",
		Short: "Print the configuration that a resource holds as a text",
		Long: "Print the configuration that a resource holds as a text. If it is in a file on each node, that\n" +
			"of the node that answers is printed, or of --node.",
		Example: "resource config show Web > haproxy.cfg\nresource config show Web --node lvss",
		Args:    words(1, 1),
		RunE: func(c *cobra.Command, words []string) error {
			t, err := a.text(c.Context(), words[0], parameter)
			if err != nil {
				return err
			}
			text, err := a.textOn(c.Context(), t, node)
			if err != nil {
				return err
			}
			if differing(t) {
				a.warn("%s is not the same on every node: see %q", t.GetPath(), a.name+" resource config diff "+words[0])
			}
			return a.print(t, func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			})
		},
	}
	c.Flags().StringVar(&node, "node", "", "print the file of the node with this `NAME`")
	_ = c.RegisterFlagCompletionFunc("node", a.completes(nodeNames))
	return a.ofText(c, &parameter)
}

// text asks for a text of a resource.
func (a *app) text(ctx context.Context, resource, parameter string) (t *pb.TextResponse, err error) {
	err = a.ask(ctx, changeTimeout, func(ctx context.Context, c *client) error {
		t, err = c.Text(ctx, &pb.TextRequest{Resource: resource, Parameter: parameter})
		return err
	})
	return t, err
}

// textOn returns what the cluster keeps, or what the file on a node holds; the
// node that answers, if none is named.
func (a *app) textOn(ctx context.Context, t *pb.TextResponse, node string) (string, error) {
	if t.GetText() != "" {
		return t.GetText(), nil
	}
	if t.GetPath() == "" {
		return "", grammar.Errorf("%s has no %s", t.GetResource(), t.GetParameter()).With("give it one with \"resource config set %s FILE\"", t.GetResource())
	}
	if node == "" {
		resp, err := a.get(ctx)
		if err != nil {
			return "", err
		}
		node = resp.GetNodeName()
	}
	i := slices.IndexFunc(t.GetNodes(), func(n *pb.NodeText) bool { return n.GetNode() == node })
	switch {
	case i < 0:
		return "", grammar.Errorf("%s runs nothing", node).With("name one of %s with --node", strings.Join(each(t.GetNodes(), (*pb.NodeText).GetNode), ", "))
	case t.GetNodes()[i].GetError() != "":
		return "", fmt.Errorf("%s: %s", node, t.GetNodes()[i].GetError())
	}
	return t.GetNodes()[i].GetText(), nil
}

// differing reports whether nodes have different texts.
func differing(t *pb.TextResponse) bool {
	return slices.ContainsFunc(t.GetNodes(), func(n *pb.NodeText) bool {
		return n.GetText() != t.GetNodes()[0].GetText() || n.GetError() != ""
	})
}

func newTextSetCommand(a *app) *cobra.Command {
	var parameter string
	c := &cobra.Command{
		Use:   "set RESOURCE FILE|-",
		Short: "Keep a file's text, or standard input, as the configuration of a resource",
		Long: "Keep a text as the configuration of a resource, in the cluster, also in place of a file on each node.\n" +
			"The nodes check it first; what they find wrong is shown with its line, and nothing changes.",
		Example: "resource config set Web haproxy.cfg\nresource config set Web /etc/haproxy/haproxy.cfg --dry-run",
		Args:    words(2, 2),
		RunE: func(c *cobra.Command, words []string) error {
			data, file, err := a.readFile(words[1])
			if err != nil {
				return err
			}
			t, err := a.text(c.Context(), words[0], parameter)
			if err != nil {
				return err
			}
			if strings.TrimSpace(string(data)) == "" {
				return grammar.Errorf("%s is empty", file)
			}
			return a.putText(c, t, string(data), nil)
		},
	}
	return a.changes(a.ofText(c, &parameter))
}

// putText makes a text that of a resource. What is wrong with it is shown.
func (a *app) putText(c *cobra.Command, t *pb.TextResponse, text string, revisions map[string]uint64) error {
	u := &pb.UpdateResource{Id: t.GetResource(), SetParameters: map[string]string{t.GetParameter(): text}}
	if t.GetText() == "" && t.GetPath() != "" {
		u.UnsetParameters = []string{t.GetFileParameter()}
	}
	err := a.changeIf(c, revisions, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}})
	a.showLines(text, err)
	return err
}

// around is how many lines are shown before and after one that is wrong.
const around = 2

// showLines prints the lines of a text that an error says are wrong.
func (a *app) showLines(text string, err error) {
	s, ok := statusOf(err)
	if err == nil || !ok {
		return
	}
	wrong := numbers(errorInfo(s).GetMetadata()["lines"])
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	last := 0
	for i, line := range lines {
		n := i + 1
		if !slices.ContainsFunc(wrong, func(w int) bool { return n >= w-around && n <= w+around }) {
			continue
		}
		if last != 0 && n > last+1 {
			fmt.Fprintln(a.err, "   …")
		}
		last = n
		mark := " "
		if slices.Contains(wrong, n) {
			mark = ">"
		}
		fmt.Fprintf(a.err, " %s %4d | %s\n", mark, n, line)
	}
}

func numbers(list string) []int {
	var found []int
	for word := range strings.SplitSeq(list, ",") {
		if n, err := strconv.Atoi(word); err == nil {
			found = append(found, n)
		}
	}
	return found
}
