package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Options that several commands have.
var (
	updateOption = option{names: []string{"update", "v", "attr-value"}, value: true}
	queryOption  = option{names: []string{"query", "G", "get-value"}}
	deleteOption = option{names: []string{"delete", "D", "delete-attr"}}
	quietOption  = option{names: []string{"quiet", "q", "Q"}}
	whereOption  = option{names: []string{"node", "N", "U", "uname"}, value: true}
	lifeOption   = option{names: []string{"lifetime", "l"}, value: true}
)

var attributeOptions = options{
	updateOption, queryOption, deleteOption, quietOption, whereOption, lifeOption,
	{names: []string{"name", "n", "attr-name"}, value: true},
	{names: []string{"type", "t"}, value: true},
	{names: []string{"utilization", "z"}},
	{names: []string{"promotion", "p"}, optional: true},
	{names: []string{"default", "d"}, value: true},
	{names: []string{"set-name", "s"}, value: true, ignored: true},
	{names: []string{"id", "i"}, value: true, ignored: true},
	{names: []string{"verbose", "V"}, ignored: true},
	{names: []string{"force", "f", "!"}, ignored: true},
}

var masterOptions = options{
	updateOption, queryOption, deleteOption, quietOption, whereOption, lifeOption,
	{names: []string{"resource", "r"}, value: true},
	{names: []string{"verbose", "V"}, ignored: true},
}

// What an attribute is one of.
const (
	ofNode        = "node" // for good
	ofTransient   = "transient"
	ofUtilization = "utilization"
	ofCluster     = "cluster"
)

// An attributeCall is what a script asks about one attribute.
type attributeCall struct {
	name, node string
	of         string
	value      *string // nil: it is asked for; empty: it goes
	fallback   string
	quiet      bool
	dampen     time.Duration
}

// crmAttribute sets or tells an attribute of a node, by default of the cluster's
// options, as the manual of crm_attribute says.
func (a *app) crmAttribute(ctx context.Context, g *given) error {
	c := attributeCall{name: g.last("name"), node: g.last("node"), fallback: g.last("default"), quiet: g.has("quiet")}
	if g.has("promotion") {
		c.name = promotionOf(cmp.Or(g.last("promotion"), a.scriptResource()))
	}
	switch kind, life := g.last("type"), g.last("lifetime"); {
	case g.has("utilization"):
		c.of = ofUtilization
	case life == "reboot", kind == "status", g.has("promotion") && life != "forever":
		c.of = ofTransient
	case kind == "crm_config", kind == "" && life == "" && !g.has("node") && !g.has("promotion"):
		c.of = ofCluster
	case kind == "", kind == "nodes":
		c.of = ofNode
	default:
		return scriptError{badUsage("--type %s is not there in this version", kind), exitUsage}
	}
	c.take(g)
	return a.attribute(ctx, c)
}

// promotionOf is the attribute in which a resource's promotion score is kept.
func promotionOf(resource string) string {
	if resource == "" {
		return ""
	}
	return state.PromotionAttribute(resource)
}

// crmMaster sets or tells the promotion score of a resource.
func (a *app) crmMaster(ctx context.Context, g *given) error {
	c := attributeCall{
		name: promotionOf(cmp.Or(g.last("resource"), a.scriptResource())),
		node: g.last("node"), of: ofTransient, quiet: g.has("quiet"),
	}
	if g.last("lifetime") == "forever" {
		c.of = ofNode
	}
	c.take(g)
	return a.attribute(ctx, c)
}

// take reads what is to be done: without a word the attribute is asked for.
func (c *attributeCall) take(g *given) {
	switch {
	case g.has("delete"):
		c.value = new(string)
	case g.has("update"):
		c.value = new(string)
		*c.value = g.last("update")
	}
}

func (a *app) attribute(ctx context.Context, c attributeCall) error {
	if c.name == "" {
		return scriptError{badUsage("the attribute's name is missing").With("give it with --name, or --promotion from a resource agent's script"), exitUsage}
	}
	resp, err := a.member(ctx)
	if err != nil {
		return err
	}
	c.node = a.nodeOf(resp, c.node)
	n := state.NodeByName(resp.GetState(), c.node)
	if n == nil {
		return noSuch("there is no node %q", c.node)
	}
	if c.value == nil {
		return a.tellAttribute(resp.GetState(), n, c)
	}
	return a.setAttribute(ctx, resp.GetState(), n, c)
}

// nodeOf returns the node that a script means: by default its own.
func (a *app) nodeOf(resp *pb.GetResponse, said string) string {
	switch said {
	case "", "localhost", "auto":
		return resp.GetNodeName()
	}
	if n := state.NodeByID(resp.GetState(), said); n != nil {
		return n.GetName()
	}
	return said
}

func (a *app) tellAttribute(s *pb.State, n *pb.Node, c attributeCall) error {
	value, set := c.read(s, n)
	if !set {
		value = c.fallback
	}
	switch {
	case !set && c.fallback == "":
		return noSuch("%s is not set", c.name)
	case c.quiet:
		fmt.Fprintln(a.out, value)
	default:
		fmt.Fprintf(a.out, "scope=%s  name=%s value=%s\n", scopes[c.of], c.name, value)
	}
	return nil
}

// scopes are what Pacemaker's command calls them.
var scopes = map[string]string{ofNode: "nodes", ofTransient: "status", ofUtilization: "nodes", ofCluster: "crm_config"}

func (c *attributeCall) read(s *pb.State, n *pb.Node) (value string, set bool) {
	switch c.of {
	case ofNode:
		value, set = n.GetAttributes()[c.name]
	case ofTransient:
		value, set = n.GetTransient()[c.name]
	case ofUtilization:
		value, set = n.GetUtilization()[c.name]
	case ofCluster:
		value = state.Property(s, c.name)
		set = value != ""
	}
	return value, set
}

// setAttribute changes an attribute. What is for good is a change of the
// configuration, and is made only if it is one.
func (a *app) setAttribute(ctx context.Context, s *pb.State, n *pb.Node, c attributeCall) error {
	set := map[string]string{c.name: *c.value}
	switch old, _ := c.read(s, n); {
	case c.of == ofTransient:
		return a.setTransient(ctx, &pb.SetAttributesRequest{Node: c.node, Set: set, Dampen: durationpb.New(c.dampen)})
	case old == *c.value:
		return nil
	case c.of == ofNode:
		return a.updateNode(ctx, &pb.UpdateNode{Name: c.node, SetAttributes: set})
	case c.of == ofUtilization:
		return a.updateNode(ctx, &pb.UpdateNode{Name: c.node, SetUtilization: set})
	}
	return scriptError{badUsage("a script may not set options of the cluster in this version").With("see \"quorate property set\""), exitUsage}
}

// updateNode changes the configuration for a script: nobody is there to be asked.
func (a *app) updateNode(ctx context.Context, u *pb.UpdateNode) error {
	_, err := a.request(ctx, &pb.ChangeRequest{Edits: []*pb.Edit{{Kind: &pb.Edit_UpdateNode{UpdateNode: u}}}, Force: true})
	return err
}

func (a *app) setTransient(ctx context.Context, r *pb.SetAttributesRequest) error {
	return a.ask(ctx, changeTimeout, func(ctx context.Context, c *client) error {
		_, err := c.SetAttributes(ctx, r)
		return err
	})
}

// parseDelay reads a delay as Pacemaker's commands do: seconds, or with a unit.
func parseDelay(text string) (time.Duration, error) {
	d, err := state.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return 0, scriptError{badUsage("the delay %q is no duration", text), exitUsage}
	}
	return d, nil
}
