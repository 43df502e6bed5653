// Package lvs reads the configurations that people have for LVS: ldirectord.cf
// and keepalived.conf.
//
// [ParseLdirectord] and [ParseKeepalived] give [File]s: directives with their
// lines, whatever they mean. [Configuration] says them in Quorate's words, as a
// director and its addresses, and reports on every directive: taken, approximated
// or not taken, and why. A directive that is not known is reported, too: none
// vanishes.
//
// The package reads and writes values only; files that others include are asked
// of the caller.
//
// Sources: ldirectord(8) and keepalived.conf(5), and where those are silent what
// the programs do.
package lvs

import (
	"fmt"
	"slices"
	"strings"
)

// A Directive is one statement of a file, with its block if it has one.
type Directive struct {
	File     string
	Line     int      // from 1
	Words    []string // at least one, but for a block without a name
	Block    []*Directive
	Opened   bool   // it has a block, which may be empty
	Notation bool   // it is the file's own: a definition, an include; what it stands for follows
	Skip     string // why it does not hold, though it is there; empty: it does
}

// holds reports whether it says something of what is configured.
func (d *Directive) holds() bool { return d.Skip == "" && !d.Notation }

// Name is the directive's first word.
func (d *Directive) Name() string { return d.word(0) }

// word is a word, or nothing where there is none.
func (d *Directive) word(i int) string {
	if i < len(d.Words) {
		return d.Words[i]
	}
	return ""
}

// rest are the words after the first.
func (d *Directive) rest() []string { return d.Words[min(1, len(d.Words)):] }

// find returns the directives of the block that hold and have one of the names.
func (d *Directive) find(names ...string) []*Directive {
	var found []*Directive
	for _, sub := range d.Block {
		if sub.holds() && slices.Contains(names, sub.Name()) {
			found = append(found, sub)
		}
	}
	return found
}

// last returns the last such directive, which is the one that counts, or nil.
func (d *Directive) last(names ...string) *Directive {
	if found := d.find(names...); len(found) > 0 {
		return found[len(found)-1]
	}
	return nil
}

// A File is what is written in one, and in those that it includes.
type File struct {
	Node       string // whose it is; empty: not said
	Name       string
	Directives []*Directive
}

// each calls f for every directive, in the order in which they are written.
func (f *File) each(do func(*Directive)) {
	var walk func([]*Directive)
	walk = func(list []*Directive) {
		for _, d := range list {
			do(d)
			walk(d.Block)
		}
	}
	walk(f.Directives)
}

// A SyntaxError says where a file cannot be read any further.
type SyntaxError struct {
	File         string
	Line, Column int // from 1, in bytes
	Problem      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// secrets are directives whose words are for no report.
var secrets = []string{"auth_pass", "passwd", "password", "secret", "key"}

// shown is the rest of a directive for a report.
func (d *Directive) shown() string {
	rest := strings.Join(d.rest(), " ")
	if rest != "" && slices.Contains(secrets, d.Name()) {
		return "…"
	}
	const most = 60
	if len(rest) > most {
		rest = strings.ToValidUTF8(rest[:most], "") + "…"
	}
	return rest
}
