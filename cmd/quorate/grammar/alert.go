package grammar

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// An alertSection is what the words of an alert, or of a recipient, fall into.
type alertSection struct {
	own               map[string]string // path, id, value, description
	options, meta     map[string]string
	selects, resource []string // after "select" and "resources"; nil: not said
}

// alertSections reads NAME=VALUE... [options NAME=VALUE...] [meta NAME=VALUE...]
// [select KIND...] [resources ID...]. Of own the names that may stand first are known.
func alertSections(words []string, known ...string) (s alertSection, err error) {
	parts := map[string][]string{}
	at := ""
	for _, word := range words {
		if slices.Contains([]string{"options", "meta", "select", "resources"}, word) {
			at = word
			if parts[at] == nil {
				parts[at] = []string{}
			}
			continue
		}
		parts[at] = append(parts[at], word)
	}
	if s.own, err = options("setting", parts[""], known...); err != nil {
		return s, err
	}
	if s.options, err = values("option", parts["options"]); err != nil {
		return s, err
	}
	if s.meta, err = values("meta attribute", parts["meta"]); err != nil {
		return s, err
	}
	s.selects, s.resource = listed(parts["select"]), listed(parts["resources"])
	return s, nil
}

// listed takes words apart at commas; nil stays nil.
func listed(words []string) []string {
	if words == nil {
		return nil
	}
	list := []string{}
	for _, w := range words {
		list = append(list, strings.FieldsFunc(w, func(r rune) bool { return r == ',' })...)
	}
	return list
}

// CreateAlert reads
//
//	path=PATH [id=ID] [description=TEXT] [options NAME=VALUE...] [meta NAME=VALUE...] [select KIND...] [resources ID...]
func CreateAlert(words []string) (*pb.Alert, error) {
	s, err := alertSections(words, "path", "id", "description")
	if err != nil {
		return nil, err
	}
	if s.own["path"] == "" {
		return nil, Errorf("an alert needs a program").With("write path=/usr/local/bin/page, or path=mail for mail")
	}
	return &pb.Alert{
		Id: s.own["id"], Path: s.own["path"], Description: s.own["description"],
		Options: s.options, Meta: s.meta, Select: s.selects, Resources: s.resource,
	}, nil
}

// UpdateAlert reads ID and then what CreateAlert reads but the id. An empty value
// removes; "select" or "resources" followed by nothing takes the limit away. Old is
// the alert as it is, whose other limit stays.
func UpdateAlert(words []string, old *pb.Alert) (*pb.UpdateAlert, error) {
	if len(words) < 2 || strings.Contains(words[0], "=") {
		return nil, Errorf("an update needs the id of an alert and what to change").With("write for example alert options from=ha@example.com")
	}
	s, err := alertSections(words[1:], "path", "description")
	if err != nil {
		return nil, err
	}
	u := &pb.UpdateAlert{Id: words[0], Path: s.own["path"], SetOptions: s.options, SetMeta: s.meta, Description: given(s.own, "description")}
	if s.selects != nil || s.resource != nil {
		u.Scope = &pb.AlertScope{Select: old.GetSelect(), Resources: old.GetResources()}
		if s.selects != nil {
			u.Scope.Select = s.selects
		}
		if s.resource != nil {
			u.Scope.Resources = s.resource
		}
	}
	return u, nil
}

// given is the value of a name that stands among words, which may be empty.
func given(words map[string]string, name string) *string {
	if value, ok := words[name]; ok {
		return &value
	}
	return nil
}

// AddRecipient reads ALERT value=VALUE [id=ID] [description=TEXT] [options NAME=VALUE...] [meta NAME=VALUE...].
func AddRecipient(words []string) (*pb.AddRecipient, error) {
	if len(words) < 2 || strings.Contains(words[0], "=") {
		return nil, Errorf("a recipient needs an alert and a value").With("write for example alert value=admin@example.com")
	}
	s, err := alertSections(words[1:], "value", "id", "description")
	if err != nil {
		return nil, err
	}
	if s.own["value"] == "" {
		return nil, Errorf("a recipient needs a value").With("write value=admin@example.com, or whatever the program understands")
	}
	return &pb.AddRecipient{Alert: words[0], Recipient: &pb.AlertRecipient{
		Id: s.own["id"], Value: s.own["value"], Description: s.own["description"], Options: s.options, Meta: s.meta,
	}}, s.noScope()
}

// UpdateRecipient reads ID [value=VALUE] [description=TEXT] [options NAME=VALUE...] [meta NAME=VALUE...].
func UpdateRecipient(words []string) (*pb.UpdateRecipient, error) {
	if len(words) < 2 || strings.Contains(words[0], "=") {
		return nil, Errorf("an update needs the id of a recipient and what to change").With("write for example alert-recipient value=admin@example.com")
	}
	s, err := alertSections(words[1:], "value", "description")
	if err != nil {
		return nil, err
	}
	return &pb.UpdateRecipient{
		Id: words[0], Value: s.own["value"], Description: given(s.own, "description"), SetOptions: s.options, SetMeta: s.meta,
	}, s.noScope()
}

func (s alertSection) noScope() error {
	if s.selects != nil || s.resource != nil {
		return Errorf("select and resources are the alert's to say").With("use alert update")
	}
	return nil
}

// alertWords writes the commands that make an alert.
func alertWords(a *pb.Alert) [][]string {
	words := []string{"alert", "create", "path=" + a.GetPath(), "id=" + a.GetId()}
	all := [][]string{append(words, sectionWords(a.GetDescription(), a.GetOptions(), a.GetMeta())...)}
	for _, l := range []struct {
		name string
		list []string
	}{{"select", a.GetSelect()}, {"resources", a.GetResources()}} {
		if len(l.list) > 0 {
			all[0] = append(append(all[0], l.name), l.list...)
		}
	}
	for _, r := range a.GetRecipients() {
		words := []string{"alert", "recipient", "add", a.GetId(), "value=" + r.GetValue(), "id=" + r.GetId()}
		all = append(all, append(words, sectionWords(r.GetDescription(), r.GetOptions(), r.GetMeta())...))
	}
	return all
}

func sectionWords(description string, options, meta map[string]string) (words []string) {
	if description != "" {
		words = append(words, "description="+description)
	}
	if len(options) > 0 {
		words = append(append(words, "options"), pairWords(options)...)
	}
	if len(meta) > 0 {
		words = append(append(words, "meta"), pairWords(meta)...)
	}
	return words
}
