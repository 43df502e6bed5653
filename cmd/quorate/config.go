package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cluster/state"
	"quorate/cmd/quorate/document"
	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newConfigCommand(a *app) *cobra.Command {
	export := newExportCommand(a)
	show := hidden(newExportCommand(a))
	show.Use = "show"
	return noun("config", "Keep the configuration in a file, and bring it back",
		"config export > web.yaml\nconfig import web.yaml", export.RunE,
		export, show, newImportCommand(a), newDiffCommand(a), newCheckpointCommand(a))
}

func newExportCommand(a *app) *cobra.Command {
	var format string
	var secrets bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Print the configuration: all that people wrote",
		Long: "Print the configuration: all that people wrote, as a document that \"config import\"\n" +
			"reads, or with --format commands as the commands that build it. With --format cib it is a\n" +
			"CIB for Pacemaker's tools, with what runs where; what those do not know is told on stderr.",
		Example: "config export > web.yaml\nconfig export -o json\nconfig export --format commands\nconfig export --format cib > cib.xml",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.memberWith(c.Context(), secrets)
			if err != nil {
				return err
			}
			if format == "cib" {
				return a.exportCIB(c.Context(), resp.GetState())
			}
			return a.export(state.Configuration(resp.GetState()), format)
		},
	}
	addFormat(c, &format, "cib")
	c.Flags().BoolVar(&secrets, "secrets", false, "with the passwords of fencing devices in plain words")
	return c
}

func addFormat(c *cobra.Command, format *string, more ...string) {
	all := append([]string{"yaml", "json", "commands"}, more...)
	c.Flags().StringVar(format, "format", "", "`FORMAT`: "+strings.Join(all, ", ")+" (default yaml)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp))
}

// configurationFields are in every exported document, also when empty.
var configurationFields = []string{
	"properties", "resource_defaults", "operation_defaults", "nodes", "resources", "groups", "clones", "constraints",
	"devices", "levels", "alerts",
}

// export prints a configuration; -o says the format where --format does not.
func (a *app) export(cfg *pb.Configuration, format string) error {
	if format == "" {
		format = a.output
	}
	switch format {
	case "table", "text", "yaml", "":
		return document.YAML(a.out, cfg)
	case "json":
		return document.JSONPart(a.out, cfg, configurationFields...)
	case "commands", "cmd":
		for _, words := range grammar.Commands(cfg) {
			if _, err := fmt.Fprintf(a.out, "%s %s\n", a.name, grammar.Shell(words)); err != nil {
				return err
			}
		}
		return nil
	}
	return grammar.Errorf("--format: %q is not a format", format).With("write yaml, json, commands or, for an export, cib")
}

func newImportCommand(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "import FILE | [NODE=]FILE...",
		Short: "Replace the configuration by that of a file, or add another program's",
		Long: "Replace the configuration by that of a file, as a whole: what is not in it is removed.\n" +
			"An error changes nothing. \"-\" reads standard input. What would leave a node without a\n" +
			"fencing device that a resource needs is refused, unless --force is given.\n\n" +
			"With --format cib the file is the CIB of a Pacemaker cluster, as \"cibadmin --query\" and\n" +
			"\"pcs cluster cib\" print it. A report says of each element whether it was taken,\n" +
			"approximated or not taken.\n\n" +
			"With --format ldirectord and keepalived what can be taken of an ldirectord.cf or of\n" +
			"keepalived.conf is added to the configuration, and a report says of each line what\n" +
			"became of it. Files of several nodes are given as NODE=FILE.",
		Example: "config import web.yaml --dry-run\nconfig import web.yaml --wait\nconfig import --format cib cib.xml --dry-run\n" +
			"config import --format ldirectord ldirectord.cf --dry-run\nconfig import --format keepalived lvsm=master.conf lvss=backup.conf",
		Args: words(1, -1),
		RunE: func(c *cobra.Command, files []string) error {
			switch format {
			case "keepalived":
				return a.importKeepalived(c, files)
			case "ldirectord":
				return a.importLdirectord(c, files)
			case "", "yaml", "json", "cib":
			default:
				return grammar.Errorf("--format: %q is not a format", format).With("write yaml, json, cib, ldirectord or keepalived")
			}
			if err := words(1, 1)(c, files); err != nil {
				return err
			}
			if format == "cib" {
				return a.importCIB(c, files[0])
			}
			cfg, err := a.readConfiguration(files[0])
			if err != nil {
				return err
			}
			return a.change(c, replacement(cfg, a.force))
		},
	}
	c.Flags().StringVar(&format, "format", "", "`FORMAT` of the file: yaml (the default, which json is too), cib, ldirectord or keepalived")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"yaml", "json", "cib", "ldirectord", "keepalived"}, cobra.ShellCompDirectiveNoFileComp))
	return a.changes(c)
}

// readFile reads a file, or standard input, and says what to call it.
func (a *app) readFile(file string) (data []byte, name string, err error) {
	if file == "-" {
		data, err = io.ReadAll(a.in)
		return data, "standard input", err
	}
	if data, err = os.ReadFile(file); err != nil {
		return nil, file, grammar.Errorf("%v", err)
	}
	return data, file, nil
}

// readConfiguration reads a document strictly: an error names the line.
func (a *app) readConfiguration(file string) (*pb.Configuration, error) {
	data, file, err := a.readFile(file)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return nil, grammar.Errorf("%s: it is XML", file).With("read the CIB of a Pacemaker cluster with --format cib")
	}
	cfg := new(pb.Configuration)
	if err := document.Read(data, cfg); err != nil {
		if at, ok := errors.AsType[*document.LineError](err); ok {
			return nil, grammar.Errorf("%s:%d: %s", file, at.Line, at.Problem)
		}
		return nil, grammar.Errorf("%s: %v", file, err)
	}
	return cfg, nil
}
