package grammar

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Location reads
//
//	RESOURCE prefers|avoids NODE[=SCORE]...
//	RESOURCE rule [OPTION=VALUE]... EXPRESSION
//
// The score is INFINITY unless given; avoids turns its sign.
func Location(words []string) ([]*pb.Edit, error) {
	const usage = "write RESOURCE prefers NODE[=SCORE], RESOURCE avoids NODE[=SCORE] or RESOURCE rule EXPRESSION"
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
		edit, err := ruleLocation(resource, words[2:])
		return []*pb.Edit{edit}, err
	default:
		return nil, Errorf("%q is none of prefers, avoids and rule", words[1]).With(usage)
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
		edits = append(edits, location("", &pb.Location{Resource: resource, Node: node, Score: sign * score}))
	}
	return edits, nil
}

// LocationAdd reads ID RESOURCE NODE SCORE [resource-discovery=…] [role=…].
func LocationAdd(words []string) (*pb.Edit, error) {
	if len(words) < 4 {
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
	o, err := options("location", words[4:], "resource-discovery", "role")
	if err != nil {
		return nil, err
	}
	l := &pb.Location{Resource: resource, Node: words[2], Score: score}
	if l.Role, err = parseRole(o["role"]); err != nil {
		return nil, err
	}
	l.Discovery, err = discovery(o)
	return location(words[0], l), err
}

func location(id string, l *pb.Location) *pb.Edit {
	return creation(&pb.Constraint{Id: id, Kind: &pb.Constraint_Location{Location: l}})
}

// ruleLocation reads [OPTION=VALUE]... EXPRESSION. A rule has no id besides its
// constraint's, so either may be given.
func ruleLocation(resource string, words []string) (*pb.Edit, error) {
	first := slices.IndexFunc(words, func(w string) bool { return !ruleOption.MatchString(w) })
	if first < 0 {
		return nil, Errorf("the rule has no expression").With(ruleUsage)
	}
	o, err := options("rule", words[:first], "id", "constraint-id", "resource-discovery", "role", "score", "score-attribute")
	if err != nil {
		return nil, err
	}
	l := &pb.Location{Resource: resource, Score: Infinity}
	if err := ruleOptions(l, o); err != nil {
		return nil, err
	}
	l.Rule, err = Rule(words[first:])
	return location(cmp.Or(o["constraint-id"], o["id"]), l), err
}

var ruleOption = regexp.MustCompile(`^[a-z-]+=`)

func ruleOptions(l *pb.Location, o map[string]string) (err error) {
	score, scored := o["score"]
	attribute, named := o["score-attribute"]
	switch {
	case scored && named:
		return Errorf("score and score-attribute are both given").With("give one of them")
	case named:
		l.Score, l.ScoreAttribute = 0, attribute
	case scored:
		if l.Score, err = ParseScore(score); err != nil {
			return err
		}
	}
	if l.Role, err = parseRole(o["role"]); err != nil {
		return err
	}
	l.Discovery, err = discovery(o)
	return err
}

// discovery reads the option resource-discovery.
func discovery(o map[string]string) (pb.Discovery, error) {
	text, given := o["resource-discovery"]
	d, known := pb.Discovery_value["DISCOVERY_"+strings.ToUpper(text)]
	if given && !known {
		return 0, Errorf("resource-discovery %q is not known", text).With("write always or exclusive")
	}
	return pb.Discovery(d), nil
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
	return location(BanPrefix(resource)+node, &pb.Location{Resource: resource, Node: node, Score: -Infinity})
}

// BanPrefix begins the ids of the constraints that Ban makes.
func BanPrefix(resource string) string { return "cli-ban-" + resource + "-on-" }
