package grammar

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Location reads
//
//	RESOURCE prefers|avoids NODE[=SCORE]...
//
// The score is INFINITY unless given; avoids turns its sign.
func Location(words []string) ([]*pb.Edit, error) {
	const usage = "write RESOURCE prefers NODE[=SCORE], or RESOURCE avoids NODE[=SCORE]"
	if len(words) < 2 {
		return nil, Errorf("a location constraint needs a resource, prefers or avoids, and a node").With(usage)
	}
	resource, err := resourceWord(words[0])
	if err != nil {
		return nil, err
	}
	var sign int64
	switch words[1] {
	case "prefers":
		sign = 1
	case "avoids":
		sign = -1
	case "rule":
		return nil, Errorf("location rules are not supported by this version").
			With("name the nodes: location %s prefers NODE[=SCORE]", resource)
	default:
		return nil, Errorf("%q is neither prefers nor avoids", words[1]).With(usage)
	}
	if len(words) < 3 {
		return nil, Errorf("%q is followed by no node", words[1]).With(usage)
	}
	return locations(resource, words[2:], sign)
}

// locations makes one constraint a NODE[=SCORE].
func locations(resource string, words []string, sign int64) ([]*pb.Edit, error) {
	var edits []*pb.Edit
	for _, word := range words {
		node, text, ok := strings.Cut(word, "=")
		score := int64(Infinity)
		if ok {
			var err error
			if score, err = ParseScore(text); err != nil {
				return nil, err
			}
		}
		if node == "" {
			return nil, Errorf("%q names no node", word).With("write NODE[=SCORE]")
		}
		edits = append(edits, location("", resource, node, sign*score))
	}
	return edits, nil
}

// LocationAdd reads ID RESOURCE NODE SCORE.
func LocationAdd(words []string) (*pb.Edit, error) {
	if len(words) != 4 {
		return nil, Errorf("location add needs four words and got %d", len(words)).
			With("write ID RESOURCE NODE SCORE")
	}
	resource, err := resourceWord(words[1])
	if err != nil {
		return nil, err
	}
	score, err := ParseScore(strings.TrimPrefix(words[3], "score="))
	if err != nil {
		return nil, err
	}
	return location(words[0], resource, words[2], score), nil
}

func location(id, resource, node string, score int64) *pb.Edit {
	return constraint(&pb.Constraint{Id: id, Kind: &pb.Constraint_Location{
		Location: &pb.Location{Resource: resource, Node: node, Score: score},
	}})
}

func constraint(c *pb.Constraint) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: c}}}
}

// resourceWord reads ID, %ID or resource%ID.
func resourceWord(word string) (string, error) {
	kind, id, ok := strings.Cut(word, "%")
	switch {
	case !ok:
		return word, nil
	case kind == "" || kind == "resource":
		return id, nil
	case kind == "regexp":
		return "", Errorf("%q: patterns are not supported by this version", word).With("name one resource")
	}
	return "", Errorf("%q is not a resource", word)
}

// Ban keeps a resource off a node until it is cleared.
func Ban(resource, node string) *pb.Edit {
	return location(BanPrefix(resource)+node, resource, node, -Infinity)
}

// BanPrefix begins the ids of the constraints that Ban makes.
func BanPrefix(resource string) string { return "cli-ban-" + resource + "-on-" }

// Colocation reads
//
//	RESOURCE with RESOURCE [SCORE] [score=SCORE] [id=ID]
//
// and the form of the oldest tutorials, which has no "with".
func Colocation(words []string) (*pb.Edit, error) {
	const usage = "write RESOURCE with RESOURCE [SCORE]"
	names, err := withoutRoles(words)
	if err != nil {
		return nil, err
	}
	if len(names) > 1 && names[1] == "with" {
		names = slices.Delete(slices.Clone(names), 1, 2)
	}
	if len(names) < 2 || strings.Contains(names[0]+names[1], "=") {
		return nil, Errorf("a colocation needs two resources").With(usage)
	}
	c := &pb.Colocation{Resource: names[0], With: names[1], Score: Infinity}
	id, err := colocationOptions(c, names[2:])
	if err != nil {
		return nil, err
	}
	return constraint(&pb.Constraint{Id: id, Kind: &pb.Constraint_Colocation{Colocation: c}}), nil
}

