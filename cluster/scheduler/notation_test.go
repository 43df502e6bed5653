package scheduler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"pgregory.net/rapid"

	pb "quorate/proto/quorate/v1"
)

// noon is a Thursday.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// parse reads a state. Statements are separated by semicolons or newlines:
//
//	n1 online, n2 standby, n3 witness gone    nodes, all of them, with their words
//	db on n2 resource-stickiness=1            a resource, where it is, its meta attributes
//	group g a b                               a group, with meta attributes behind the members
//	clone c a clone-max=2                     a clone of a resource or group, with meta attributes
//	db prefers n1=50 n2=-INFINITY             constraints, named as pcs names them
//	web with vip INFINITY
//	vip then web optional
//	constraint id:"l" location{…}             any other, in prototext
//	fencing n1                                a node that is to be switched off
//	property maintenance-mode=true
//	default resource-stickiness=1
//
// Words of nodes: online standby stopped maintenance witness gone new isolated
// reaches (confirmed that it reaches a target since) up=10m (admitted 10m ago),
// rack=1 (an attribute), cpu:4 (utilization, also of resources). Words of
// resources, each with a node: on (owned and
// running), found (running, unowned), failed (owned), broken (failed, unowned),
// promoted (owned, as all that run), promoting, demoting, failed-promoted, found-promoted,
// blocked (owned), guarded (blocked, and started under a watchdog), lost (owned, but stopped),
// by-hand (a person started it), unknown, owned (and unknown),
// orphaned, hindered (there is an obstacle), banned, fatal (banned everywhere for
// what happened there), ran (last), changed and restart (running with an older
// configuration or before a restart was asked for), starting, stopping,
// probing, and fails=n1:3:5m (three times, last 5m ago). And without: deleting,
// on-fail=n1:block (its failure there led to that), reloadable, move=n1, catch-up (it waits 30 s for a node to be ready), standing=n1:5s
// (n1 has not been ready for so long) and standing=n1:ready. Where nothing is said, a resource is stopped.
func parse(t rapid.TB, text string) *pb.State {
	t.Helper()
	s := &pb.State{Properties: map[string]string{}, ResourceDefaults: map[string]string{}}
	for statement := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		words := strings.Fields(statement)
		if len(words) == 0 {
			continue
		}
		if err := readStatement(s, statement, words); err != nil {
			t.Fatalf("notation %q: %v", statement, err)
		}
	}
	return s
}

func readStatement(s *pb.State, statement string, words []string) error {
	second := ""
	if len(words) > 1 {
		second = words[1]
	}
	switch {
	case len(s.Nodes) == 0:
		return readNodes(s, statement)
	case words[0] == "fencing":
		s.Fencings = append(s.Fencings, &pb.Fencing{Id: uint64(len(s.Fencings) + 1), Node: "id-" + second, Phase: pb.FencingPhase_FENCING_PHASE_OFF})
		return nil
	case words[0] == "property":
		return readPairs(s.Properties, words[1:])
	case words[0] == "default":
		return readPairs(s.ResourceDefaults, words[1:])
	case words[0] == "group":
		return readGroup(s, words[1:])
	case words[0] == "constraint":
		c := new(pb.Constraint)
		s.Constraints = append(s.Constraints, c)
		return prototext.Unmarshal([]byte(strings.Join(words[1:], " ")), c)
	case words[0] == "clone":
		c := &pb.Clone{Id: words[1], Member: words[2], Meta: map[string]string{}}
		s.Clones = append(s.Clones, c)
		return readPairs(c.Meta, words[3:])
	case second == "prefers":
		return readLocations(s, words)
	case second == "with":
		score := score(words[3])
		s.Constraints = append(s.Constraints, &pb.Constraint{
			Id:   fmt.Sprintf("colocation-%s-%s-%s", words[0], words[2], words[3]),
			Kind: &pb.Constraint_Colocation{Colocation: &pb.Colocation{Resource: words[0], With: words[2], Score: score}},
		})
		return nil
	case second == "then":
		return readOrder(s, words)
	default:
		return readResource(s, words)
	}
}

func score(s string) int64 { return parseScore(s, -12345) }

func readPairs(m map[string]string, words []string) error {
	for i, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("%q is no k=v", w)
		}
		if k == "failback" { // the rest of the words belong to it
			v = strings.Join(append([]string{v}, words[i+1:]...), " ")
			m[k] = v
			return nil
		}
		m[k] = v
	}
	return nil
}

func readNodes(s *pb.State, statement string) error {
	for part := range strings.SplitSeq(statement, ",") {
		words := strings.Fields(part)
		n := &pb.Node{
			Id: "id-" + words[0], Name: words[0], Role: pb.Role_ROLE_VOTER,
			Admission: pb.Admission_ADMISSION_ADMITTED, Epoch: 3, AdmittedAt: timestamppb.New(noon.Add(-time.Hour)),
		}
		s.Nodes = append(s.Nodes, n)
		for _, w := range words[1:] {
			if err := readNodeWord(n, w); err != nil {
				return err
			}
		}
	}
	return nil
}

