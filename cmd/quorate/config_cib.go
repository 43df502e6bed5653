package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cluster/cib"
	"quorate/cmd/quorate/document"
	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

// importCIB replaces the configuration by what can be taken of a Pacemaker
// cluster's, and reports on each of its elements.
func (a *app) importCIB(c *cobra.Command, file string) error {
	data, file, err := a.readFile(file)
	if err != nil {
		return err
	}
	d, err := cib.Parse(data)
	if err != nil {
		return grammar.Errorf("%s: %v", file, err)
	}
	cfg, report, err := d.Configuration(a.trial(c.Context()))
	if err != nil {
		return err
	}
	return a.importReported(c, file, cfg, report)
}

// replacement makes a configuration the cluster's, be it, if forced, without a fencing
// device that a resource needs.
func replacement(cfg *pb.Configuration, force bool) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: cfg, Force: force}}}
}

// importStructured prints one document, whatever else there is to say.
func (a *app) importStructured(c *cobra.Command, edit *pb.Edit, report *cib.Report) error {
	if a.dryRun {
		resp, err := a.request(c.Context(), &pb.ChangeRequest{Edits: []*pb.Edit{edit}, DryRun: true})
		if err != nil {
			return err
		}
		foreseen := dryRunReportOf(resp)
		return a.printImport(report, &foreseen)
	}
	out := a.out
	a.out = io.Discard
	err := a.change(c, edit)
	a.out = out
	if err != nil {
		return err
	}
	return a.printImport(report, nil)
}

// trial asks the cluster whether it would take a configuration, parts of which are yet to
// come: it is forced.
func (a *app) trial(ctx context.Context) cib.Trial {
	return func(cfg *pb.Configuration) (string, error) {
		_, err := a.request(ctx, &pb.ChangeRequest{Edits: []*pb.Edit{replacement(cfg, true)}, DryRun: true})
		if err != nil && a.exitStatus(err) == exitBadInput {
			return a.explain(err), nil
		}
		return "", err
	}
}

// An importReport is what became of another program's configuration, as programs
// read it.
type importReport struct {
	Elements []importedElement `json:"elements"`
	DryRun   *dryRunReport     `json:"dry_run,omitempty"`
}

type importedElement struct {
	Verdict string `json:"verdict"`        // taken, approximated, not taken
	File    string `json:"file,omitempty"` // with the line, of what has lines
	Line    int    `json:"line,omitempty"`
	Kind    string `json:"kind"` // of an element, or the first word of a line
	ID      string `json:"id"`   // of an element, or the other words of a line
	Note    string `json:"note,omitempty"`
}

func (a *app) printImport(r *cib.Report, foreseen *dryRunReport) error {
	if a.output == "json" || a.output == "yaml" {
		return document.Value(a.out, a.output, importReport{
			Elements: each(r.Entries, func(e cib.Entry) importedElement {
				return importedElement{e.Verdict.String(), e.File, e.Line, e.Kind, e.ID, e.Note}
			}),
			DryRun: foreseen,
		})
	}
	if err := importTable(r).Write(a.out, a.palette()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\n%d taken, %d approximated, %d not taken\n", r.Count(cib.Taken), r.Count(cib.Approximated), r.Count(cib.NotTaken))
	return err
}

// importTable shows what has lines by line, and the rest by verdict.
func importTable(r *cib.Report) *render.Table {
	entries := slices.Clone(r.Entries)
	if len(entries) > 0 && entries[0].File == "" {
		slices.SortStableFunc(entries, func(a, b cib.Entry) int { return int(a.Verdict) - int(b.Verdict) })
	}
	t := &render.Table{}
	for _, e := range entries {
		what := []render.Cell{{Text: e.Kind}, {Text: e.ID}}
		if e.File != "" {
			what = []render.Cell{{Text: fmt.Sprintf("%s:%d", e.File, e.Line)}, {Text: strings.TrimSpace(e.Kind + " " + e.ID)}}
		}
		t.Row(render.Cell{Text: e.Verdict.String(), Style: verdictStyle(e.Verdict)}, what[0], what[1], render.Cell{Text: e.Note})
	}
	return t
}

func verdictStyle(v cib.Verdict) render.Style {
	switch v {
	case cib.Taken:
		return render.Good
	case cib.Approximated:
		return render.Warn
	default:
		return render.Bad
	}
}

// exportCIB prints a CIB, and on stderr what Pacemaker does not know.
func (a *app) exportCIB(ctx context.Context, s *pb.State) error {
	var agents []*pb.AgentMetadata
	err := a.ask(ctx, readTimeout, func(ctx context.Context, c *client) error {
		resp, err := c.DescribeAgents(ctx, &pb.DescribeAgentsRequest{})
		agents = resp.GetAgents()
		return err
	})
	if err != nil {
		return err
	}
	data, report := cib.Export(s, func(name string) string { return standardName(agents, name) })
	for _, e := range report.Entries {
		if e.Verdict != cib.Taken {
			a.warn("%s %s: %s", e.Kind, e.ID, e.Note)
		}
	}
	_, err = a.out.Write(data)
	return err
}

// standardName returns the name with a class that an agent answers to; empty: there is none.
func standardName(agents []*pb.AgentMetadata, name string) string {
	for _, m := range agents {
		if m.GetName() != name {
			continue
		}
		i := slices.IndexFunc(m.GetServes(), func(s string) bool { return strings.Contains(s, ":") })
		if i >= 0 {
			return m.GetServes()[i]
		}
	}
	return ""
}
