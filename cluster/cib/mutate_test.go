package cib_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
)

// A tree is an element that can be mutated.
type tree struct {
	name     string
	attrs    []xml.Attr
	children []*tree
}

// grow reads a document.
func grow(data []byte) (*tree, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	root := new(tree)
	open := []*tree{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root.children[0], nil
		}
		if err != nil {
			return nil, err
		}
		switch k := token.(type) {
		case xml.StartElement:
			e := &tree{name: k.Name.Local, attrs: k.Copy().Attr}
			top := open[len(open)-1]
			top.children = append(top.children, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

func (e *tree) write(b *bytes.Buffer) {
	b.WriteString("<" + e.name)
	for _, a := range e.attrs {
		b.WriteString(" " + a.Name.Local + `="`)
		_ = xml.EscapeText(b, []byte(a.Value)) // a Buffer takes everything
		b.WriteString(`"`)
	}
	b.WriteString(">")
	for _, c := range e.children {
		c.write(b)
	}
	b.WriteString("</" + e.name + ">")
}

// all adds an element, and all in it, to a list.
func (e *tree) all(list []*tree) []*tree {
	list = append(list, e)
	for _, c := range e.children {
		list = c.all(list)
	}
	return list
}

// texts are values that matter somewhere, or nowhere.
var texts = []string{
	"", "0", "1", "-1", "2", "3", "7", "8", "9", "193", "-10", "100", "1000000", "99999999999999999999", "INFINITY", "-INFINITY", "+INFINITY", "NaN",
	"true", "false", "n1", "n2", "n10", "a", "b", "g", "t", "tagged", "x", "db", "db-clone", "ip", "u", "u1", "u1:0", "vm", "nosuch",
	"start", "stop", "promote", "demote", "monitor", "migrate_to", "migrate_from", "Started", "Stopped", "Promoted", "Master", "Slave",
	"fence", "block", "ignore", "standby", "restart", "stop_only", "freeze", "suicide", "demote", "utilization", "minimal", "10s", "1500ms", "P1D", "#uname", "rack",
	"Optional", "Serialize", "exclusive", "never", "%1", "(", "online", "offline", "member", "down", "0:7;1:1:0:x", "1:1:7:11111111-2222-4333-8444-555555555555",
}

// names are options that decisions depend on.
var names = []string{
	"globally-unique", "clone-max", "clone-node-max", "clone-min", "promoted-max", "promoted-node-max", "promotable", "ordered", "interleave", "notify",
	"resource-stickiness", "migration-threshold", "failure-timeout", "multiple-active", "target-role", "is-managed", "maintenance", "priority", "requires",
	"allow-migrate", "critical", "container", "stonith-enabled", "symmetric-cluster", "no-quorum-policy", "stop-all-resources", "maintenance-mode",
	"placement-strategy", "startup-fencing", "concurrent-fencing", "shutdown-lock", "node-health-strategy", "standby", "terminate", "shutdown", "master-db",
	"fail-count-bad#stop_0", "last-failure-bad#stop_0", "#health-x", "memory",
}

// A mutator changes a tree as bytes tell it: the same bytes, the same changes.
type mutator struct{ moves []byte }

func (m *mutator) pick(n int) int {
	if len(m.moves) == 0 || n == 0 {
		return 0
	}
	b := int(m.moves[0])
	m.moves = m.moves[1:]
	if n > 256 && len(m.moves) > 0 {
		b = b<<8 | int(m.moves[0])
		m.moves = m.moves[1:]
	}
	return b % n
}

const mostMoves = 30

func (m *mutator) mutate(root *tree) {
	var all []*tree
	for range mostMoves {
		if len(m.moves) == 0 {
			return
		}
		all = root.all(all[:0])
		m.move(all)
	}
}

func (m *mutator) move(all []*tree) {
	e := all[m.pick(len(all))]
	other := all[m.pick(len(all))]
	switch m.pick(7) {
	case 0:
		if len(e.attrs) > 0 {
			e.attrs[m.pick(len(e.attrs))].Value = texts[m.pick(len(texts))]
		}
	case 1:
		if i := m.pick(len(e.attrs)); len(e.attrs) > 0 {
			e.attrs = append(e.attrs[:i:i], e.attrs[i+1:]...)
		}
	case 2:
		if i := m.pick(len(e.children)); len(e.children) > 0 {
			e.children = append(e.children[:i:i], e.children[i+1:]...)
		}
	case 3: // a copy, with what else has that id
		if len(other.all(nil)) < 40 {
			e.children = append(e.children, copied(other))
		}
	case 4:
		if len(e.children) > 1 {
			i, j := m.pick(len(e.children)), m.pick(len(e.children))
			e.children[i], e.children[j] = e.children[j], e.children[i]
		}
	case 5:
		if e.name == "nvpair" {
			e.attrs = pairOf(names[m.pick(len(names))], texts[m.pick(len(texts))])
		}
	case 6:
		switch e.name {
		case "meta_attributes", "instance_attributes", "cluster_property_set", "utilization":
			e.children = append(e.children, &tree{name: "nvpair", attrs: pairOf(names[m.pick(len(names))], texts[m.pick(len(texts))])})
		}
	}
}

func pairOf(name, value string) []xml.Attr {
	return []xml.Attr{{Name: xml.Name{Local: "id"}, Value: "new"}, {Name: xml.Name{Local: "name"}, Value: name}, {Name: xml.Name{Local: "value"}, Value: value}}
}

func copied(e *tree) *tree {
	c := &tree{name: e.name, attrs: append([]xml.Attr(nil), e.attrs...)}
	for _, child := range e.children {
		c.children = append(c.children, copied(child))
	}
	return c
}
