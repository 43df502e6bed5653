package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newAddressCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:     "addr [NODE [add | remove ADDRESS]]",
		Aliases: []string{"address"},
		Short:   "Show at which addresses nodes are reached, or change that; each is a link",
		Long: "Show at which addresses nodes are reached, the preferred one first, or change that. A\n" +
			"node may have four, each on a network of its own: the loss of any but the last costs\n" +
			"nothing. The node must answer at an address that is added.",
		Example:           "node addr\nnode addr lvsm add 10.1.0.1\nnode addr lvsm remove 10.0.0.1:7480",
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			if len(words) < 2 {
				return a.showAddresses(resp, words)
			}
			u, err := readdress(resp, words)
			if err != nil {
				return err
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: u}})
		},
	}
	return a.changes(c)
}

// readdress reads NODE add|remove ADDRESS.
func readdress(resp *pb.GetResponse, words []string) (*pb.UpdateNode, error) {
	if len(words) != 3 || words[1] != "add" && words[1] != "remove" {
		return nil, grammar.Errorf("%q is not known here", strings.Join(words[1:], " ")).With("write NODE add ADDRESS or NODE remove ADDRESS")
	}
	n := nodeNamed(resp, words[0])
	if n == nil {
		return nil, notFound("node: there is no node %q", words[0])
	}
	u := &pb.UpdateNode{Name: n.GetName()}
	if words[1] == "add" {
		u.Addresses = append(slices.Clone(n.GetAddresses()), words[2])
		return u, nil
	}
	u.Addresses = slices.DeleteFunc(slices.Clone(n.GetAddresses()), func(address string) bool {
		host, _, err := net.SplitHostPort(address)
		return address == words[2] || err == nil && host == strings.Trim(words[2], "[]")
	})
	switch len(u.GetAddresses()) {
	case len(n.GetAddresses()):
		return nil, notFound("address: %s has no address %s; it has %s", n.GetName(), words[2], strings.Join(n.GetAddresses(), ", "))
	case 0:
		return nil, grammar.Errorf("%s is the only address of %s", words[2], n.GetName()).With("add another first")
	}
	return u, nil
}

func nodeNamed(resp *pb.GetResponse, name string) *pb.Node {
	for _, n := range resp.GetState().GetNodes() {
		if n.GetName() == name {
			return n
		}
	}
	return nil
}

func (a *app) showAddresses(resp *pb.GetResponse, only []string) error {
	if len(only) > 0 && nodeNamed(resp, only[0]) == nil {
		return notFound("node: there is no node %q", only[0])
	}
	answer := &pb.GetResponse{State: &pb.State{}}
	for _, n := range resp.GetState().GetNodes() {
		if len(only) == 0 || n.GetName() == only[0] {
			answer.State.Nodes = append(answer.State.Nodes, &pb.Node{Id: n.GetId(), Name: n.GetName(), Addresses: n.GetAddresses()})
		}
	}
	return a.print(answer, func(w io.Writer) error {
		for _, n := range answer.GetState().GetNodes() {
			fmt.Fprintf(w, "%s: %s\n", n.GetName(), strings.Join(n.GetAddresses(), " "))
		}
		return nil
	})
}
