package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Value writes v, which is no message of the schema, in the format json or yaml,
// with the names of its JSON tags.
func Value(w io.Writer, format string, v any) error {
	if format != "yaml" {
		return asJSON(w, v)
	}
	var b bytes.Buffer
	if err := asJSON(&b, v); err != nil {
		return err
	}
	return asYAML(w, b.Bytes())
}

func asJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // no page is made of it
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// asYAML writes JSON as people write YAML; the order of fields is kept.
func asYAML(w io.Writer, raw []byte) error {
	var n yaml.Node
	if err := yaml.Unmarshal(raw, &n); err != nil { // JSON is YAML
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