func readNodeWord(n *pb.Node, w string) error {
	switch w {
	case "online":
	case "standby":
		n.Standby = true
	case "stopped":
		n.Stopped = true
	case "maintenance":
		n.Maintenance = true
	case "witness":
		n.Role = pb.Role_ROLE_WITNESS
	case "isolated":
		n.Reach = &pb.Reach{Isolated: 5, Confirmed: 4}
	case "reaches":
		n.Reach = &pb.Reach{Confirmed: 5}
	case "gone":
		n.Admission = pb.Admission_ADMISSION_GONE
	case "new":
		n.Admission, n.Epoch, n.AdmittedAt = pb.Admission_ADMISSION_NONE, 0, nil
	default:
		return readNodePair(n, w)
	}
	return nil
}

func readNodePair(n *pb.Node, w string) error {
	name, value, isAttribute := strings.Cut(w, "=")
	switch {
	case name == "up":
		d, err := time.ParseDuration(value)
		n.AdmittedAt = timestamppb.New(noon.Add(-d))
		return err
	case isAttribute:
		put(&n.Attributes, name, value)
		return nil
	}
	return readUtilization(&n.Utilization, w)
}

func readUtilization(m *map[string]string, w string) error {
	name, amount, ok := strings.Cut(w, ":")
	if !ok {
		return fmt.Errorf("%q is no word of the notation", w)
	}
	put(m, name, amount)
	return nil
}

func put(m *map[string]string, name, value string) {
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[name] = value
}

func readGroup(s *pb.State, words []string) error {
	g := &pb.Group{Id: words[0], Meta: map[string]string{}}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			g.Meta[k] = v
		} else {
			g.Members = append(g.Members, w)
		}
	}
	s.Groups = append(s.Groups, g)
	return nil
}

func readLocations(s *pb.State, words []string) error {
	for _, w := range words[2:] {
		node, value, _ := strings.Cut(w, "=")
		s.Constraints = append(s.Constraints, &pb.Constraint{
			Id:   fmt.Sprintf("location-%s-%s-%s", words[0], node, value),
			Kind: &pb.Constraint_Location{Location: &pb.Location{Resource: words[0], Node: node, Score: score(value)}},
		})
	}
	return nil
}

func readOrder(s *pb.State, words []string) error {
	o := &pb.Order{First: words[0], Then: words[2]}
	kind := "mandatory"
	for _, w := range words[3:] {
		kind = w
		switch w {
		case "optional":
			o.Kind = pb.OrderKind_ORDER_KIND_OPTIONAL
		case "serialize":
			o.Kind = pb.OrderKind_ORDER_KIND_SERIALIZE
		case "asymmetrical":
			o.Asymmetrical = true
		default:
			return fmt.Errorf("%q is no word of orders", w)
		}
	}
	s.Constraints = append(s.Constraints, &pb.Constraint{
		Id: fmt.Sprintf("order-%s-%s-%s", words[0], words[2], kind), Kind: &pb.Constraint_Order{Order: o},
	})
	return nil
}

func readResource(s *pb.State, words []string) error {
	r := &pb.Resource{Id: words[0], Meta: map[string]string{}, Revision: 7, Traits: &pb.Traits{}}
	s.Resources = append(s.Resources, r)
	instances := make(map[string]*pb.Instance)
	for _, n := range s.Nodes {
		i := &pb.Instance{Resource: r.Id, Node: n.Id, State: stopped, Epoch: n.Epoch, Since: timestamppb.New(noon.Add(-time.Hour))}
		instances[n.Name] = i
		s.Instances = append(s.Instances, i)
	}
	for rest := words[1:]; len(rest) > 0; {
		used, err := readResourceWord(s, r, instances, rest)
		if err != nil {
			return err
		}
		rest = rest[used:]
	}
	return nil
}

// readResourceWord reads one word, or a word and a node.
func readResourceWord(s *pb.State, r *pb.Resource, instances map[string]*pb.Instance, words []string) (used int, err error) {
	k, v, isPair := strings.Cut(words[0], "=")
	switch {
	case words[0] == "deleting":
		r.Deleting = true
	case words[0] == "reloadable":
		r.Traits.Reloadable = true
	case words[0] == "catch-up":
		r.Traits.CatchUp = durationpb.New(30 * time.Second)
	case k == "standing":
		return 1, readStanding(s, r, v)
	case k == "move":
		r.Move = &pb.Move{Node: v, At: timestamppb.New(noon.Add(-time.Minute))}
	case k == "fails":
		return 1, readFails(instances, v)
	case k == "on-fail":
		name, policy, _ := strings.Cut(v, ":")
		i := instances[name]
		i.OnFail, i.FailCount, i.LastError, i.LastFailure = policy, max(i.FailCount, 1), "no answer", timestamppb.New(noon.Add(-time.Hour))
	case k == "failback":
		return len(words), readPairs(r.Meta, words)
	case isPair:
		r.Meta[k] = v
	case strings.Contains(words[0], ":"):
		return 1, readUtilization(&r.Utilization, words[0])
	case len(words) < 2 || instances[words[1]] == nil:
		return 0, fmt.Errorf("%q wants a node", words[0])
	case words[0] == "hindered":
		n := s.Nodes[slices.IndexFunc(s.Nodes, func(n *pb.Node) bool { return n.Name == words[1] })]
		n.Obstacles = append(n.Obstacles, &pb.Obstacle{Resource: r.Id, Kind: "carrier-lost", Text: "interface eth0 has no carrier"})
		return 2, nil
	default:
		return 2, place(s, r, instances[words[1]], words[0])
	}
	return 1, nil
}

