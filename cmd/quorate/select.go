package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// member is get on a node that is in a cluster.
func (a *app) member(ctx context.Context) (*pb.GetResponse, error) {
	return a.memberWith(ctx, false)
}

// memberWith is member, if wanted with secrets in plain words.
func (a *app) memberWith(ctx context.Context, secrets bool) (*pb.GetResponse, error) {
	resp, err := a.getWith(ctx, &pb.GetRequest{Secrets: secrets})
	if err != nil {
		return nil, err
	}
	if resp.GetState().GetClusterId() == "" {
		return nil, noCluster(a.name, resp.GetNodeName())
	}
	return resp, nil
}

// resource returns the resource with an id.
func (a *app) resource(ctx context.Context, id string) (*pb.Resource, error) {
	resp, err := a.member(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range resp.GetState().GetResources() {
		if r.GetId() == id {
			return r, nil
		}
	}
	return nil, notFound("resource: there is no resource %q", id)
}

// selected returns the resources with the ids, those of a group or clone for its
// id, and all for no ids.
func selected(s *pb.State, ids []string) ([]*pb.Resource, error) {
	if len(ids) == 0 {
		return s.GetResources(), nil
	}
	wanted := make(map[string]bool)
	for _, id := range ids {
		members := membersOf(s, id)
		if members == nil {
			return nil, notFound("resource: there is no resource or group %q", id)
		}
		for _, m := range members {
			wanted[m] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(s.GetResources()), func(r *pb.Resource) bool { return !wanted[r.GetId()] }), nil
}

// membersOf returns the resources of a group or clone, a resource alone, or nothing.
func membersOf(s *pb.State, id string) []string { return state.Members(s, id) }

// groupsOf returns the groups that hold any of the resources.
func groupsOf(s *pb.State, list []*pb.Resource) []*pb.Group {
	return slices.DeleteFunc(slices.Clone(s.GetGroups()), func(g *pb.Group) bool {
		return !slices.ContainsFunc(list, func(r *pb.Resource) bool { return slices.Contains(g.GetMembers(), r.GetId()) })
	})
}

// clonesOf returns the clones that any of the resources is in.
func clonesOf(s *pb.State, list []*pb.Resource) []*pb.Clone {
	return slices.DeleteFunc(slices.Clone(s.GetClones()), func(k *pb.Clone) bool {
		return !slices.ContainsFunc(list, func(r *pb.Resource) bool { return slices.Contains(state.Members(s, k.GetId()), r.GetId()) })
	})
}

// resourceState is the part of the state that is about the resources.
func resourceState(s *pb.State, list []*pb.Resource) *pb.State {
	about := make(map[string]bool)
	for _, r := range list {
		about[r.GetId()] = true
	}
	part := &pb.State{Resources: list, Groups: groupsOf(s, list), Clones: clonesOf(s, list)}
	for _, e := range s.GetAssignments() {
		if about[e.GetResource()] {
			part.Assignments = append(part.Assignments, e)
		}
	}
	for _, e := range s.GetInstances() {
		if about[e.GetResource()] {
			part.Instances = append(part.Instances, e)
		}
	}
	for _, e := range s.GetOperations() {
		if about[e.GetResource()] {
			part.Operations = append(part.Operations, e)
		}
	}
	return part
}

// resourceConfiguration drops what the cluster keeps beside what people wrote.
func resourceConfiguration(r *pb.Resource) *pb.Resource {
	return &pb.Resource{
		Id: r.GetId(), Agent: r.GetAgent(), Parameters: maps.Clone(r.GetParameters()), Meta: maps.Clone(r.GetMeta()),
		Operations: each(r.GetOperations(), proto.CloneOf[*pb.OperationSpec]), Utilization: r.GetUtilization(),
		ServerOrders: r.GetServerOrders(),
	}
}

// readFiles replaces every value @FILE by the content of the file, and @@ by @.
func readFiles(parameters map[string]string) error {
	for name, value := range parameters {
		file, ok := strings.CutPrefix(value, "@")
		if !ok {
			continue
		}
		if strings.HasPrefix(file, "@") {
			parameters[name] = file
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return grammar.Errorf("%s: %v", name, err).With("write @@ for a value that begins with @")
		}
		parameters[name] = string(content)
	}
	return nil
}
