package cib

import (
	"fmt"
	"strings"
	"testing"
)

func TestXMLIsReadOrRefusedByLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"elements and attributes", `<?xml version="1.0"?><!DOCTYPE cib><a x="1" y='"'><!-- <no/> --><b/>text<b z = "2"></b></a>`, `a[x=1 y="](b[] b[z=2])`},
		{"a namespace is left out", `<x:a y:b="1"/>`, `a[b=1]`},
		{"references", `<a x="&lt;&gt;&amp;&quot;&apos;&#65;&#x42;"/>`, `a[x=<>&"'AB]`},
		{"white space is a blank", "<a x=\"1\n2&#10;3\"/>", "a[x=1 2\n3]"},
		{"CDATA is text", `<a><![CDATA[<b>]]></a>`, `a[]`},
		{"no element", " text ", "no element in it"},
		{"an end is missing", "<a><b></b>", "the end of <a> is missing"},
		{"another end", "<a>\n</b>", "line 2: </b> ends nothing"},
		{"a second document", "<a/>\n\n<b/>", "line 3: a second document begins with <b>"},
		{"an attribute without value", "<a x/>", `line 1: <a has an attribute that is not NAME="VALUE"`},
		{"one that does not end", `<a x="1`, "line 1: <a: the value of x has no end"},
		{"an unknown entity", `<a x="&bomb;"/>`, "line 1: <a: the value of x: &bomb; is not known"},
		{"a character that is none", `<a x="&#xD800;"/>`, "line 1: <a: the value of x: &#xD800; is no character"},
		{"attributes without space between", `<a x="1"y="2"/>`, "line 1: <a is not closed"},
		{"a tag that is not closed", `<a`, "line 1: <a is not closed"},
		{"bytes that are no text", "<a x=\"\xff\"/>", "it is not UTF-8"},
		{"too deep", strings.Repeat("<a>", 101), "line 1: elements nest deeper than 100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := parseXML(tt.text)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = shape(e)
			}
			if got != tt.want {
				t.Errorf("parse %q\n got %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

// shape prints an element as name[attribute=value …](children …).
func shape(e *element) string {
	var attrs, children []string
	for _, a := range e.attrs {
		attrs = append(attrs, fmt.Sprintf("%s=%s", a.name, a.value))
	}
	for _, c := range e.children {
		children = append(children, shape(c))
	}
	text := fmt.Sprintf("%s[%s]", e.name, strings.Join(attrs, " "))
	if len(children) > 0 {
		text += "(" + strings.Join(children, " ") + ")"
	}
	return text
}
