package cib

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// node makes an element with attributes, given as names and values; those
// without a value are left out.
func node(name string, attrs ...string) *element {
	e := &element{name: name}
	for i := 0; i+1 < len(attrs); i += 2 {
		e.set(attrs[i], attrs[i+1])
	}
	return e
}

func (e *element) set(name, value string) {
	if value != "" {
		e.attrs = append(e.attrs, attr{name, value})
	}
}

// add appends children, without those that are nil, and returns the element.
func (e *element) add(children ...*element) *element {
	for _, c := range children {
		if c != nil {
			e.children = append(e.children, c)
		}
	}
	return e
}

// bytes writes the element as a document.
func (e *element) bytes() []byte {
	var b bytes.Buffer
	e.write(&b, 0)
	return b.Bytes()
}

func (e *element) write(b *bytes.Buffer, depth int) {
	indent := strings.Repeat("  ", depth)
	b.WriteString(indent + "<" + e.name)
	for _, a := range e.attrs {
		b.WriteString(" " + a.name + `="`)
		_ = xml.EscapeText(b, []byte(a.value)) // a Buffer takes everything
		b.WriteString(`"`)
	}
	if len(e.children) == 0 {
		b.WriteString("/>\n")
		return
	}
	b.WriteString(">\n")
	for _, c := range e.children {
		c.write(b, depth+1)
	}
	b.WriteString(indent + "</" + e.name + ">\n")
}
