package api

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/status"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Text returns a configuration that a resource holds as a text.
func (s statusService) Text(ctx context.Context, r *pb.TextRequest) (*pb.TextResponse, error) {
	if err := s.enrolled(); err != nil {
		return nil, err
	}
	st := s.state.Get().State
	resource, meta, err := s.described(st, r.Resource)
	if err != nil {
		return nil, err
	}
	text, err := chooseText(meta, resource, r.Parameter)
	if err != nil {
		return nil, err
	}
	resp := &pb.TextResponse{
		Resource: resource.Id, Parameter: text, Text: resource.Parameters[text], Revision: resource.Revision,
		FileParameter: fileOf(meta, text),
	}
	if resp.Text != "" || resp.FileParameter == "" {
		return resp, nil
	}
	if resp.Path = resources.Parameter(meta, resource, resp.FileParameter); resp.Path != "" {
		resp.Nodes = s.readEverywhere(ctx, st, &pb.ReadTextRequest{Resource: resource.Id, Parameter: resp.FileParameter})
	}
	return resp, nil
}

// described returns a resource and the description of its agent.
func (s *Server) described(st *pb.State, id string) (*pb.Resource, *pb.AgentMetadata, error) {
	r := state.ResourceByID(st, id)
	if r == nil {
		return nil, nil, &state.Refusal{
			Code: state.NotFound, Field: "resource", Problem: fmt.Sprintf("there is no resource %q", id), Fix: "see `quorate resource status`",
		}
	}
	agent, err := s.agents.Find(r.Agent)
	if err != nil {
		return nil, nil, agentRefusal(err)
	}
	return r, agent.Metadata(), nil
}

// chooseText returns the parameter that is meant: the named one, or the one that
// the resource has, or the only one.
func chooseText(meta *pb.AgentMetadata, r *pb.Resource, named string) (string, error) {
	var names, given []string
	for _, p := range textsOf(meta) {
		names = append(names, p.Name)
		if r.Parameters[p.Name] != "" || r.Parameters[fileOf(meta, p.Name)] != "" {
			given = append(given, p.Name)
		}
	}
	switch {
	case len(names) == 0:
		return "", invalid("resource", fmt.Sprintf("%s (%s) has no configuration of its own", r.Id, r.Agent), "see `quorate resource update`")
	case named != "" && !slices.Contains(names, named):
		return "", invalid("parameter", fmt.Sprintf("%s is no text of %s", named, r.Id), "choose "+strings.Join(names, " or "))
	case named != "":
		return named, nil
	case len(names) == 1:
		return names[0], nil
	case len(given) == 1:
		return given[0], nil
	}
	return "", invalid("parameter", fmt.Sprintf("%s has several texts", r.Id), "choose with --parameter: "+strings.Join(names, " or "))
}

// readEverywhere has each node that may run something read a file.
func (s *Server) readEverywhere(ctx context.Context, st *pb.State, r *pb.ReadTextRequest) []*pb.NodeText {
	nodes := hostsOf(st)
	texts := make([]*pb.NodeText, len(nodes))
	var g errgroup.Group
	for i, n := range nodes {
		g.Go(func() error {
			answer, err := s.readOn(ctx, n, r)
			if err != nil {
				answer = &pb.ReadTextResponse{Error: "it does not answer: " + oneLineOf(err)}
			}
			texts[i] = &pb.NodeText{Node: n.Name, Text: answer.Text, Error: answer.Error}
			return nil
		})
	}
	_ = g.Wait() // each node's error is in its text
	return texts
}

func (s *Server) readOn(ctx context.Context, n *pb.Node, r *pb.ReadTextRequest) (*pb.ReadTextResponse, error) {
	if n.Id == s.self.Info().ID {
		return agentService{Server: s}.ReadText(ctx, r)
	}
	conn, err := s.dialer.ClientConn(n.Id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return pb.NewAgentClient(conn).ReadText(ctx, r)
}

// ReadText returns what a file of this node holds. Only what a resource names, by
// a parameter that its agent has for that, is read.
func (a agentService) ReadText(_ context.Context, r *pb.ReadTextRequest) (*pb.ReadTextResponse, error) {
	resource, meta, err := a.described(a.state.Get().State, r.Resource)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(meta.GetParameters(), func(p *pb.Parameter) bool { return p.Name == r.Parameter && p.FileOf != "" }) {
		return nil, invalid("parameter", fmt.Sprintf("%q of %s names no file with a configuration", r.Parameter, resource.Id), "")
	}
	text, err := readText(resources.Parameter(meta, resource, r.Parameter))
	if err != nil {
		return &pb.ReadTextResponse{Error: err.Error()}, nil
	}
	return &pb.ReadTextResponse{Text: text}, nil
}

// longestText bounds what is read of a file.
const longestText = 4 << 20

func readText(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", path)
	case info.Size() > longestText:
		return "", fmt.Errorf("%s is larger than %d bytes", path, longestText)
	}
	data, err := io.ReadAll(io.LimitReader(file, longestText))
	if err != nil {
		return "", err
	}
	return string(data), nil
}

func oneLineOf(err error) string {
	return strings.Join(strings.Fields(status.Convert(err).Message()), " ")
}

// unread refuses a change of resources that have changed since the caller read them.
func (s *Server) unread(revisions map[string]uint64) error {
	for id, read := range revisions {
		if r := state.ResourceByID(s.state.Get().State, id); r.GetRevision() != read {
			return &state.Refusal{
				Code: state.Stale, Field: "resource " + id, Problem: "somebody has changed it meanwhile",
				Fix: "look at what it is now, and change that",
			}
		}
	}
	return nil
}
