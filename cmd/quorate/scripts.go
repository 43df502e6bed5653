package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
)

// newScriptCommand makes what the program is when a resource agent's script calls
// it by the name of one of Pacemaker's commands. A script can learn the name of
// its node. All else would be about what this version does not have, attributes
// that scripts set and promotion, and says so instead of doing nothing.
func newScriptCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:                a.name,
		Short:              "Answer a resource agent's script in the manner of Pacemaker's " + a.name,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, words []string) error {
			if a.name == "crm_node" && len(words) == 1 && (words[0] == "-n" || words[0] == "--name") {
				return a.printNodeName()
			}
			return grammar.Errorf("scripts cannot set or read node attributes, promotion scores or the cluster's configuration in this version").
				With("only \"crm_node -n\" is there")
		},
	}
}

// printNodeName prints what the agent told the script.
func (a *app) printNodeName() error {
	name := a.getenv("OCF_RESKEY_CRM_meta_on_node")
	if name == "" {
		return grammar.Errorf("OCF_RESKEY_CRM_meta_on_node is not set").With("call crm_node from a resource agent's script")
	}
	_, err := fmt.Fprintln(a.out, name)
	return err
}
