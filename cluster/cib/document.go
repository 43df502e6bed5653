package cib

import (
	"fmt"
)

// A Document is a parsed CIB.
type Document struct {
	root      *element
	byID      map[reference]*element // nil: nobody asked yet
	resources map[string]bool        // ids of what constraints may name
	lists     map[string][]string
}

// A reference is what an id-ref names: an element of the same kind.
type reference struct{ name, id string }

// Parse reads a CIB. It refuses what is no XML document of one cib element;
// whatever else is wrong in it is told by what uses it.
func Parse(data []byte) (*Document, error) {
	root, err := parseXML(string(data))
	if err != nil {
		return nil, fmt.Errorf("read CIB: %w; give the output of `cibadmin --query` or of `pcs cluster cib`", err)
	}
	if root.name != "cib" {
		return nil, fmt.Errorf("read CIB: the document is a <%s>, not a <cib>; give the output of `cibadmin --query` or of `pcs cluster cib`", root.name)
	}
	d := &Document{root: root}
	d.resources = d.listResources()
	d.lists = d.listNames()
	return d, nil
}

// section returns an element of the configuration.
func (d *Document) section(name string) *element {
	return d.root.first("configuration").first(name)
}

// resolve follows an id-ref; nil: it leads nowhere.
func (d *Document) resolve(e *element) *element {
	ref, ok := e.lookup("id-ref")
	if !ok {
		return e
	}
	return d.named(e.name, ref)
}

// named returns the first element of a kind that has an id; nil: there is none.
func (d *Document) named(kind, id string) *element {
	if d.byID == nil {
		d.byID = make(map[reference]*element)
		for e := range d.root.descendants() {
			if id, ok := e.lookup("id"); ok {
				if _, taken := d.byID[reference{e.name, id}]; !taken {
					d.byID[reference{e.name, id}] = e
				}
			}
		}
	}
	return d.byID[reference{kind, id}]
}

// listResources returns the ids of all resources, with those inside others.
func (d *Document) listResources() map[string]bool {
	ids := make(map[string]bool)
	for e := range d.section("resources").descendants() {
		if isResource(e.name) {
			ids[e.id()] = true
		}
	}
	return ids
}

func isResource(name string) bool {
	switch name {
	case "primitive", "group", "clone", "master", "bundle":
		return true
	}
	return false
}

// listNames returns what stands for several resources: the names of templates
// and tags, each with the resources it stands for. A template's name wins.
func (d *Document) listNames() map[string][]string {
	lists := make(map[string][]string)
	templates := make(map[string]bool)
	for t := range d.section("resources").all("template") {
		templates[t.id()] = true
	}
	for e := range d.section("resources").descendants() {
		if t := e.attr("template"); e.name == "primitive" && templates[t] {
			lists[t] = append(lists[t], e.id())
		}
	}
	for tag := range d.section("tags").all("tag") {
		if templates[tag.id()] {
			continue
		}
		for ref := range tag.all("obj_ref") {
			lists[tag.id()] = append(lists[tag.id()], ref.id())
		}
	}
	return lists
}
