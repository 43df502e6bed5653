package grammar

import (
	pb "quorate/proto/quorate/v1"
)

// SetOptions reads NAME=[VALUE]... An empty value removes.
func SetOptions(scope pb.OptionScope, words []string) (*pb.Edit, error) {
	what := "default"
	if scope == pb.OptionScope_OPTION_SCOPE_CLUSTER {
		what = "property"
	}
	if len(words) == 0 {
		return nil, Errorf("no %s is given", what).With("write NAME=VALUE")
	}
	set, unset, err := SetAndUnset(what, words)
	if err != nil {
		return nil, err
	}
	return optionsEdit(&pb.SetOptions{Scope: scope, Set: set, Unset: unset}), nil
}

// UnsetOptions reads NAME...
func UnsetOptions(scope pb.OptionScope, names []string) *pb.Edit {
	return optionsEdit(&pb.SetOptions{Scope: scope, Unset: names})
}

func optionsEdit(o *pb.SetOptions) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: o}}
}

// SetAttributes reads NODE NAME=[VALUE]... An empty value removes.
func SetAttributes(words []string) (*pb.Edit, error) {
	if len(words) < 2 {
		return nil, Errorf("no attribute is given").With("write NODE NAME=VALUE")
	}
	attributes, err := values("attribute", words[1:])
	if err != nil {
		return nil, err
	}
	u := &pb.UpdateNode{Name: words[0], SetAttributes: attributes}
	return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: u}}, nil
}

// SetNodeUtilization reads NODE NAME=[AMOUNT]... An empty amount removes.
func SetNodeUtilization(words []string) (*pb.Edit, error) {
	amounts, err := utilization(words)
	if err != nil {
		return nil, err
	}
	return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: words[0], SetUtilization: amounts}}}, nil
}

// SetResourceUtilization reads RESOURCE NAME=[AMOUNT]... An empty amount removes.
func SetResourceUtilization(words []string) (*pb.Edit, error) {
	amounts, err := utilization(words)
	if err != nil {
		return nil, err
	}
	return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: words[0], SetUtilization: amounts}}}, nil
}

func utilization(words []string) (map[string]string, error) {
	if len(words) < 2 {
		return nil, Errorf("no amount is given").With("write for example cpu=2")
	}
	return values("utilization", words[1:])
}

// SetMeta makes the edit that sets one meta attribute of a resource or a
// group, or removes it when value is empty.
func SetMeta(id, name, value string) *pb.Edit {
	u := &pb.UpdateResource{Id: id}
	if value == "" {
		u.UnsetMeta = []string{name}
	} else {
		u.SetMeta = map[string]string{name: value}
	}
	return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}}
}
