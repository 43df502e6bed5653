package lvs

import (
	"fmt"
	"maps"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// A mailing is an alert that sends mail to the addresses of a configuration, about
// some resources.
type mailing struct {
	id         string
	of         []*Directive // that ask for it
	choice     []string     // kinds of alerts
	options    map[string]string
	meta       map[string]string
	recipients []string
	resources  []string // as the pieces before it make them
}

// mailPath is that of the alert that is built in.
const mailPath = "quorate:mail"

// offerMail has a mailing made, about those of its resources that were taken.
func (t *translation) offerMail(m mailing) {
	if len(m.recipients) == 0 || len(m.resources) == 0 {
		return
	}
	t.offer(m.of, func(c *pb.Configuration) string {
		a := &pb.Alert{Id: m.id, Path: mailPath, Select: m.choice, Options: maps.Clone(m.options), Meta: maps.Clone(m.meta)}
		for _, id := range m.resources {
			if slices.ContainsFunc(c.Resources, func(r *pb.Resource) bool { return r.Id == id }) {
				a.Resources = append(a.Resources, id)
			}
		}
		if len(a.Resources) == 0 {
			return "nothing that it tells of was taken"
		}
		for i, to := range m.recipients {
			a.Recipients = append(a.Recipients, &pb.AlertRecipient{Id: fmt.Sprintf("%s-%d", m.id, i+1), Value: to})
		}
		i := slices.IndexFunc(c.Alerts, func(old *pb.Alert) bool { return old.Id == m.id })
		if i < 0 {
			c.Alerts = append(c.Alerts, a)
			return ""
		}
		c.Alerts[i] = a
		return ""
	})
}
