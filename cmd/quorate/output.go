package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"quorate/cmd/quorate/document"
	"quorate/cmd/quorate/grammar"
)

// print writes an answer as --output wants it; table draws it for people. With
// fields, m is a part of a larger message and JSON has those fields alone.
func (a *app) print(m proto.Message, table func(io.Writer) error, fields ...string) error {
	switch a.output {
	case "table", "text":
		return table(a.out)
	case "json":
		if len(fields) > 0 {
			return document.JSONPart(a.out, m, fields...)
		}
		return document.JSON(a.out, m)
	case "yaml":
		return document.YAML(a.out, m)
	}
	return fmt.Errorf("%q is no format for this", a.output) // checkOutput let none through
}

// printEach writes one of many answers: JSON on a line each, YAML as documents.
func (a *app) printEach(m proto.Message, table func(io.Writer) error) error {
	switch a.output {
	case "json":
		return document.JSONLine(a.out, m)
	case "yaml":
		fmt.Fprintln(a.out, "---")
		return document.YAML(a.out, m)
	}
	return a.print(m, table)
}

// formats is the annotation of a command that prints in more formats than all
// do: their names, with spaces between.
const formats = "formats"

// outputs are the formats that a command prints in.
func outputs(c *cobra.Command) []string {
	return append([]string{"table", "json", "yaml"}, strings.Fields(c.Annotations[formats])...)
}

// checkOutput refuses an unknown format before anything is asked.
func (a *app) checkOutput(c *cobra.Command) error {
	known := outputs(c)
	if a.output == "text" || slices.Contains(known, a.output) {
		return nil
	}
	last := len(known) - 1
	return grammar.Errorf("--output: %q is not a format", a.output).With("write %s or %s", strings.Join(known[:last], ", "), known[last])
}
