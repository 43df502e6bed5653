package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"quorate/cluster/alert"
	pb "quorate/proto/quorate/v1"
)

// AlertByID returns an alert.
func AlertByID(s *pb.State, id string) *pb.Alert { return get(s.GetAlerts(), id, byID) }

// AlertConditionOf returns how the newest run of an alert for a recipient ended; nil:
// there was none.
func AlertConditionOf(s *pb.State, alert, recipient string) *pb.AlertCondition {
	return get(s.GetAlertConditions(), place{alert, recipient}, byAlert)
}

func byAlert(c *pb.AlertCondition, p place) int {
	return cmp.Or(strings.Compare(c.Alert, p.resource), strings.Compare(c.Recipient, p.node))
}

// Within reports whether a resource is the one of an id, or belongs to the group or
// clone of it.
func Within(s *pb.State, resource, id string) bool {
	return resource == id || slices.Contains(Members(s, id), resource)
}

// createAlert makes an alert. The events that there are already it is not told of.
func (d *draft) createAlert(given *pb.Alert) (string, error) {
	id := given.GetId()
	if id == "" {
		id = d.freeAlertID("alert")
	}
	if err := d.checkAlertID("alert id", id); err != nil {
		return "", err
	}
	a := &pb.Alert{
		Id: id, Path: given.GetPath(), Description: given.GetDescription(), Options: merged(nil, given.GetOptions()),
		Select: given.GetSelect(), Resources: given.GetResources(),
	}
	var err error
	if a.Meta, err = editedAlertMeta(nil, given.GetMeta()); err != nil {
		return "", err
	}
	if len(d.Alerts) == 0 {
		d.AlertsTold = d.LastEvent
	}
	if err := d.putAlert(a); err != nil {
		return "", err
	}
	for _, r := range given.GetRecipients() {
		if _, err := d.addRecipient(&pb.AddRecipient{Alert: id, Recipient: r}); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("alert %s created (%s)", id, AlertByID(d.State, id).Path), nil
}

// putAlert checks an alert, and puts it in.
func (d *draft) putAlert(a *pb.Alert) error {
	switch a.Path {
	case "mail":
		a.Path = alert.Mail
	case alert.Mail:
	default:
		if !path.IsAbs(a.Path) {
			return refuse(Invalid, "path", "give the program with its whole path, or mail, which is built in", "%q is none", a.Path)
		}
	}
	if err := alert.CheckOptions(a.Path, a.Options); err != nil {
		return asFieldRefusal(err)
	}
	for _, r := range a.Recipients {
		if err := errors.Join(alert.CheckOptions(a.Path, r.Options), alert.CheckRecipient(a.Path, r.Value)); err != nil {
			return asFieldRefusal(err)
		}
	}
	for _, word := range a.Select {
		if err := checkSelection(word); err != nil {
			return err
		}
	}
	d.Alerts = put(d.Alerts, a.Id, byID, a)
	return nil
}

func asFieldRefusal(err error) error {
	wrong, ok := errors.AsType[*alert.Error](err)
	if !ok {
		return refuse(Invalid, "alert", "", "%v", err)
	}
	return refuse(Invalid, wrong.Field, wrong.Fix, "%s", wrong.Problem)
}

// checkSelection takes kinds of alerts, and whatever may be the kind of an event.
func checkSelection(word string) error {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || word == "" {
		return refuse(Invalid, "select", "use "+strings.Join(alert.Kinds, ", ")+", or kinds of events as `quorate events -o json` has them", "%q is no kind of alerts", word)
	}
	return nil
}

func editedAlertMeta(old, set map[string]string) (map[string]string, error) {
	checks := map[string]func(string) (string, error){"enabled": checkBool, "timeout": checkAlertTimeout, "timestamp-format": checkTimestampFormat}
	out := maps.Clone(old)
	if out == nil {
		out = make(map[string]string)
	}
	for _, name := range sortedKeys(set) {
		check := checks[name]
		if check == nil {
			return nil, refuse(Invalid, "meta attribute "+name, suggest(name, sortedKeys(checks)), "alerts have no such one")
		}
		if set[name] == "" {
			delete(out, name)
			continue
		}
		value, err := check(set[name])
		if err != nil {
			return nil, asRefusal("meta attribute "+name, err)
		}
		out[name] = value
	}
	return out, nil
}

func checkAlertTimeout(s string) (string, error) {
	d, err := ParseDuration(s)
	if err == nil && (d <= 0 || d > alert.Longest) {
		err = fmt.Errorf("%q is out of range; use up to 10min", s)
	}
	if err != nil {
		return "", err
	}
	return d.String(), nil
}

func checkTimestampFormat(s string) (string, error) {
	if len(s) > 128 || strings.ContainsAny(s, "\x00\n") {
		return "", fmt.Errorf("it is no format of date(1); use for example %%Y-%%m-%%d,%%H:%%M:%%S")
	}
	return s, nil
}

func (d *draft) updateAlert(u *pb.UpdateAlert) (string, error) {
	old := AlertByID(d.State, u.Id)
	if old == nil {
		return "", d.noSuchAlert(u.Id)
	}
	if u.Path == "" && u.Description == nil && len(u.SetOptions)+len(u.SetMeta) == 0 && u.Scope == nil {
		return "", refuse(Invalid, "alert", "", "nothing to change was given for %s", u.Id)
	}
	meta, err := editedAlertMeta(old.Meta, u.SetMeta)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("alert %s changed", u.Id), d.putAlert(with(old, func(a *pb.Alert) {
		a.Path = cmp.Or(u.Path, a.Path)
		if u.Description != nil {
			a.Description = *u.Description
		}
		if u.Scope != nil {
			a.Select, a.Resources = u.Scope.Select, u.Scope.Resources
		}
		a.Options, a.Meta = merged(old.Options, u.SetOptions), meta
	}))
}

func (d *draft) deleteAlert(id string) (string, error) {
	if AlertByID(d.State, id) == nil {
		return "", d.noSuchAlert(id)
	}
	d.Alerts = without(d.Alerts, func(a *pb.Alert) bool { return a.Id == id })
	d.forgetAlertConditions()
	return fmt.Sprintf("alert %s deleted", id), nil
}

// forgetAlertConditions forgets those of what is not there any more.
func (d *draft) forgetAlertConditions() {
	d.AlertConditions = without(d.AlertConditions, func(c *pb.AlertCondition) bool { return !d.runsFor(c.Alert, c.Recipient) })
}

// runsFor reports whether an alert is run for a recipient; for nobody it is if it has none.
func (d *draft) runsFor(alert, recipient string) bool {
	a := AlertByID(d.State, alert)
	if a == nil || recipient == "" {
		return a != nil && len(a.Recipients) == 0
	}
	return slices.ContainsFunc(a.Recipients, func(r *pb.AlertRecipient) bool { return r.Id == recipient })
}

// replaceAlerts makes the alerts as a configuration has them.
func (d *draft) replaceAlerts(c *pb.Configuration) error {
	had := len(d.Alerts) > 0
	told := d.AlertsTold
	d.Alerts = nil
	for _, a := range c.Alerts {
		if _, err := d.createAlert(a); err != nil {
			return err
		}
	}
	if had {
		d.AlertsTold = told
	}
	d.forgetAlertConditions()
	return nil
}

// recordAlerts notes what was told, and what has changed of how that ends.
func (d *draft) recordAlerts(r *pb.RecordAlerts) error {
	d.AlertsTold = max(d.AlertsTold, min(r.Told, d.LastEvent))
	for _, c := range r.Conditions {
		if !d.runsFor(c.Alert, c.Recipient) {
			continue // it was deleted meanwhile
		}
		d.AlertConditions = put(d.AlertConditions, place{c.Alert, c.Recipient}, byAlert, &pb.AlertCondition{
			Alert: c.Alert, Recipient: c.Recipient, Node: c.Node, Error: oneLine(c.Error), Since: d.at,
		})
	}
	return nil
}

func (d *draft) noSuchAlert(id string) error {
	var known []string
	for _, a := range d.Alerts {
		known = append(known, a.Id)
	}
	return refuse(NotFound, "alert", suggest(id, known), "there is no alert %q", id)
}

// checkAlertID refuses the id of another alert or recipient.
func (d *draft) checkAlertID(field, id string) error {
	if err := checkName(field, id, isName, nameRule); err != nil {
		return err
	}
	for _, a := range d.Alerts {
		if a.Id == id {
			return refuse(Exists, field, "choose another", "there is an alert %s already", id)
		}
		if slices.ContainsFunc(a.Recipients, func(r *pb.AlertRecipient) bool { return r.Id == id }) {
			return refuse(Exists, field, "choose another", "the alert %s has a recipient %s already", a.Id, id)
		}
	}
	return nil
}

// freeAlertID is a name, or that with the first number that makes it free.
func (d *draft) freeAlertID(name string) string {
	id := name
	for n := 1; d.checkAlertID("", id) != nil; n++ {
		id = fmt.Sprintf("%s-%d", name, n)
	}
	return id
}
