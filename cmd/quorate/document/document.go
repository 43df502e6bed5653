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

// JSONPart writes only the named fields of m, even if they are empty, and in
// them what is set.
func JSONPart(w io.Writer, m proto.Message, fields ...string) error {
	empty, err := topLevel(protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}, m)
	if err != nil {
		return err
	}
	set, err := topLevel(protojson.MarshalOptions{UseProtoNames: true}, m)
	if err != nil {
		return err
	}
	var b, out bytes.Buffer
	for i, name := range fields {
		value, ok := set[name]
		if !ok {
			value = empty[name]
		}
		fmt.Fprintf(&b, "%c%q:%s", "{,"[min(i, 1)], name, value)
	}
	b.WriteByte('}')
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}

func topLevel(o protojson.MarshalOptions, m proto.Message) (map[string]json.RawMessage, error) {
	raw, err := o.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(raw, &fields)
}

// YAML writes the fields of m that are set.
func YAML(w io.Writer, m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	return asYAML(w, raw)
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
