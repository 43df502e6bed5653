package main

import (
	"fmt"

	"quorate/cmd/quorate/document"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

// A report is a forecast as programs read it. Its names are part of the
// interface: those of Pacemaker's reports, and not those of the schema.
type report struct {
	Placement map[string][]reportedPlace `json:"placement"` // by resource; an empty list: stopped everywhere
	Fenced    []string                   `json:"fenced"`
	Actions   []reportedAction           `json:"actions"`
}

type reportedPlace struct {
	Node string `json:"node"`
	Role string `json:"role"`
}

type reportedAction struct {
	Action   string `json:"action"`
	Resource string `json:"resource,omitempty"`
	Instance string `json:"instance,omitempty"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	FromRole string `json:"from_role,omitempty"`
	ToRole   string `json:"to_role,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Blocked  bool   `json:"blocked,omitempty"`
	Node     string `json:"node,omitempty"` // that is fenced
	How      string `json:"how,omitempty"`
}

func reportOf(f *pb.Forecast) report {
	r := report{Placement: make(map[string][]reportedPlace), Fenced: append([]string{}, f.GetFenced()...), Actions: []reportedAction{}}
	for _, p := range f.GetPlacements() {
		r.Placement[p.GetResource()] = each(p.GetPlaces(), func(at *pb.Place) reportedPlace {
			return reportedPlace{at.GetNode(), at.GetRole()}
		})
	}
	for _, a := range f.GetActions() {
		r.Actions = append(r.Actions, reportedAction{
			Action: a.GetAction(), Resource: a.GetResource(), Instance: a.GetInstance(), From: a.GetFrom(), To: a.GetTo(),
			FromRole: a.GetFromRole(), ToRole: a.GetToRole(), Reason: a.GetReason(), Blocked: a.GetBlocked(),
			Node: a.GetNode(), How: a.GetHow(),
		})
	}
	return r
}

// A dryRunReport is what a change would do, as programs read it.
type dryRunReport struct {
	report
	Configuration []string `json:"configuration"` // commands: with - those that go, with + those that come
	Interruptions []string `json:"interruptions"` // what it would have to be forced for
	Problems      []string `json:"problems"`
	Notes         []string `json:"notes"`
	Warnings      []string `json:"warnings"`
}

func dryRunReportOf(resp *pb.ChangeResponse) dryRunReport {
	f := resp.GetForecast()
	return dryRunReport{
		report: reportOf(f), Configuration: aList(differingLines(f.GetConfiguration())), Interruptions: aList(f.GetInterruptions()),
		Problems: aList(f.GetProblems()), Notes: aList(resp.GetNotes()), Warnings: aList(resp.GetWarnings()),
	}
}

func (a *app) printDryRun(resp *pb.ChangeResponse) error {
	f := resp.GetForecast()
	lines := differingLines(f.GetConfiguration())
	if a.output == "json" || a.output == "yaml" {
		return document.Value(a.out, a.output, dryRunReportOf(resp))
	}
	if err := a.printChange(resp); err != nil {
		return err
	}
	if err := render.DryRun(a.out, f, lines, a.options()); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, "\nNothing was changed.")
	return err
}

// aList makes an empty list of none, for JSON.
func aList(list []string) []string { return append([]string{}, list...) }

// printForecast writes a forecast as --output wants it.
func (a *app) printForecast(f *pb.Forecast) error {
	switch a.output {
	case "json", "yaml":
		return document.Value(a.out, a.output, reportOf(f))
	case "dot":
		return render.DOT(a.out, f)
	case "svg":
		return render.SVG(a.out, f)
	}
	return render.Forecast(a.out, f, differingLines(f.GetConfiguration()), a.options())
}
