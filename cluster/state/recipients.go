package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// addRecipient has an alert run for one recipient more.
func (d *draft) addRecipient(r *pb.AddRecipient) (string, error) {
	a := AlertByID(d.State, r.Alert)
	if a == nil {
		return "", d.noSuchAlert(r.Alert)
	}
	given := r.GetRecipient()
	id := cmp.Or(given.GetId(), d.freeAlertID(a.Id+"-recipient"))
	if err := d.checkAlertID("recipient id", id); err != nil {
		return "", err
	}
	if err := checkSoleValue(a, given.GetValue(), "", r.Force); err != nil {
		return "", err
	}
	meta, err := editedAlertMeta(nil, given.GetMeta())
	if err != nil {
		return "", err
	}
	added := &pb.AlertRecipient{
		Id: id, Value: given.GetValue(), Description: given.GetDescription(), Options: merged(nil, given.GetOptions()), Meta: meta,
	}
	err = d.putAlert(with(a, func(a *pb.Alert) { a.Recipients = put(a.Recipients, id, byID, added) }))
	d.forgetAlertConditions()
	return fmt.Sprintf("recipient %s of alert %s added (%s)", id, a.Id, added.Value), err
}

// checkSoleValue refuses a value that another recipient of the alert has.
func checkSoleValue(a *pb.Alert, value, except string, force bool) error {
	for _, r := range a.Recipients {
		if r.Value == value && r.Id != except && !force {
			return refuse(Exists, "recipient", "use --force to tell it twice", "the recipient %s of %s has the value %s already", r.Id, a.Id, value)
		}
	}
	return nil
}

func (d *draft) updateRecipient(u *pb.UpdateRecipient) (string, error) {
	a, old := d.recipient(u.Id)
	if old == nil {
		return "", d.noSuchRecipient(u.Id)
	}
	if u.Value == "" && u.Description == nil && len(u.SetOptions)+len(u.SetMeta) == 0 {
		return "", refuse(Invalid, "recipient", "", "nothing to change was given for %s", u.Id)
	}
	meta, err := editedAlertMeta(old.Meta, u.SetMeta)
	if err != nil {
		return "", err
	}
	changed := with(old, func(r *pb.AlertRecipient) {
		r.Value, r.Meta, r.Options = cmp.Or(u.Value, r.Value), meta, merged(old.Options, u.SetOptions)
		if u.Description != nil {
			r.Description = *u.Description
		}
	})
	if err := checkSoleValue(a, changed.Value, u.Id, u.Force); err != nil {
		return "", err
	}
	return fmt.Sprintf("recipient %s of alert %s changed", u.Id, a.Id),
		d.putAlert(with(a, func(a *pb.Alert) { a.Recipients = put(a.Recipients, u.Id, byID, changed) }))
}

func (d *draft) removeRecipient(id string) (string, error) {
	a, old := d.recipient(id)
	if old == nil {
		return "", d.noSuchRecipient(id)
	}
	err := d.putAlert(with(a, func(a *pb.Alert) {
		a.Recipients = without(a.Recipients, func(r *pb.AlertRecipient) bool { return r.Id == id })
	}))
	d.forgetAlertConditions()
	return fmt.Sprintf("recipient %s of alert %s removed", id, a.Id), err
}

// recipient finds one, and its alert; nil: there is none.
func (d *draft) recipient(id string) (*pb.Alert, *pb.AlertRecipient) {
	for _, a := range d.Alerts {
		if r := get(a.Recipients, id, byID); r != nil {
			return a, r
		}
	}
	return nil, nil
}

func (d *draft) noSuchRecipient(id string) error {
	var known []string
	for _, a := range d.Alerts {
		for _, r := range a.Recipients {
			known = append(known, r.Id)
		}
	}
	slices.SortFunc(known, strings.Compare)
	return refuse(NotFound, "recipient", suggest(id, known), "no alert has a recipient %q", id)
}
