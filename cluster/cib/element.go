package cib

import "iter"

// An element is a node of the document, without its text: a CIB says nothing
// in text.
type element struct {
	name     string
	attrs    []attr
	children []*element
}

type attr struct{ name, value string }

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
		if e.attrs[i].name == name {
			return e.attrs[i].value, true
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

// count returns how many children of a name there are.
func (e *element) count(name string) int {
	n := 0
	for range e.all(name) {
		n++
	}
	return n
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
