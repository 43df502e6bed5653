package grammar

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// defaultInterval is of a monitor that names none.
const defaultInterval = time.Minute

// Placement is where in a group a resource goes: the flags --group, --before
// and --after.
type Placement struct{ Group, Before, After string }

func (p Placement) check() error {
	switch {
	case p.Before != "" && p.After != "":
		return Errorf("--before and --after exclude each other")
	case p.Group == "" && (p.Before != "" || p.After != ""):
		return Errorf("--before and --after need --group")
	}
	return nil
}

// CreateResource reads
//
//	ID TYPE [NAME=VALUE]... [op ACTION [NAME=VALUE]...]... [meta NAME=VALUE...] [clone [CLONE] [NAME=VALUE]...]
func CreateResource(words []string, place Placement) ([]*pb.Edit, error) {
	if len(words) < 2 {
		return nil, Errorf("a resource needs an id and a type").
			With("write for example VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5")
	}
	if err := place.check(); err != nil {
		return nil, err
	}
	id, agent := words[0], words[1]
	for _, word := range words[:2] {
		if strings.Contains(word, "=") {
			return nil, Errorf("%q stands where the id and the type belong", word).
				With("write ID TYPE first, then NAME=VALUE")
		}
	}
	s, err := sections(words[2:])
	if err != nil {
		return nil, err
	}
	r := &pb.Resource{Id: id, Agent: agent}
	if r.Parameters, err = values("parameter", s.parameters); err != nil {
		return nil, err
	}
	if r.Meta, err = values("meta attribute", s.meta); err != nil {
		return nil, err
	}
	if r.Operations, err = operations(s.operations); err != nil {
		return nil, err
	}
	edits := create(r, place)
	if s.clone == nil {
		return edits, nil
	}
	if place.Group != "" {
		return nil, Errorf("clone and --group exclude each other").With("clone the group with \"resource clone %s\"", place.Group)
	}
	c, err := ParseClone(append([]string{id}, s.clone...))
	if err != nil {
		return nil, err
	}
	if s.promotable {
		Promotable(c)
	}
	return append(edits, cloning(c)), nil
}

func cloning(c *pb.Clone) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CloneResource{CloneResource: &pb.CloneResource{Clone: c}}}
}

// CloneResource reads what follows `resource clone`.
func CloneResource(words []string) (*pb.Edit, error) {
	c, err := ParseClone(words)
	if err != nil {
		return nil, err
	}
	return cloning(c), nil
}

// Promotable makes a clone promotable, unless that was said already.
func Promotable(c *pb.Clone) {
	if _, said := c.GetMeta()["promotable"]; !said {
		put(&c.Meta, "promotable", "true")
	}
}

// PromoteResource reads what follows `resource promotable`.
func PromoteResource(words []string) (*pb.Edit, error) {
	c, err := ParseClone(words)
	if err != nil {
		return nil, err
	}
	Promotable(c)
	return cloning(c), nil
}

// ParseClone reads MEMBER [CLONE] [[meta] NAME=VALUE...].
func ParseClone(words []string) (*pb.Clone, error) {
	if len(words) == 0 || strings.Contains(words[0], "=") {
		return nil, Errorf("a clone needs the id of a resource or group").With("write for example Web clone-max=2")
	}
	c := &pb.Clone{Member: words[0]}
	words = words[1:]
	if len(words) > 0 && words[0] != "meta" && !strings.Contains(words[0], "=") {
		c.Id, words = words[0], words[1:]
	}
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "meta" })
	var err error
	c.Meta, err = values("meta attribute", words)
	return c, err
}

// create makes a resource, at its place in a group.
func create(r *pb.Resource, place Placement) []*pb.Edit {
	c := &pb.CreateResource{Resource: r}
	edits := []*pb.Edit{{Kind: &pb.Edit_CreateResource{CreateResource: c}}}
	if place.Before == "" && place.After == "" {
		c.Group = place.Group
		return edits
	}
	return append(edits, &pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{
		Group: place.Group, Resources: []string{r.GetId()}, Before: place.Before, After: place.After,
	}}})
}

// UpdateResource reads
//
//	ID [NAME=[VALUE]]... [op ACTION [NAME=VALUE]...]... [meta NAME=[VALUE]...]
//
// An empty value removes.
func UpdateResource(words []string) (*pb.UpdateResource, error) {
	if len(words) < 2 {
		return nil, Errorf("an update needs an id and what to change").
			With("write for example VirtualIP ip=10.0.0.6")
	}
	if strings.Contains(words[0], "=") {
		return nil, Errorf("%q stands where the id of the resource belongs", words[0])
	}
	s, err := sections(words[1:])
	if err != nil {
		return nil, err
	}
	if s.clone != nil {
		return nil, Errorf("\"clone\" stands in an update").With("use \"resource clone %s\"", words[0])
	}
	u := &pb.UpdateResource{Id: words[0]}
	if u.SetParameters, u.UnsetParameters, err = SetAndUnset("parameter", s.parameters); err != nil {
		return nil, err
	}
	if u.SetMeta, u.UnsetMeta, err = SetAndUnset("meta attribute", s.meta); err != nil {
		return nil, err
	}
	if u.SetOperations, err = operations(s.operations); err != nil {
		return nil, err
	}
	return u, nil
}

