// Package document writes messages of the API as JSON or YAML, and reads a
// configuration that people wrote.
//
// The field names are those of the schema, in its order, and equal messages
// give equal bytes: what is printed may be kept under version control and read
// by programs.
package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// JSON writes m with all its fields, those with zero values too, so that a
// program finds them.
func JSON(w io.Writer, m proto.Message) error {
	return writeJSON(w, m, json.Indent)
}

// JSONLine writes m on one line.
func JSONLine(w io.Writer, m proto.Message) error {
	return writeJSON(w, m, func(dst *bytes.Buffer, src []byte, _, _ string) error { return json.Compact(dst, src) })
}

func writeJSON(w io.Writer, m proto.Message, layout func(*bytes.Buffer, []byte, string, string) error) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	var b bytes.Buffer
	if err := layout(&b, raw, "", "  "); err != nil { // protojson varies its white space
		return fmt.Errorf("write JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// YAML writes the fields of m that are set.
func YAML(w io.Writer, m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	var n yaml.Node
	if err := yaml.Unmarshal(raw, &n); err != nil { // JSON is YAML; the order of fields is kept
		return fmt.Errorf("write YAML: %w", err)
	}
	plain(&n)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return e.Close()
}

// plain gives nodes the style that people write: no braces, quotes only where
// needed, texts of several lines as they are.
func plain(n *yaml.Node) {
	empty := len(n.Content) == 0 && (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode)
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str" && strings.Contains(n.Value, "\n"):
		n.Style = yaml.LiteralStyle
	case !empty:
		n.Style = 0
	}
	for _, c := range n.Content {
		plain(c)
	}
}
