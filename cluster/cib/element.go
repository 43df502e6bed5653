package cib

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// maxDepth is how deep elements may nest. CIBs need 12: rules in rules are the
// only part of theirs that could go deeper.
const maxDepth = 100

// An element is a node of the document, without its text: a CIB says nothing
// in text.
type element struct {
	name     string
	attrs    []xml.Attr
	children []*element
}

// attr returns the value of an attribute; empty: it is absent or empty.
func (e *element) attr(name string) string {
	v, _ := e.lookup(name)
	return v
}

func (e *element) lookup(name string) (string, bool) {
	if e == nil {
		return "", false
	}
	for i := range e.attrs {
		if e.attrs[i].Name.Local == name {
			return e.attrs[i].Value, true
		}
	}
	return "", false
}

func (e *element) id() string { return e.attr("id") }

// first returns the first child of a name; nil: there is none, or no element.
func (e *element) first(name string) *element {
	for c := range e.all(name) {
		return c
	}
	return nil
}

// all returns the children of a name, in their order.
func (e *element) all(name string) iter.Seq[*element] {
	return func(yield func(*element) bool) {
		if e == nil {
			return
		}
		for _, c := range e.children {
			if c.name == name && !yield(c) {
				return
			}
		}
	}
}

// descendants returns the elements below an element, in document order.
func (e *element) descendants() iter.Seq[*element] {
	return func(yield func(*element) bool) {
		if e != nil {
			e.visit(yield)
		}
	}
}

func (e *element) visit(yield func(*element) bool) bool {
	for _, c := range e.children {
		if !yield(c) || !c.visit(yield) {
			return false
		}
	}
	return true
}

// parseXML reads the elements of a document.
func parseXML(text string) (*element, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	var root *element
	var open []*element
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local, attrs: t.Attr}
			switch {
			case len(open) >= maxDepth:
				line, _ := d.InputPos()
				return nil, fmt.Errorf("line %d: elements nest deeper than %d", line, maxDepth)
			case len(open) > 0:
				top := open[len(open)-1]
				top.children = append(top.children, e)
			case root != nil:
				line, _ := d.InputPos()
				return nil, fmt.Errorf("line %d: a second document begins with <%s>", line, e.name)
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1].name != t.Name.Local {
				line, _ := d.InputPos()
				return nil, fmt.Errorf("line %d: </%s> ends nothing", line, t.Name.Local)
			}
			open = open[:len(open)-1]
		}
	}
	switch {
	case root == nil:
		return nil, errors.New("no element in it")
	case len(open) > 0:
		return nil, fmt.Errorf("the end of <%s> is missing", open[len(open)-1].name)
	}
	return root, nil
}
