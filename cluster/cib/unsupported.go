package cib

import (
	"fmt"
	"slices"
	"strings"
)

// An UnsupportedError names the elements of a CIB that Quorate does not run.
type UnsupportedError struct {
	Elements []Element // by their place in the document
}

// An Element of a CIB, by its kind and id.
type Element struct {
	Kind string // what it is, in words: bundle, remote node, ticket
	ID   string
}

func (e Element) String() string { return e.Kind + " " + e.ID }

func (e *UnsupportedError) Error() string {
	const most = 5
	var names []string
	for i, el := range e.Elements {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(e.Elements)-most))
			break
		}
		names = append(names, el.String())
	}
	return fmt.Sprintf("not supported: %s; Quorate runs no bundles, remote nodes, guest nodes or tickets", strings.Join(names, ", "))
}

// unsupported lists what the scheduler cannot decide upon.
func (d *Document) unsupported() []Element {
	var list []Element
	for e := range d.section("resources").descendants() {
		switch {
		case e.name == "bundle":
			list = append(list, Element{"bundle", e.id()})
		case isRemoteConnection(e):
			list = append(list, Element{"remote node", e.id()})
		case e.name == "primitive":
			if name := d.guestOf(e); name != "" {
				list = append(list, Element{"guest node", name})
			}
		}
	}
	for e := range d.section("nodes").all("node") {
		if strings.EqualFold(e.attr("type"), "remote") {
			list = append(list, Element{"remote node", e.attr("uname")})
		}
	}
	for e := range d.section("constraints").all("rsc_ticket") {
		list = append(list, Element{"ticket constraint", e.id()})
	}
	for _, name := range d.removedRemotes() {
		if el := (Element{"remote node", name}); !slices.Contains(list, el) {
			list = append(list, el)
		}
	}
	return list
}

// removedRemotes names the nodes that are reached over a connection that a
// cluster node remembers. One that is not configured any more may still run
// resources, which would otherwise start a second time.
func (d *Document) removedRemotes() []string {
	var names []string
	status := d.root.first("status")
	for remote := range status.all("node_state") {
		if remote.attr("remote_node") == "" {
			continue
		}
		for s := range status.all("node_state") {
			for r := range s.first("lrm").first("lrm_resources").all("lrm_resource") {
				if name := remote.attr("uname"); r.id() == name && isRemoteAgent(r) && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func isRemoteConnection(e *element) bool {
	return (e.name == "primitive" || e.name == "template") && isRemoteAgent(e)
}

func isRemoteAgent(e *element) bool {
	return e.attr("class") == "ocf" && e.attr("provider") == "pacemaker" && e.attr("type") == "remote"
}

// guestOf returns the name of the guest node that runs in a resource.
func (d *Document) guestOf(e *element) string {
	for _, b := range d.blocks(e, "meta_attributes") {
		for _, v := range b.Values {
			if v.Name == "remote-node" {
				return v.Value
			}
		}
	}
	return ""
}
