package cib

import (
	"slices"

	"quorate/cluster/alert"
	pb "quorate/proto/quorate/v1"
)

// alerts writes the alerts; nil: there are none that Pacemaker could run.
func (x *exporter) alerts() *element {
	section := node("alerts")
	for _, a := range x.state.Alerts {
		switch {
		case a.Path == alert.Mail:
			x.left("alert", a.Id, "it is built into Quorate; Pacemaker has a sample, alert_smtp.sh")
			continue
		case len(a.Select) > 0 && !slices.ContainsFunc(a.Select, pacemakers):
			x.left("alert", a.Id, "it is told of what Pacemaker does not tell")
			continue
		}
		if len(a.Resources) > 0 {
			x.left("resources of an alert", a.Id, "Pacemaker tells an alert of all resources")
		}
		x.took("alert", a.Id)
		section.add(x.alert(a))
	}
	if len(section.children) == 0 {
		return nil
	}
	return section
}

func (x *exporter) alert(a *pb.Alert) *element {
	e := node("alert", "id", x.id(a.Id), "path", a.Path, "description", a.Description)
	e.add(x.pairs("meta_attributes", a.Id, alertMeta(a.Meta)), x.pairs("instance_attributes", a.Id, a.Options))
	filter := node("select")
	for _, name := range []string{"select_attributes", "select_fencing", "select_nodes", "select_resources"} {
		if slices.Contains(a.Select, selections[name]) {
			filter.add(node(name))
		}
	}
	for _, word := range a.Select {
		if !pacemakers(word) {
			x.left("select "+word, a.Id, "Pacemaker does not tell it")
		}
	}
	if len(filter.children) > 0 {
		e.add(filter)
	}
	for _, r := range a.Recipients {
		to := node("recipient", "id", x.id(r.Id), "value", r.Value, "description", r.Description)
		e.add(to.add(x.pairs("meta_attributes", r.Id, alertMeta(r.Meta)), x.pairs("instance_attributes", r.Id, r.Options)))
		x.took("recipient", r.Id)
	}
	return e
}

// pacemakers reports whether Pacemaker has a filter for a kind of alerts.
func pacemakers(kind string) bool {
	for _, k := range selections {
		if k == kind {
			return true
		}
	}
	return false
}

// alertMeta writes durations as Pacemaker reads them.
func alertMeta(meta map[string]string) map[string]string {
	kept := make(map[string]string, len(meta))
	for name, value := range meta {
		if name == "timeout" {
			value = inUnits(value)
		}
		kept[name] = value
	}
	return kept
}
