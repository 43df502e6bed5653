package api

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// phoneBook resolves names.
type phoneBook map[string][]string

func (b phoneBook) LookupHost(_ context.Context, host string) ([]string, error) {
	if found := b[host]; found != nil {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// scripts are the agents of one standard on a machine: script:TYPE, and whether
// it is installed there.
type scripts map[string]bool

var _ resources.Family = scripts(nil)

func (s scripts) Find(name string) resources.Agent {
	if !strings.HasPrefix(name, "script:") {
		return nil
	}
	return &scriptAgent{name: name, installed: s[name]}
}

func (s scripts) Installed() []string { return slices.Sorted(maps.Keys(s)) }

// scriptAgent is one of them. Its stop takes as long as it is told.
type scriptAgent struct {
	fileAgent
	name      string
	installed bool
}

func (a *scriptAgent) Metadata() *pb.AgentMetadata {
	if !a.installed {
		return &pb.AgentMetadata{Name: a.name, Lenient: true}
	}
	return &pb.AgentMetadata{Name: a.name, Lenient: true, Parameters: []*pb.Parameter{{Name: "path", Type: "path", Required: true}}}
}

func (a *scriptAgent) Missing() error {
	if a.installed {
		return nil
	}
	return errors.New(a.name + " is not installed on this node")
}

func (a *scriptAgent) Traits(r *pb.Resource) *pb.Traits {
	t := &pb.Traits{Lapse: durationpb.New(20 * time.Second)}
	for _, o := range r.Operations {
		if o.Name == "stop" {
			t.Lapse = o.Timeout
		}
	}
	return t
}

// fileAgent keeps a file there while it runs.
type fileAgent struct{}

var _ resources.Agent = (*fileAgent)(nil)

func (*fileAgent) Metadata() *pb.AgentMetadata {
	return &pb.AgentMetadata{
		Name: "ocf:quorate:file", Serves: []string{"ocf:heartbeat:File"}, Summary: "keeps a file there",
		Parameters: []*pb.Parameter{
			{Name: "path", Type: "path", Required: true, Summary: "the file"},
			{Name: "mode", Type: "integer", Summary: "its permissions", Reloadable: true},
		},
		Traits: &pb.Traits{Reloadable: true, Lapse: durationpb.New(time.Second)},
	}
}

func (*fileAgent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	dir := filepath.Dir(r.Parameters["path"])
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &resources.ParameterError{Parameter: "path", Problem: dir + " is no directory here", Fix: "make it"}
	}
	return []string{"directory " + dir}, nil
}

func (*fileAgent) Start(_ context.Context, r *pb.Resource) error {
	return os.WriteFile(r.Parameters["path"], nil, 0o600)
}

func (*fileAgent) Stop(_ context.Context, r *pb.Resource) error {
	if err := os.Remove(r.Parameters["path"]); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (*fileAgent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	if _, err := os.Stat(r.Parameters["path"]); err != nil {
		return resources.Stopped, nil
	}
	return resources.Running, nil
}

// textAgent holds a text, config, or the name of a file, conffile, and runs
// nothing. A line "take X" takes X of a node, and one that is unknown on a machine
// is wrong there.
type textAgent struct {
	fileAgent
	unknown string
}

var _ resources.Contender = (*textAgent)(nil)

func (*textAgent) Metadata() *pb.AgentMetadata {
	return &pb.AgentMetadata{Name: "quorate:text", Parameters: []*pb.Parameter{
		{Name: "config", Type: "text"}, {Name: "conffile", Type: "path", FileOf: "config"}, {Name: "program", Type: "string"},
	}}
}

func (a *textAgent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	if a.unknown != "" && r.Parameters["program"] == a.unknown {
		return nil, &resources.ParameterError{Parameter: "program", Problem: a.unknown + " is not installed"}
	}
	for i, line := range strings.Split(r.Parameters["config"], "\n") {
		if line == "bad" || a.unknown != "" && line == a.unknown {
			return nil, &resources.ParameterError{Parameter: "config", Problem: "the word " + line + " is unknown", Lines: []int{i + 1}}
		}
	}
	return nil, nil
}

func (*textAgent) Contends(r, other *pb.Resource) error {
	for i, line := range strings.Split(r.Parameters["config"], "\n") {
		if strings.HasPrefix(line, "take ") && strings.Contains(other.Parameters["config"], line) {
			return &resources.ParameterError{Parameter: "config", Problem: other.Id + " has that already", Lines: []int{i + 1}}
		}
	}
	return nil
}
