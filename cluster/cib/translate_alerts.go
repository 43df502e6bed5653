package cib

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/alert"
	pb "quorate/proto/quorate/v1"
)

// selections are Pacemaker's filters, by the kinds of alerts that they let through
// (Pacemaker Explained 3.0, "Alert Filters").
var selections = map[string]string{
	"select_nodes": alert.Node, "select_fencing": alert.Fencing, "select_resources": alert.Resource, "select_attributes": alert.Attribute,
}

// oneNode is what is different about every alert.
const oneNode = "one node runs it for each event, the one that leads, and not every node"

// alerts offers the alerts, and after each its recipients.
func (t *translator) alerts() {
	for e := range t.d.section("alerts").all("alert") {
		given := &pb.Alert{
			Id: e.id(), Path: e.attr("path"), Description: e.attr("description"),
			Options: t.merge("instance_attributes", t.d.blocks(e, "instance_attributes")), Meta: t.alertMeta(e),
		}
		for s := range e.first("select").descendants() {
			if kind := selections[s.name]; kind != "" {
				given.Select = append(given.Select, kind)
			}
			if s.name == "select_attributes" {
				t.leave(s.name, e.id(), "alerts are not told of attributes; `quorate node attribute` shows them")
			}
		}
		t.offer("alert", given.Id, oneNode, func(c *pb.Configuration) string {
			c.Alerts = append(c.Alerts, proto.CloneOf(given)) // recipients are added to it
			return ""
		})
		for r := range e.all("recipient") {
			t.recipient(given.Id, r)
		}
	}
}

func (t *translator) recipient(alert string, e *element) {
	given := &pb.AlertRecipient{
		Id: e.id(), Value: e.attr("value"), Description: e.attr("description"),
		Options: t.merge("instance_attributes", t.d.blocks(e, "instance_attributes")), Meta: t.alertMeta(e),
	}
	t.offer("recipient", given.Id, "", func(c *pb.Configuration) string {
		i := slices.IndexFunc(c.Alerts, func(a *pb.Alert) bool { return a.Id == alert })
		if i < 0 {
			return "alert " + alert + " was not taken"
		}
		c.Alerts[i].Recipients = append(c.Alerts[i].Recipients, given)
		return ""
	})
}

// alertMeta are the meta attributes that alerts have; others are reported.
func (t *translator) alertMeta(e *element) map[string]string {
	meta := t.merge("meta_attributes", t.d.blocks(e, "meta_attributes"))
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		if alert.MetaOf(name).Name == "" {
			t.leave("option "+name, t.pairID(e, name), "an alert has no such option")
			delete(meta, name)
		}
	}
	return meta
}