// ReplaceOperations gives an update pcs's meaning: an operation that it sets
// takes the place of the resource's first one of the same name, whatever the
// interval.
func ReplaceOperations(u *pb.UpdateResource, have []*pb.OperationSpec) {
	for _, set := range u.GetSetOperations() {
		i := slices.IndexFunc(have, func(o *pb.OperationSpec) bool { return o.GetName() == set.GetName() })
		if i < 0 || have[i].GetInterval().AsDuration() == set.GetInterval().AsDuration() {
			continue
		}
		u.UnsetOperations = append(u.UnsetOperations,
			&pb.OperationSpec{Name: have[i].GetName(), Interval: have[i].GetInterval()})
	}
}

// ParseOperation reads ACTION [NAME=VALUE]... as after `resource op add ID`.
func ParseOperation(words []string) (*pb.OperationSpec, error) {
	specs, err := operations([][]string{words})
	if err != nil {
		return nil, err
	}
	if len(specs) != 1 {
		return nil, Errorf("%d operations are given", len(specs)).With("name one, for example monitor interval=10s")
	}
	return specs[0], nil
}

// section holds the words of a resource command by what they belong to.
type section struct {
	parameters, meta []string
	operations       [][]string // after each "op"
	promotable       bool       // the clone is one
	clone            []string   // after "clone" or "promotable", to the end or the next "op"; nil: it is not there
}

// sections sorts words by the keywords op, meta, clone and promotable; what is meta behind
// clone is the clone's. What this version cannot do is refused by name, so that no
// word of it is taken for something else.
func sections(words []string) (section, error) {
	var s section
	target := &s.parameters
	for _, word := range words {
		switch word {
		case "op":
			s.operations = append(s.operations, nil)
			target = &s.operations[len(s.operations)-1]
		case "meta":
			if s.clone == nil {
				target = &s.meta
			}
		case "clone", "promotable", "master":
			s.clone, s.promotable = []string{}, word != "clone"
			target = &s.clone
		case "bundle":
			return section{}, Errorf("%q: bundles are not available", word).With("leave it out")
		default:
			*target = append(*target, word)
		}
	}
	return s, nil
}

// values reads pairs into a map; empty values are kept.
func values(what string, words []string) (map[string]string, error) {
	pairs, err := Pairs(what, words)
	if err != nil {
		return nil, err
	}
	var m map[string]string
	for _, p := range pairs {
		put(&m, p.Name, p.Value)
	}
	return m, nil
}

// operations reads, after each "op", one or more times ACTION [NAME=VALUE]...
func operations(ops [][]string) ([]*pb.OperationSpec, error) {
	var specs []*pb.OperationSpec
	for _, words := range ops {
		if len(words) == 0 {
			return nil, Errorf(`"op" is followed by nothing`).With("write for example op monitor interval=30s")
		}
		for len(words) > 0 {
			n := 1 + slices.IndexFunc(words[1:], func(w string) bool { return !strings.Contains(w, "=") })
			if n == 0 {
				n = len(words)
			}
			spec, err := operation(words[0], words[1:n])
			if err != nil {
				return nil, err
			}
			specs = append(specs, spec)
			words = words[n:]
		}
	}
	return specs, nil
}

// operation reads the options of one. A monitor without an interval runs every
// minute, as with pcs.
func operation(name string, words []string) (*pb.OperationSpec, error) {
	if strings.Contains(name, "=") {
		return nil, Errorf("%q stands where an operation belongs", name).With("write for example op monitor %s", name)
	}
	pairs, err := Pairs("option of operation "+name, words)
	if err != nil {
		return nil, err
	}
	spec := &pb.OperationSpec{Name: name}
	if name == "monitor" {
		spec.Interval = durationpb.New(defaultInterval)
	}
	for _, p := range pairs {
		if err := operationOption(spec, p); err != nil {
			return nil, err
		}
	}
	return spec, nil
}

func operationOption(spec *pb.OperationSpec, p Pair) error {
	what := "op " + spec.GetName() + " " + p.Name
	switch p.Name {
	case "interval", "timeout":
		d, err := ParseDuration(what, p.Value)
		if err != nil {
			return err
		}
		if p.Name == "timeout" {
			spec.Timeout = durationpb.New(d)
			return nil
		}
		spec.Interval = nil
		if d > 0 {
			spec.Interval = durationpb.New(d)
		}
		return nil
	}
	put(&spec.Options, p.Name, p.Value)
	return nil
}
