package main

import (
	"context"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
)

// newScriptCommand makes what the program is when a resource agent's script calls
// it by the name of one of Pacemaker's commands. It understands what scripts ask
// of those, with the options and exit statuses that they have there, and names
// what it does not understand instead of doing nothing.
func newScriptCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:                a.name,
		Short:              "Answer a resource agent's script in the manner of Pacemaker's " + a.name,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, words []string) error {
			s := scriptCommands[a.name]
			o, err := s.options.parse(words)
			if err != nil {
				return err
			}
			return s.run(a, c.Context(), o)
		},
	}
}

// A scriptCommand is one of Pacemaker's commands.
type scriptCommand struct {
	options options
	run     func(*app, context.Context, *given) error
}

var scriptCommands = map[string]scriptCommand{
	"crm_attribute": {attributeOptions, (*app).crmAttribute},
	"crm_master":    {masterOptions, (*app).crmMaster},
	"attrd_updater": {updaterOptions, (*app).attrdUpdater},
	"crm_standby":   {standbyOptions, (*app).crmStandby},
	"crm_node":      {nodeOptions, (*app).crmNode},
	"crm_resource":  {resourceOptions, (*app).crmResource},
	"crm_mon":       {monOptions, (*app).crmMon},
}

// Exit statuses that scripts know (Pacemaker Explained 3.0, "Exit Codes": those of
// its tools).
const (
	exitUsage  = 64
	exitNoSuch = 105
)

// A scriptError is an error with the exit status that scripts expect.
type scriptError struct {
	error
	status int
}

func (e scriptError) Unwrap() error { return e.error }

// noSuch is the error of a question whose answer is that there is nothing.
func noSuch(format string, args ...any) error {
	return scriptError{grammar.Errorf(format, args...), exitNoSuch}
}

func badUsage(format string, args ...any) *grammar.Error { return grammar.Errorf(format, args...) }

// scriptNode is the node that a script runs on: what the agent told it, so that it
// need not ask.
func (a *app) scriptNode() string { return a.getenv("OCF_RESKEY_CRM_meta_on_node") }

// scriptResource is the resource that a script was called for.
func (a *app) scriptResource() string { return a.getenv("OCF_RESOURCE_INSTANCE") }
