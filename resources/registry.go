package resources

import (
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// A Registry finds agents by any of their names. It is filled before use and
// read-only from then on, so it needs no lock. Its zero value is empty.
type Registry struct {
	agents   []Agent
	names    map[string]Agent // canonical spelling
	families []Family
}

// Register adds an agent under its own name and all that it serves. Two agents
// may not share a name.
func (r *Registry) Register(a Agent) error {
	names := Names(a.Metadata())
	for _, name := range names {
		if other, taken := r.names[name]; taken {
			return fmt.Errorf("register agent %s: the name %s belongs to %s",
				a.Metadata().GetName(), name, other.Metadata().GetName())
		}
	}
	if r.names == nil {
		r.names = make(map[string]Agent)
	}
	for _, name := range names {
		r.names[name] = a
	}
	r.agents = append(r.agents, a)
	slices.SortFunc(r.agents, func(a, b Agent) int {
		return strings.Compare(a.Metadata().GetName(), b.Metadata().GetName())
	})
	return nil
}

// asScript begins the name of an agent that is wanted as it is installed, although
// one that is built in serves its name: script:ocf:heartbeat:IPaddr2.
const asScript = "script:"

// Find returns the agent that serves name, or an *[UnknownAgentError]. That of a
// family need not be installed on this node, see [Missing].
func (r *Registry) Find(name string) (Agent, error) {
	if script, asked := strings.CutPrefix(canonical(name), asScript); asked {
		if a := r.ofFamily(script); a != nil {
			return a, nil
		}
	}
	if a, ok := r.names[canonical(name)]; ok {
		return a, nil
	}
	if a := r.ofFamily(canonical(name)); a != nil {
		return a, nil
	}
	return nil, r.Unknown(name)
}

// Unknown is the error of a name that no agent serves here.
func (r *Registry) Unknown(name string) *UnknownAgentError {
	e := &UnknownAgentError{Name: name}
	for known := range r.names {
		e.Nearest = append(e.Nearest, known)
	}
	e.Nearest = Nearest(canonical(name), append(e.Nearest, r.Installed()...), 3)
	for _, a := range r.agents {
		e.Known = append(e.Known, a.Metadata().GetName())
	}
	return e
}

// All returns the agents that are built in, by name.
func (r *Registry) All() []Agent {
	return slices.Clone(r.agents)
}

// An UnknownAgentError says that no agent serves a name, and which do exist.
type UnknownAgentError struct {
	Name    string
	Nearest []string // names much like it, the likeliest first
	Known   []string // every agent's own name
}

func (e *UnknownAgentError) Error() string {
	if e.Name == "" {
		return "agent: is missing; known are " + strings.Join(e.Known, ", ")
	}
	if len(e.Nearest) > 0 {
		return fmt.Sprintf("agent %s: is unknown; did you mean %s?", e.Name, strings.Join(e.Nearest, " or "))
	}
	return fmt.Sprintf("agent %s: is unknown; known are %s", e.Name, strings.Join(e.Known, ", "))
}

// Names returns every name an agent answers to, its own first.
func Names(meta *pb.AgentMetadata) []string {
	names := []string{canonical(meta.GetName())}
	for _, name := range meta.GetServes() {
		if name = canonical(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
