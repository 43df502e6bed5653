// Package alert says what an alert is, which events it is told of, and how: it runs
// the alert's program, or sends its mail.
//
// Alerts are Pacemaker's ("Alerts", Pacemaker Explained 3.0 and Pacemaker
// Administration): a program gets what it is to know as its environment, once for
// each recipient. When that is done, and by which node, is left to the controller.
package alert

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Mail is the path of the alert that is built in: it sends mail to its recipients.
const Mail = "quorate:mail"

// A Call is one run of an alert's program.
type Call struct {
	Alert     *pb.Alert
	Recipient *pb.AlertRecipient // nil: the alert has none
	Event     *pb.Event
	NodeID    string // of the event's node; empty: it has none
	Cluster   string // its name
	Version   string // of the program that calls
}

// option is what the recipient says of a name, else what the alert says.
func (c Call) option(name string) string {
	if v, said := c.Recipient.GetOptions()[name]; said {
		return v
	}
	return c.Alert.GetOptions()[name]
}

// options are those of both.
func (c Call) options() map[string]string {
	all := make(map[string]string)
	maps.Copy(all, c.Alert.GetOptions())
	maps.Copy(all, c.Recipient.GetOptions())
	return all
}

func (c Call) meta(name string) string {
	if v, said := c.Recipient.GetMeta()[name]; said {
		return v
	}
	return cmp.Or(c.Alert.GetMeta()[name], MetaOf(name).Default)
}

// Timeout is how long the run may take.
func (c Call) Timeout() time.Duration {
	d, err := time.ParseDuration(c.meta("timeout"))
	if err != nil || d <= 0 || d > Longest {
		return DefaultTimeout
	}
	return d
}

// DefaultTimeout is how long a run may take if nobody says otherwise, and Longest
// what may be said.
const (
	DefaultTimeout = 30 * time.Second
	Longest        = 10 * time.Minute
)

// A Meta is a meta attribute of alerts and recipients ("Alert Meta-Attributes").
type Meta struct{ Name, Default, Summary string }

// Metas are all of them, by name.
var Metas = []Meta{
	{"enabled", "true", "whether it is told of anything"},
	{"timeout", "30s", "after which the program is killed"},
	{"timestamp-format", "%H:%M:%S.%6N", "of CRM_alert_timestamp, as of date(1)"},
}

// MetaOf returns a meta attribute; one without a name: there is none.
func MetaOf(name string) (found Meta) {
	if i := slices.IndexFunc(Metas, func(m Meta) bool { return m.Name == name }); i >= 0 {
		found = Metas[i]
	}
	return found
}

// Calls are the runs that an event leads to. Within answers whether a resource is a
// given one, or belongs to that group or clone.
func Calls(all []*pb.Alert, e *pb.Event, within func(resource, id string) bool) (calls []Call) {
	for _, a := range all {
		if !enabled(a.GetMeta()) || !Wants(a, e) || !concerns(a, e, within) {
			continue
		}
		if len(a.GetRecipients()) == 0 {
			calls = append(calls, Call{Alert: a, Event: e})
		}
		for _, r := range a.GetRecipients() {
			if enabled(r.GetMeta()) {
				calls = append(calls, Call{Alert: a, Recipient: r, Event: e})
			}
		}
	}
	return calls
}

func enabled(meta map[string]string) bool {
	return !slices.Contains([]string{"false", "no", "off", "0", "n"}, strings.ToLower(meta["enabled"]))
}

func concerns(a *pb.Alert, e *pb.Event, within func(resource, id string) bool) bool {
	if len(a.GetResources()) == 0 {
		return true
	}
	return e.GetResource() != "" && slices.ContainsFunc(a.GetResources(), func(id string) bool { return within(e.GetResource(), id) })
}

// An Error says what is wrong with an alert, and where.
type Error struct{ Field, Problem, Fix string }

func (e *Error) Error() string { return fmt.Sprintf("%s: %s; %s", e.Field, e.Problem, e.Fix) }

// variable is what a program can be told by.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckOptions returns what is wrong with the options of an alert or a recipient.
func CheckOptions(path string, options map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		field := "option " + name
		switch value := options[name]; {
		case !variable.MatchString(name):
			return &Error{field, "it becomes a variable of the program's environment", "use letters, digits and '_'"}
		case strings.HasPrefix(name, "CRM_alert_"), strings.HasPrefix(name, "QUORATE_"):
			return &Error{field, "the cluster sets it by itself", "choose another name"}
		case strings.ContainsRune(value, 0):
			return &Error{field, "its value has a NUL character", "leave it out"}
		case path == Mail:
			if err := checkMail(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}
