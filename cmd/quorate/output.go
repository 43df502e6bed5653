package main

import (
	"fmt"
	"io"

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
	return a.checkOutput()
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

// checkOutput refuses an unknown format before anything is asked.
func (a *app) checkOutput() error {
	switch a.output {
	case "table", "text", "json", "yaml":
		return nil
	}
	return grammar.Errorf("--output: %q is not a format", a.output).With("write table, json or yaml")
}
