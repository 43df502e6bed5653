package grammar

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Order reads
//
//	[ACTION] RESOURCE then [ACTION] RESOURCE [OPTION=VALUE]...
//
// The first action is start unless given, the second the first.
func Order(words []string) (*pb.Edit, error) {
	const usage = "write RESOURCE then RESOURCE"
	i := slices.Index(words, "then")
	if i < 0 {
		return nil, Errorf(`an order needs the word "then"`).With(usage)
	}
	o := new(pb.Order)
	rest, err := ordered(words[:i], &o.First, &o.FirstAction)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, Errorf(`%q stands before "then"`, rest[0]).With(usage)
	}
	o.ThenAction = o.FirstAction
	if rest, err = ordered(words[i+1:], &o.Then, &o.ThenAction); err != nil {
		return nil, err
	}
	return order(o, rest, "id", "kind", "symmetrical", "require-all")
}

// OrderSet reads
//
//	RESOURCE... [action=…] [sequential=…] [require-all=…] [set RESOURCE...]... [setoptions [OPTION=VALUE]...]
func OrderSet(words []string) (*pb.Edit, error) {
	sets, rest, err := resourceSets("order", words, "action", "sequential", "require-all")
	if err != nil {
		return nil, err
	}
	return order(&pb.Order{Sets: sets}, rest, "id", "kind", "symmetrical")
}

// ordered reads [ACTION] RESOURCE and returns what follows.
func ordered(words []string, resource *string, action *pb.OrderAction) (rest []string, err error) {
	if len(words) > 1 && !strings.Contains(words[1], "=") && isAction(words[0]) {
		if *action, err = orderAction(words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	if len(words) == 0 || words[0] == "" || strings.Contains(words[0], "=") {
		return nil, Errorf(`an order needs a resource on both sides of "then"`).With("write RESOURCE then RESOURCE")
	}
	*resource = words[0]
	return words[1:], nil
}

func isAction(word string) bool {
	return slices.Contains([]string{"start", "stop", "promote", "demote"}, word)
}

func orderAction(word string) (pb.OrderAction, error) {
	switch word {
	case "start":
		return pb.OrderAction_ORDER_ACTION_START, nil
	case "stop":
		return pb.OrderAction_ORDER_ACTION_STOP, nil
	case "promote":
		return pb.OrderAction_ORDER_ACTION_PROMOTE, nil
	case "demote":
		return pb.OrderAction_ORDER_ACTION_DEMOTE, nil
	}
	return 0, Errorf("action %q is not known", word).With("write start, stop, promote or demote")
}

// order reads the options that follow what is ordered.
func order(o *pb.Order, words []string, known ...string) (*pb.Edit, error) {
	read, err := options("order", words, known...)
	if err != nil {
		return nil, err
	}
	if text, ok := read["kind"]; ok {
		if o.Kind, ok = kinds[strings.ToLower(text)]; !ok {
			return nil, Errorf("kind %q is not known", text).With("write Mandatory, Optional or Serialize")
		}
	}
	if err := switchedOff(read, "symmetrical", &o.Asymmetrical); err != nil {
		return nil, err
	}
	if err := switchedOff(read, "require-all", &o.AnyInstance); err != nil {
		return nil, err
	}
	return creation(&pb.Constraint{Id: read["id"], Kind: &pb.Constraint_Order{Order: o}}), nil
}

// switchedOff reads an option that is true unless it is said to be false.
func switchedOff(o map[string]string, name string, off *bool) error {
	text, ok := o[name]
	if !ok {
		return nil
	}
	on, err := parseBool(name, text)
	*off = !on
	return err
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
