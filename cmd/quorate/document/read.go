package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A LineError says what is wrong in which line of a document.
type LineError struct {
	Line    int // from 1
	Problem string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Read fills m from YAML or JSON. It is strict: an unknown field, a wrong value
// or a second document is a *[LineError], and m must not be used then.
func Read(data []byte, m proto.Message) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return &LineError{1, "the document is empty"}
	} else if err != nil {
		return syntaxError(err)
	}
	if err := d.Decode(&next); err == nil {
		return &LineError{next.Line, "a second document begins; one is wanted"}
	}
	c := converter{line: 1}
	if err := c.message(doc.Content[0], m.ProtoReflect().Descriptor()); err != nil {
		return err
	}
	if err := protojson.Unmarshal(c.out.Bytes(), m); err != nil {
		return valueError(err)
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

func syntaxError(err error) error {
	if f := yamlLine.FindStringSubmatch(err.Error()); f != nil {
		return &LineError{atoi(f[1]), f[2]}
	}
	return err
}

// jsonLine matches protojson's messages, whose space varies on purpose.
var jsonLine = regexp.MustCompile(`^proto:[\s\x{a0}]+\(line (\d+):\d+\):[\s\x{a0}]+(.*)$`)

func valueError(err error) error {
	if f := jsonLine.FindStringSubmatch(err.Error()); f != nil {
		return &LineError{atoi(f[1]), f[2]}
	}
	return err
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // matched \d+
	return n
}

// A converter writes YAML as the JSON of a message. Each value is put in the
// line that it has in the YAML, so that the lines in protojson's errors are
// right, and a scalar is quoted where the field is a string, so that people
// need not write "32".
type converter struct {
	out  bytes.Buffer
	line int
}

func (c *converter) at(n *yaml.Node) {
	for ; c.line < n.Line; c.line++ {
		c.out.WriteByte('\n')
	}
}

// message converts a mapping whose keys are the fields of desc.
func (c *converter) message(n *yaml.Node, desc protoreflect.MessageDescriptor) error {
	if n.Kind != yaml.MappingNode {
		return &LineError{n.Line, fmt.Sprintf("%s has fields, NAME: VALUE; this is not one", words(desc))}
	}
	seen := make(map[protoreflect.FullName]bool)
	return c.pairs(n, func(key, value *yaml.Node) error {
		f := field(desc, key.Value)
		if f == nil {
			return &LineError{key.Line, fmt.Sprintf("unknown field %q of %s; known are %s", key.Value, words(desc), known(desc))}
		}
		if seen[f.FullName()] {
			return &LineError{key.Line, fmt.Sprintf("field %q is given twice", key.Value)}
		}
		seen[f.FullName()] = true
		c.quoted(string(f.Name()))
		c.out.WriteByte(':')
		return c.field(value, f)
	})
}

// pairs converts a mapping; each writes a key and its value.
func (c *converter) pairs(n *yaml.Node, each func(key, value *yaml.Node) error) error {
	c.at(n)
	c.out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i > 0 {
			c.out.WriteByte(',')
		}
		c.at(n.Content[i])
		if err := each(n.Content[i], n.Content[i+1]); err != nil {
			return err
		}
	}
	c.out.WriteByte('}')
	return nil
}

func (c *converter) field(n *yaml.Node, f protoreflect.FieldDescriptor) error {
	c.at(n)
	switch {
	case n.Kind == yaml.AliasNode:
		return &LineError{n.Line, "aliases are not supported"}
	case n.Tag == "!!null":
		c.out.WriteString("null") // as if the field were not there
		return nil
	case f.IsMap():
		return c.mapping(n, f)
	case f.IsList():
		return c.list(n, f)
	}
	return c.single(n, f)
}

func (c *converter) mapping(n *yaml.Node, f protoreflect.FieldDescriptor) error {
	if n.Kind != yaml.MappingNode {
		return &LineError{n.Line, fmt.Sprintf("field %q wants NAME: VALUE", f.Name())}
	}
	return c.pairs(n, func(key, value *yaml.Node) error {
		c.quoted(key.Value)
		c.out.WriteByte(':')
		c.at(value)
		return c.single(value, f.MapValue())
	})
}

func (c *converter) list(n *yaml.Node, f protoreflect.FieldDescriptor) error {
	if n.Kind != yaml.SequenceNode {
		return &LineError{n.Line, fmt.Sprintf("field %q wants a list; begin each entry with \"- \"", f.Name())}
	}
	c.out.WriteByte('[')
	for i, e := range n.Content {
		if i > 0 {
			c.out.WriteByte(',')
		}
		c.at(e)
		if err := c.single(e, f); err != nil {
			return err
		}
	}
	c.out.WriteByte(']')
	return nil
}

// single converts one value: not a list, not a map.
func (c *converter) single(n *yaml.Node, f protoreflect.FieldDescriptor) error {
	if m := f.Message(); m != nil && m.ParentFile().Package() != "google.protobuf" {
		return c.message(n, m)
	}
	if n.Kind != yaml.ScalarNode {
		return &LineError{n.Line, fmt.Sprintf("field %q wants one value", f.Name())}
	}
	switch literal := n.Tag == "!!int" || n.Tag == "!!bool" || n.Tag == "!!float"; {
	case literal && f.Kind() != protoreflect.StringKind && f.Message() == nil:
		c.out.WriteString(n.Value)
	default:
		c.quoted(n.Value)
	}
	return nil
}

func (c *converter) quoted(s string) {
	b, _ := json.Marshal(s) // a string always can be
	c.out.Write(b)
}

func field(desc protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if f := desc.Fields().ByName(protoreflect.Name(name)); f != nil {
		return f
	}
	return desc.Fields().ByJSONName(name)
}

// words names a message for people: "resource", "operation spec".
func words(desc protoreflect.MessageDescriptor) string {
	var b strings.Builder
	for i, r := range string(desc.Name()) {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

func known(desc protoreflect.MessageDescriptor) string {
	var names []string
	for i := range desc.Fields().Len() {
		names = append(names, string(desc.Fields().Get(i).Name()))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
