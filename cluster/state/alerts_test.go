package state

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

func (c *cluster) ask(edits ...*pb.Edit) error {
	return c.propose(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
}

func createAlert(a *pb.Alert) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateAlert{CreateAlert: &pb.CreateAlert{Alert: a}}}
}

func addRecipient(alert, value string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_AddRecipient{AddRecipient: &pb.AddRecipient{Alert: alert, Recipient: &pb.AlertRecipient{Value: value}}}}
}

func TestAlertsAndRecipientsGetIDsOfTheirOwn(t *testing.T) {
	c := newCluster(t)
	if err := c.ask(
		createAlert(&pb.Alert{Path: "mail"}), createAlert(&pb.Alert{Path: "/bin/page", Meta: map[string]string{"timeout": "90"}}),
		addRecipient("alert", "a@example.com"), addRecipient("alert", "b@example.com"),
	); err != nil {
		t.Fatal(err)
	}
	mail, page := AlertByID(c.state(), "alert"), AlertByID(c.state(), "alert-1")
	if mail.GetPath() != "quorate:mail" || len(mail.Recipients) != 2 || mail.Recipients[0].Id != "alert-recipient" || mail.Recipients[1].Id != "alert-recipient-1" {
		t.Errorf("mail is %v", mail)
	}
	if page.GetMeta()["timeout"] != "1m30s" {
		t.Errorf("page is %v", page)
	}
}

func TestAlertsThatCannotBeAreRefused(t *testing.T) {
	tests := []struct {
		name string
		edit *pb.Edit
		want string
	}{
		{"a program without its path", createAlert(&pb.Alert{Path: "page"}), "path"},
		{"no program", createAlert(&pb.Alert{}), "path"},
		{"an id that is taken", createAlert(&pb.Alert{Id: "alert-recipient", Path: "mail"}), "alert id"},
		{"an unknown meta attribute", createAlert(&pb.Alert{Path: "mail", Meta: map[string]string{"timout": "3s"}}), "meta attribute timout"},
		{"no timeout", createAlert(&pb.Alert{Path: "mail", Meta: map[string]string{"timeout": "0"}}), "meta attribute timeout"},
		{"an option that mail has not", createAlert(&pb.Alert{Path: "mail", Options: map[string]string{"smtp": "x"}}), "option smtp"},
		{"an option that is no variable", createAlert(&pb.Alert{Path: "/bin/x", Options: map[string]string{"a b": "x"}}), "option a b"},
		{"a selection of nothing", createAlert(&pb.Alert{Path: "mail", Select: []string{"Node!"}}), "select"},
		{"a recipient of no alert", addRecipient("none", "x"), "alert"},
		{"a recipient that is no address", addRecipient("alert", "not an address"), "recipient"},
		{"a recipient that is there", addRecipient("alert", "a@example.com"), "recipient"},
		{"an update of nothing", &pb.Edit{Kind: &pb.Edit_UpdateAlert{UpdateAlert: &pb.UpdateAlert{Id: "alert"}}}, "alert"},
		{"an update that its recipients do not fit", &pb.Edit{Kind: &pb.Edit_UpdateAlert{UpdateAlert: &pb.UpdateAlert{Id: "pager", Path: "mail"}}}, "recipient"},
		{"a deletion of none", &pb.Edit{Kind: &pb.Edit_DeleteAlert{DeleteAlert: &pb.DeleteAlert{Id: "alter"}}}, "alert"},
		{"a removal of none", &pb.Edit{Kind: &pb.Edit_RemoveRecipient{RemoveRecipient: &pb.RemoveRecipient{Id: "x"}}}, "recipient"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			if err := c.ask(createAlert(&pb.Alert{Path: "mail"}), addRecipient("alert", "a@example.com"),
				createAlert(&pb.Alert{Id: "pager", Path: "/bin/page"}), addRecipient("pager", "/var/log/pages")); err != nil {
				t.Fatal(err)
			}
			err := c.ask(tt.edit)
			var refused *Refusal
			if !errors.As(err, &refused) || refused.Field != tt.want {
				t.Errorf("got %v, want a refusal of %s", err, tt.want)
			}
		})
	}
}