func colocationOptions(c *pb.Colocation, words []string) (id string, err error) {
	if len(words) > 0 && !strings.Contains(words[0], "=") {
		words = append([]string{"score=" + words[0]}, words[1:]...)
	}
	o, err := options("colocation", words, "id", "score")
	if err != nil {
		return "", err
	}
	if score, ok := o["score"]; ok {
		if c.Score, err = ParseScore(score); err != nil {
			return "", err
		}
	}
	return o["id"], nil
}

// withoutRoles drops "Started" before a resource, and refuses the roles that
// only promotable clones have.
func withoutRoles(words []string) ([]string, error) {
	var names []string
	for i, word := range words {
		last := i+1 == len(words) || words[i+1] == "with"
		switch strings.ToLower(word) {
		case "started":
			if !last {
				continue
			}
		case "promoted", "unpromoted", "master", "slave", "stopped":
			if !last {
				return nil, Errorf("role %q is not supported by this version", word).With("leave it out")
			}
		}
		names = append(names, word)
	}
	return names, nil
}

// Order reads
//
//	[start] RESOURCE then [start] RESOURCE [kind=…] [symmetrical=…] [id=ID]
func Order(words []string) (*pb.Edit, error) {
	const usage = "write RESOURCE then RESOURCE"
	i := slices.Index(words, "then")
	if i < 0 {
		return nil, Errorf(`an order needs the word "then"`).With(usage)
	}
	first, rest, err := action(words[:i])
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, Errorf(`%q stands before "then"`, rest[0]).With(usage)
	}
	then, rest, err := action(words[i+1:])
	if err != nil {
		return nil, err
	}
	o := &pb.Order{First: first, Then: then}
	id, err := orderOptions(o, rest)
	if err != nil {
		return nil, err
	}
	return constraint(&pb.Constraint{Id: id, Kind: &pb.Constraint_Order{Order: o}}), nil
}

// action reads [ACTION] RESOURCE and returns what follows.
func action(words []string) (resource string, rest []string, err error) {
	if len(words) > 1 && !strings.Contains(words[1], "=") {
		switch words[0] {
		case "start":
			words = words[1:]
		case "stop":
			return "", nil, Errorf("an order of stops is not supported by this version").
				With("write the order of the starts: the stops follow it backwards")
		case "promote", "demote":
			return "", nil, Errorf("action %q is not supported by this version", words[0]).With("order starts")
		}
	}
	if len(words) == 0 || words[0] == "" || strings.Contains(words[0], "=") {
		return "", nil, Errorf(`an order needs a resource on both sides of "then"`).With("write RESOURCE then RESOURCE")
	}
	return words[0], words[1:], nil
}

func orderOptions(o *pb.Order, words []string) (id string, err error) {
	read, err := options("order", words, "id", "kind", "symmetrical")
	if err != nil {
		return "", err
	}
	if text, ok := read["kind"]; ok {
		if o.Kind, ok = kinds[strings.ToLower(text)]; !ok {
			return "", Errorf("kind %q is not known", text).With("write Mandatory, Optional or Serialize")
		}
	}
	if text, ok := read["symmetrical"]; ok {
		symmetrical, err := parseBool("symmetrical", text)
		if err != nil {
			return "", err
		}
		o.Asymmetrical = !symmetrical
	}
	return read["id"], nil
}

var kinds = map[string]pb.OrderKind{
	"mandatory": pb.OrderKind_ORDER_KIND_MANDATORY,
	"optional":  pb.OrderKind_ORDER_KIND_OPTIONAL,
	"serialize": pb.OrderKind_ORDER_KIND_SERIALIZE,
}

// FormatKind writes the kind of an order as people do.
func FormatKind(kind pb.OrderKind) string {
	switch kind {
	case pb.OrderKind_ORDER_KIND_OPTIONAL:
		return "Optional"
	case pb.OrderKind_ORDER_KIND_SERIALIZE:
		return "Serialize"
	default:
		return "Mandatory"
	}
}

// NoSets explains what to write in place of `set A B C`.
func NoSets(kind string, words []string) error {
	e := Errorf("sets are not supported by this version")
	var pairs []string
	for i := 1; i < len(words) && !strings.Contains(words[i], "="); i++ {
		if kind == "order" {
			pairs = append(pairs, `"order `+words[i-1]+" then "+words[i]+`"`)
			continue
		}
		pairs = append(pairs, `"colocation add `+words[i]+" with "+words[i-1]+`"`)
	}
	if len(pairs) == 0 {
		return e.With("write one constraint a pair")
	}
	return e.With("write one constraint a pair: %s", strings.Join(pairs, ", "))
}
