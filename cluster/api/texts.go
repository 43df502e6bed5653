package api

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A text is a parameter that holds a whole configuration. It names what nodes have:
// certificates, addresses, programs of some version. So it is checked on every
// node that may run it, before it is taken.

// checkTexts has the other nodes look at a resource with a text. What they find
// wrong with the text is an error; all else, such as a program that one of them
// lacks, keeps the resource off that node only, and is a warning. Of files that
// nodes have in place of a text see compare.
func (d *draft) checkTexts(ctx context.Context, agent resources.Agent, r *pb.Resource) error {
	texts := textsOf(agent.Metadata())
	if !slices.ContainsFunc(texts, func(p *pb.Parameter) bool { return r.Parameters[p.Name] != "" }) {
		return nil
	}
	nodes := d.hosts()
	answers, errs := make([]*pb.ValidateResponse, len(nodes)), make([]error, len(nodes))
	var g errgroup.Group
	for i, n := range nodes {
		g.Go(func() error {
			answers[i], errs[i] = d.askValidate(ctx, n, r)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, n := range nodes {
		if err := d.judge(n, answers[i], errs[i], texts); err != nil {
			return err
		}
	}
	return nil
}

// judge weighs what another node said of a resource.
func (d *draft) judge(n *pb.Node, answer *pb.ValidateResponse, err error, texts []*pb.Parameter) error {
	if err != nil {
		d.warned = append(d.warned, fmt.Sprintf("node %s did not answer, so nothing was checked there", n.Name))
		return nil
	}
	if answer.Error == "" {
		return nil
	}
	wrong := saidOf(answer)
	wrong.Problem = fmt.Sprintf("on %s: %s", n.Name, wrong.Problem)
	if slices.ContainsFunc(texts, func(p *pb.Parameter) bool { return p.Name == wrong.Parameter }) {
		return wrong
	}
	d.warned = append(d.warned, wrong.Error())
	return nil
}

// hosts are the other nodes that may run something, by name.
func (d *draft) hosts() []*pb.Node {
	return slices.DeleteFunc(hostsOf(d.base), func(n *pb.Node) bool { return n.Id == d.self.Info().ID })
}

func hostsOf(s *pb.State) []*pb.Node {
	var list []*pb.Node
	for _, n := range s.Nodes {
		if n.Role != pb.Role_ROLE_WITNESS && n.Admission == pb.Admission_ADMISSION_ADMITTED {
			list = append(list, n)
		}
	}
	return list
}

// textsOf returns the parameters that hold texts.
func textsOf(meta *pb.AgentMetadata) []*pb.Parameter {
	var list []*pb.Parameter
	for _, p := range meta.GetParameters() {
		if p.Type == "text" {
			list = append(list, p)
		}
	}
	return list
}

// fileOf returns the parameter that names a file in place of a text, or "".
func fileOf(meta *pb.AgentMetadata, text string) string {
	for _, p := range meta.GetParameters() {
		if p.FileOf == text {
			return p.Name
		}
	}
	return ""
}
