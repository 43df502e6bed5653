package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newTextDiffCommand(a *app) *cobra.Command {
	var parameter string
	c := &cobra.Command{
		Use:   "diff RESOURCE [FILE|-]",
		Short: "Show how a resource's configuration differs between the nodes, or from a file",
		Long: "Show how the file with a resource's configuration differs between the nodes, or, with FILE,\n" +
			"how what the resource has differs from it. What the cluster keeps is the same on all nodes.",
		Example: "resource config diff Web\nresource config diff Web /etc/haproxy/haproxy.cfg",
		Args:    words(1, 2),
		RunE: func(c *cobra.Command, words []string) error {
			t, err := a.text(c.Context(), words[0], parameter)
			if err != nil {
				return err
			}
			if len(words) == 2 {
				return a.compareWith(c, t, words[1])
			}
			return a.print(t, func(w io.Writer) error {
				_, err := io.WriteString(w, betweenNodes(t))
				return err
			})
		},
	}
	return a.ofText(c, &parameter)
}

func (a *app) compareWith(c *cobra.Command, t *pb.TextResponse, file string) error {
	data, file, err := a.readFile(file)
	if err != nil {
		return err
	}
	text, err := a.textOn(c.Context(), t, "")
	if err != nil {
		return err
	}
	if a.output != "table" && a.output != "text" {
		return grammar.Errorf("--output: %q is no format of a comparison with a file", a.output).With("leave it out")
	}
	_, err = io.WriteString(a.out, unified(t.GetResource(), file, text, string(data)))
	return err
}

// unified is that of two texts, as diff -u shows it.
func unified(nameA, nameB, a, b string) string {
	if a == b {
		return "No difference.\n"
	}
	return udiff.Unified(nameA, nameB, a, b)
}

// betweenNodes compares what the nodes have with what the first of them has.
func betweenNodes(t *pb.TextResponse) string {
	if t.GetText() != "" {
		return "The cluster keeps it: it is the same on every node.\n"
	}
	var b strings.Builder
	i := slices.IndexFunc(t.GetNodes(), func(n *pb.NodeText) bool { return n.GetError() == "" })
	for _, n := range t.GetNodes() {
		switch {
		case n.GetError() != "":
			fmt.Fprintf(&b, "%s: %s\n", n.GetNode(), n.GetError())
		case n.GetText() != t.GetNodes()[i].GetText():
			b.WriteString(unified(t.GetNodes()[i].GetNode()+":"+t.GetPath(), n.GetNode()+":"+t.GetPath(), t.GetNodes()[i].GetText(), n.GetText()))
		}
	}
	if b.Len() == 0 {
		fmt.Fprintf(&b, "No difference: %s is the same on %s.\n", t.GetPath(), strings.Join(each(t.GetNodes(), (*pb.NodeText).GetNode), ", "))
	}
	return b.String()
}
