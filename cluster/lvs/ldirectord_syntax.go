package lvs

import (
	"fmt"
	"strings"
)

// ParseLdirectord reads an ldirectord.cf: each directive is a name and a value,
// and indented ones belong to the virtual service before them. ldirectord ends a
// virtual service at a blank line or at too small an indent, and then refuses the
// rest; here those lines belong to it.
func ParseLdirectord(node, name string, data []byte) (*File, error) {
	f := &File{Node: node, Name: name}
	var virtual *Directive
	for i, text := range strings.Split(string(data), "\n") {
		text = strings.TrimRight(text, " \t\r")
		d, column, problem := ldirectordLine(text)
		if problem != "" {
			return nil, &SyntaxError{name, i + 1, column + 1, problem}
		}
		if d == nil {
			continue
		}
		d.File, d.Line = name, i+1
		switch indented := text[0] == ' ' || text[0] == '\t'; {
		case d.Name() == "virtual" || d.Name() == "virtual6":
			d.Opened = true
			virtual = d
			f.Directives = append(f.Directives, d)
		case indented && virtual != nil:
			virtual.Block = append(virtual.Block, d)
		case indented:
			return nil, &SyntaxError{name, i + 1, column + 1, fmt.Sprintf("%q is indented, and there is no virtual service before it", d.Name())}
		default:
			virtual = nil
			f.Directives = append(f.Directives, d)
		}
	}
	return f, nil
}

// ldirectordLine reads a line: nothing, or a name with or without a value.
func ldirectordLine(text string) (d *Directive, column int, problem string) {
	rest := strings.TrimLeft(text, " \t")
	column = len(text) - len(rest)
	if at := comment(rest); at >= 0 {
		rest = strings.TrimRight(rest[:at], " \t")
	}
	if rest == "" {
		return nil, 0, ""
	}
	if i := strings.IndexByte(rest, 0); i >= 0 {
		return nil, column + i, "a NUL byte: this is no text"
	}
	name, value, ok := strings.Cut(rest, "=")
	name = strings.TrimRight(name, " \t")
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || name == "" || !ok && name != "supervised" {
		return nil, column, fmt.Sprintf("%q is not NAME=VALUE", clip(rest))
	}
	if !ok {
		return &Directive{Words: []string{name}}, column, ""
	}
	at := column + len(rest) - len(strings.TrimLeft(value, " \t"))
	value = strings.TrimSpace(value)
	if strings.Count(value, `"`)%2 != 0 {
		return nil, at + strings.LastIndexByte(value, '"'), `this quote (") is not closed`
	}
	if inner, ok := unquoted(value); ok {
		value = inner
	}
	return &Directive{Words: []string{name, value}}, column, ""
}

// comment is where one begins, or -1. ldirectord does not look for quotes.
func comment(text string) int {
	if strings.HasPrefix(text, "#") {
		return 0
	}
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			return i
		}
	}
	return -1
}

// unquoted takes quotes around the whole of a value away.
func unquoted(value string) (string, bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' || strings.Contains(value[1:len(value)-1], `" `) {
		return "", false
	}
	return value[1 : len(value)-1], true
}

func clip(text string) string {
	if len(text) > 40 {
		return strings.ToValidUTF8(text[:40], "") + "…"
	}
	return text
}
