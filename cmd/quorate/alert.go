package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cluster/alert"
	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newAlertCommand(a *app) *cobra.Command {
	config := newAlertConfigCommand(a)
	return noun("alert", "Have programs, or people by mail, told of what happens",
		"alert create path=mail\nalert recipient add alert value=admin@example.com\nalert", config.RunE,
		config, newAlertCreateCommand(a), newAlertUpdateCommand(a), newAlertDeleteCommand(a), newAlertListCommand(a), newRecipientCommand(a))
}

func newAlertConfigCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "config",
		Aliases: []string{"show"},
		Short:   "Show the alerts, whom they tell, and whether that works",
		Example: "alert\nalert config -o json",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			s := resp.GetState()
			part := &pb.State{Alerts: s.GetAlerts(), AlertConditions: s.GetAlertConditions()}
			return a.print(part, func(w io.Writer) error {
				return render.Alerts(w, s, a.now(), a.options())
			}, "alerts", "alert_conditions")
		},
	}
}

// alertSyntax is what follows the id or path of an alert.
const alertSyntax = " [description=TEXT] [options NAME=VALUE...] [meta NAME=VALUE...]"

func newAlertCreateCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "create path=PATH [id=ID]" + alertSyntax + " [select KIND...] [resources ID...]",
		Short: "Have a program run for events, or mail sent",
		Long: "Have a program run for events, by the node that leads then, once for each recipient. It\n" +
			"gets Pacemaker's variables (CRM_alert_kind, CRM_alert_node, CRM_alert_desc, …) and the\n" +
			"options as its environment. path=mail is built in and sends mail to its recipients: by\n" +
			"sendmail(8), or by options server=HOST[:PORT].\n\n" +
			"select says of which kinds it is told: " + strings.Join(alert.Kinds, ", ") + ", or the kinds\n" +
			"that \"events -o json\" shows; without it, all of these but attribute and cluster.\n" +
			"resources limits that to some resources, groups or clones.\n\n" +
			"meta: enabled=false, timeout=30s, timestamp-format=%H:%M:%S.%6N.",
		Example: "alert create path=mail options from=ha@example.com\n" +
			"alert create id=pager path=/usr/local/bin/page select node fencing meta timeout=10s",
		ValidArgs: []string{"path=", "path=mail", "id=", "options", "meta", "select", "resources"},
		RunE: func(c *cobra.Command, words []string) error {
			made, err := grammar.CreateAlert(words)
			if err != nil {
				return err
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_CreateAlert{CreateAlert: &pb.CreateAlert{Alert: made}}})
		},
	}
	return a.changes(c)
}

func newAlertUpdateCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "update ID [path=PATH]" + alertSyntax + " [select [KIND...]] [resources [ID...]]",
		Short:             "Change an alert; an empty value removes",
		Example:           "alert update alert options server=mail.example.com\nalert update pager meta enabled=false\nalert update pager select",
		ValidArgsFunction: a.completes(alertIDs),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			var old *pb.Alert
			if i := slices.IndexFunc(resp.GetState().GetAlerts(), func(o *pb.Alert) bool { return len(words) > 0 && o.GetId() == words[0] }); i >= 0 {
				old = resp.GetState().GetAlerts()[i]
			}
			u, err := grammar.UpdateAlert(words, old)
			if err != nil {
				return err
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateAlert{UpdateAlert: u}})
		},
	}
	return a.changes(c)
}

func newAlertDeleteCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "delete ID...",
		Aliases:           []string{"remove"},
		Short:             "Remove alerts with their recipients",
		Example:           "alert delete pager",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(alertIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit {
				return &pb.Edit{Kind: &pb.Edit_DeleteAlert{DeleteAlert: &pb.DeleteAlert{Id: id}}}
			})...)
		},
	}
	return a.changes(c)
}

func newAlertListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the ids of the alerts",
		Example: "alert list\nalert list -o json",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			return a.print(&pb.Configuration{Alerts: resp.GetState().GetAlerts()}, func(w io.Writer) error {
				for _, id := range alertIDs(resp) {
					if _, err := fmt.Fprintln(w, id); err != nil {
						return err
					}
				}
				return nil
			}, "alerts")
		},
	}
}

func newRecipientCommand(a *app) *cobra.Command {
	return noun("recipient", "Say for whom an alert is run", "alert recipient add alert value=admin@example.com", nil,
		newRecipientAddCommand(a), newRecipientUpdateCommand(a), newRecipientRemoveCommand(a))
}

func newRecipientAddCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "add ALERT value=VALUE [id=ID]" + alertSyntax,
		Short:             "Have an alert run for one recipient more",
		Example:           "alert recipient add alert value=admin@example.com\nalert recipient add pager value=/var/log/ha.log meta timeout=5s",
		ValidArgsFunction: a.completes(alertIDs),
		RunE: func(c *cobra.Command, words []string) error {
			r, err := grammar.AddRecipient(words)
			if err != nil {
				return err
			}
			r.Force = a.force
			return a.change(c, &pb.Edit{Kind: &pb.Edit_AddRecipient{AddRecipient: r}})
		},
	}
	return a.changes(c)
}

func newRecipientUpdateCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "update RECIPIENT [value=VALUE]" + alertSyntax,
		Short:             "Change a recipient; an empty value removes",
		Example:           "alert recipient update alert-recipient value=ops@example.com",
		ValidArgsFunction: a.completes(recipientIDs),
		RunE: func(c *cobra.Command, words []string) error {
			u, err := grammar.UpdateRecipient(words)
			if err != nil {
				return err
			}
			u.Force = a.force
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateRecipient{UpdateRecipient: u}})
		},
	}
	return a.changes(c)
}

func newRecipientRemoveCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "delete RECIPIENT...",
		Aliases:           []string{"remove"},
		Short:             "Remove recipients",
		Example:           "alert recipient delete alert-recipient",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(recipientIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit {
				return &pb.Edit{Kind: &pb.Edit_RemoveRecipient{RemoveRecipient: &pb.RemoveRecipient{Id: id}}}
			})...)
		},
	}
	return a.changes(c)
}

func alertIDs(r *pb.GetResponse) []string {
	return each(r.GetState().GetAlerts(), (*pb.Alert).GetId)
}

func recipientIDs(r *pb.GetResponse) (ids []string) {
	for _, a := range r.GetState().GetAlerts() {
		ids = append(ids, each(a.GetRecipients(), (*pb.AlertRecipient).GetId)...)
	}
	return ids
}