func readStanding(s *pb.State, r *pb.Resource, v string) error {
	name, since, _ := strings.Cut(v, ":")
	i := slices.IndexFunc(s.Nodes, func(n *pb.Node) bool { return n.Name == name })
	if i < 0 {
		return fmt.Errorf("standing wants a node: %q", v)
	}
	standing := &pb.Standing{Resource: r.Id, Ready: since == "ready", Text: "it hears the open connections", Since: timestamppb.New(noon)}
	s.Nodes[i].Standings = append(s.Nodes[i].Standings, standing)
	if standing.Ready {
		return nil
	}
	d, err := time.ParseDuration(since)
	standing.Since = timestamppb.New(noon.Add(-d))
	return err
}

func readFails(instances map[string]*pb.Instance, v string) error {
	parts := strings.Split(v, ":")
	n, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil {
		return err
	}
	i := instances[parts[0]]
	i.FailCount, i.LastError, i.LastFailure = uint32(n), "no answer", timestamppb.New(noon.Add(-time.Hour))
	if len(parts) == 3 {
		d, err := time.ParseDuration(parts[2])
		i.LastFailure = timestamppb.New(noon.Add(-d))
		return err
	}
	return nil
}

// place puts an instance into the state that a word names.
func place(s *pb.State, r *pb.Resource, i *pb.Instance, word string) error {
	own := func() {
		s.LastAssignment++
		s.Assignments = append(s.Assignments, &pb.Assignment{Resource: r.Id, Node: i.Node, Epoch: i.Epoch, Number: s.LastAssignment})
	}
	fly := func(k pb.OperationKind) {
		s.LastOperation++
		s.Operations = append(s.Operations, &pb.Operation{Id: s.LastOperation, Kind: k, Resource: r.Id, Node: i.Node, Epoch: i.Epoch})
	}
	i.Revision = r.Revision
	switch word {
	case "on", "changed", "restart":
		own()
		i.State = running
		if word == "changed" {
			i.Revision--
		}
		if word == "restart" {
			r.Restart = 9
		}
	case "promoted", "promoting", "demoting", "failed-promoted":
		own()
		i.State, i.Promoted, i.Promotion = running, word != "promoting", s.LastAssignment
		s.Assignments[len(s.Assignments)-1].Promoted = true
		switch word {
		case "promoting":
			fly(promote)
		case "demoting":
			fly(demote)
		case "failed-promoted":
			i.State, i.LastError = failed, "no answer"
		}
	case "found-promoted":
		i.State, i.Revision, i.Promoted = running, 0, true
	case "found":
		i.State, i.Revision = running, 0
	case "failed":
		own()
		i.State, i.LastError = failed, "no answer"
	case "broken":
		i.State, i.Revision = failed, 0
	case "blocked", "guarded":
		own()
		s.Assignments[len(s.Assignments)-1].Watchdog = word == "guarded"
		i.State, i.LastError = pb.InstanceState_INSTANCE_STATE_BLOCKED, "device is busy"
	case "lost":
		own()
	case "by-hand":
		i.State, i.Revision, i.ByHand = running, 0, true
	case "unknown":
		i.State, i.Revision = pb.InstanceState_INSTANCE_STATE_UNKNOWN, 0
	case "owned":
		own()
		i.State = pb.InstanceState_INSTANCE_STATE_UNKNOWN
	case "orphaned":
		own()
		s.Assignments[len(s.Assignments)-1].Orphaned = true
		r.Traits.Lapse = durationpb.New(10 * time.Second)
		i.State = pb.InstanceState_INSTANCE_STATE_UNKNOWN
	case "banned", "fatal":
		i.Ban, i.BanRevision, i.LastError = pb.Ban_BAN_NODE, r.Revision, "no program"
		i.LastFailure = timestamppb.New(noon.Add(-time.Minute))
		if word == "fatal" {
			i.Ban = pb.Ban_BAN_CLUSTER
		}
	case "ran":
		i.Since = timestamppb.New(noon.Add(-time.Second))
	case "starting":
		own()
		fly(start)
		i.Revision = 0
	case "stopping":
		own()
		fly(stop)
		i.State = running
	case "probing":
		fly(probe)
		i.State, i.Revision = pb.InstanceState_INSTANCE_STATE_UNKNOWN, 0
	default:
		return fmt.Errorf("%q is no word of resources", word)
	}
	return nil
}

// ready prints the steps that may be dispatched now.
func ready(p *Plan) string {
	return (&Plan{Steps: p.Ready(), names: p.names}).String()
}