func TestAnUpdateOfAnAlertKeepsTheRest(t *testing.T) {
	c := newCluster(t)
	name := ""
	if err := c.ask(
		createAlert(&pb.Alert{Id: "p", Path: "/bin/p", Description: "old", Options: map[string]string{"a": "1", "b": "2"}, Meta: map[string]string{"enabled": "no"}, Select: []string{"node"}}),
		&pb.Edit{Kind: &pb.Edit_UpdateAlert{UpdateAlert: &pb.UpdateAlert{
			Id: "p", SetOptions: map[string]string{"a": "", "c": "3"}, SetMeta: map[string]string{"enabled": ""}, Description: &name,
			Scope: &pb.AlertScope{Resources: []string{"vip"}},
		}}},
	); err != nil {
		t.Fatal(err)
	}
	want := &pb.Alert{Id: "p", Path: "/bin/p", Options: map[string]string{"b": "2", "c": "3"}, Resources: []string{"vip"}}
	if got := AlertByID(c.state(), "p"); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhatHappenedBeforeTheFirstAlertIsNotToldAndConditionsGoWithTheirAlert(t *testing.T) {
	c := newCluster(t)
	if err := c.ask(createAlert(&pb.Alert{Path: "mail"}), addRecipient("alert", "a@example.com")); err != nil {
		t.Fatal(err)
	}
	first := c.state().AlertsTold
	if first == 0 || first != c.state().LastEvent-1 {
		t.Errorf("told up to %d of %d events, want all before the change", first, c.state().LastEvent)
	}
	note := func(told uint64, recipient string) {
		t.Helper()
		if err := c.propose(&pb.Command{Body: &pb.Command_RecordAlerts{RecordAlerts: &pb.RecordAlerts{
			Told: told, Conditions: []*pb.AlertCondition{{Alert: "alert", Recipient: recipient, Node: "a", Error: "no\nroute"}},
		}}}); err != nil {
			t.Fatal(err)
		}
	}
	note(first+1, "alert-recipient")
	note(first, "gone")
	note(first+1000, "")
	if st := c.state(); st.AlertsTold != st.LastEvent || len(st.AlertConditions) != 1 || st.AlertConditions[0].Error != "no route" {
		t.Errorf("told up to %d of %d, conditions %v", st.AlertsTold, st.LastEvent, st.AlertConditions)
	}
	if err := c.ask(&pb.Edit{Kind: &pb.Edit_DeleteAlert{DeleteAlert: &pb.DeleteAlert{Id: "alert"}}}); err != nil {
		t.Fatal(err)
	}
	if st := c.state(); len(st.Alerts)+len(st.AlertConditions) > 0 {
		t.Errorf("left are %v and %v", st.Alerts, st.AlertConditions)
	}
}

func TestAlertsAreAPartOfTheConfiguration(t *testing.T) {
	c := newCluster(t)
	if err := c.ask(createAlert(&pb.Alert{Id: "m", Path: "mail"}), addRecipient("m", "a@example.com")); err != nil {
		t.Fatal(err)
	}
	told, cfg := c.state().AlertsTold, proto.CloneOf(Configuration(c.state()))
	if err := c.ask(&pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: cfg}}}); err != nil {
		t.Fatal(err)
	}
	if now := Configuration(c.state()); !proto.Equal(now, cfg) || c.state().AlertsTold != told {
		t.Errorf("replaced by itself it is %v, want %v; told %d, was %d", now, cfg, c.state().AlertsTold, told)
	}
	cfg.Alerts[0].Recipients[0].Value = "b@example.com"
	if err := c.ask(&pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: cfg}}}); err != nil {
		t.Fatal(err)
	}
	list := c.state().Checkpoints
	if change := list[len(list)-1].Change; !strings.Contains(change.GetBefore().String(), "a@example.com") {
		t.Errorf("the checkpoint tells of %v", change)
	}
}
