package lvs

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Opener returns the files that an include names, seen from the file that
// includes it: their names and contents, in order.
type Opener func(from, pattern string) (names []string, contents [][]byte, err error)

// deepest is how many files may include one another.
const deepest = 16

// most is how large a configuration may become, by what it includes and by
// definitions that name others.
const (
	mostDirectives = 1 << 20
	mostLine       = 64 << 10
)

// ParseKeepalived reads a keepalived.conf. Lines for one host (@host) hold if
// node is that host; without a node those of all hosts are left out.
//
// The notation is that of keepalived.conf(5), "Configuration parser" on, with
// definitions and generated lines (~SEQ, ~LST). What of it is not followed is in the
// file as a directive that is skipped.
func ParseKeepalived(node, name string, data []byte, open Opener) (*File, error) {
	r := &keepalivedReader{node: node, open: open, definitions: make(map[string]string), bodies: make(map[string][]*line), file: &File{Node: node, Name: name}}
	r.blocks = []*Directive{{}} // its block is the file
	if err := r.read(name, data, 0); err != nil {
		return nil, err
	}
	if top := r.top(); len(r.blocks) > 1 {
		return nil, &SyntaxError{top.File, top.Line, 1, fmt.Sprintf("the block of %q is not closed; add a }", top.Name())}
	}
	r.file.Directives = r.blocks[0].Block
	return r.file, nil
}

// A keepalivedReader reads one line after another.
type keepalivedReader struct {
	node        string
	open        Opener
	file        *File
	definitions map[string]string
	bodies      map[string][]*line // definitions of several lines
	blocks      []*Directive       // those that are open, the innermost last
	count       int
	generated   int // lines that others stand for
}

func (r *keepalivedReader) top() *Directive { return r.blocks[len(r.blocks)-1] }

func (r *keepalivedReader) read(name string, data []byte, depth int) error {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return &SyntaxError{name, 1 + bytes.Count(data[:i], []byte("\n")), i - bytes.LastIndexByte(data[:i], '\n'), "a NUL byte: this is no text"}
	}
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); i++ {
		at := i + 1
		text, continued, err := decomment(strings.TrimSuffix(lines[i], "\r"))
		if err != nil {
			return &SyntaxError{name, at, err.column, err.Problem}
		}
		l := &line{file: name, number: at, text: text, indent: len(lines[i]) - len(strings.TrimLeft(lines[i], " \t"))}
		if continued { // only definitions may be: the rest is theirs
			var rest []*line
			for continued && i+1 < len(lines) {
				i++
				text, continued, err = decomment(strings.TrimSuffix(lines[i], "\r"))
				if err != nil {
					return &SyntaxError{name, i + 1, err.column, err.Problem}
				}
				rest = append(rest, &line{file: name, number: i + 1, text: text})
			}
			if !r.body(l, rest) {
				r.skip(l, notFollowed)
				for _, more := range rest {
					r.skip(more, notFollowed)
				}
			}
			continue
		}
		if err := r.line(l, depth); err != nil {
			return err
		}
	}
	return nil
}

// A line without its comment.
type line struct {
	file   string
	number int
	text   string
	indent int // what stood before the text
}

// wrong is a syntax error at a place of the line.
func (l *line) wrong(column int, format string, args ...any) error {
	return &SyntaxError{l.file, l.number, l.indent + column + 1, fmt.Sprintf(format, args...)}
}

// decomment cuts a comment off, and reports whether the next line belongs to
// this one. The error's column counts.
func decomment(text string) (rest string, continued bool, err *columnError) {
	var b strings.Builder
	quoted := -1
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '"' && quoted >= 0:
			quoted = -1
		case ch == '"':
			quoted = i
		case ch == '\\' && i+1 == len(text):
			return strings.TrimSpace(b.String()), true, nil
		case ch == '\\' && quoted < 0 && (text[i+1] == '#' || text[i+1] == '!'):
			i++
			b.WriteByte(text[i])
			continue
		case ch == '\\':
			b.WriteByte(ch)
			i++
			b.WriteByte(text[i])
			continue
		case quoted < 0 && (ch == '#' || ch == '!'):
			return strings.TrimSpace(b.String()), false, nil
		}
		b.WriteByte(text[i])
	}
	if quoted >= 0 {
		return "", false, &columnError{quoted + 1, `this quote (") is not closed`}
	}
	return strings.TrimSpace(b.String()), false, nil
}

// A columnError is a syntax error of a line whose file and number are known elsewhere.
type columnError struct {
	column  int
	Problem string
}

// skip keeps a line that is not followed.
func (r *keepalivedReader) skip(l *line, why string) {
	if words := strings.Fields(l.text); len(words) > 0 {
		r.add(&Directive{File: l.file, Line: l.number, Words: words, Skip: why})
	}
}

func (r *keepalivedReader) add(d *Directive) {
	top := r.top()
	if d.Skip == "" {
		d.Skip = top.Skip
	}
	top.Block = append(top.Block, d)
	r.count++
}

// line follows one line.
func (r *keepalivedReader) line(l *line, depth int) error {
	if r.count > mostDirectives {
		return l.wrong(0, "there are more than %d directives", mostDirectives)
	}
	if l.text == "" {
		return nil
	}
	why := ""
	if l.text[0] == '@' {
		why = r.condition(l)
	}
	switch {
	case why == "" && strings.HasPrefix(l.text, "$") && r.define(l):
		return nil
	case why == "":
		if done, err := r.generate(l, depth); done || err != nil {
			return err
		}
	}
	if err := r.substitute(l); err != nil {
		return err
	}
	if name, pattern, ok := includes(l.text); ok && why == "" {
		return r.include(l, name, pattern, depth)
	}
	return r.statements(l, why)
}

// condition takes "@host" or "@^host" away, and says why the line does not hold.
func (r *keepalivedReader) condition(l *line) (why string) {
	host, rest, _ := strings.Cut(strings.ReplaceAll(l.text, "\t", " "), " ")
	l.text = strings.TrimSpace(rest)
	name, not := strings.CutPrefix(host[1:], "^")
	switch holds := name == r.node; {
	case holds != not:
		return ""
	case r.node == "":
		return "it is for " + name + " only, and the file is of no named node; give it as NODE=FILE"
	case not:
		return "it is for all but " + name
	default:
		return "it is for " + name
	}
}

// define keeps "$NAME=value"; the line itself is a directive that is taken.
func (r *keepalivedReader) define(l *line) bool {
	name, value, ok := strings.Cut(l.text[1:], "=")
	if !ok || !isDefinition(name) {
		return false
	}
	r.definitions[name] = strings.TrimSpace(value)
	delete(r.bodies, name)
	r.notation(l, "$"+name+"=", strings.TrimSpace(value))
	return true
}

// substitute puts the values of definitions in, the longest names first. What is
// not defined stays as it is.
func (r *keepalivedReader) substitute(l *line) error {
	names := slices.SortedFunc(maps.Keys(r.definitions), func(a, b string) int { return len(b) - len(a) })
	for round := 0; strings.Contains(l.text, "$") && round < deepest; round++ {
		before := l.text
		for _, name := range names {
			l.text = strings.ReplaceAll(l.text, "${"+name+"}", r.definitions[name])
			l.text = strings.ReplaceAll(l.text, "$"+name, r.definitions[name])
			if len(l.text) > mostLine {
				return l.wrong(0, "definitions make the line longer than %d bytes", mostLine)
			}
		}
		if l.text == before {
			break
		}
	}
	return nil
}

// includes tells an include of any kind.
func includes(text string) (name, pattern string, ok bool) {
	words := strings.Fields(text)
	if len(words) != 2 {
		return "", "", false
	}
	return words[0], strings.Trim(words[1], `"`), slices.Contains([]string{"include", "includer", "includem", "includew", "includeb", "includea"}, words[0])
}

func (r *keepalivedReader) include(l *line, name, pattern string, depth int) error {
	d := &Directive{File: l.file, Line: l.number, Words: []string{name, pattern}, Notation: true}
	if r.open == nil {
		d.Skip = "other files are not read here; write what is in them into this one"
		r.add(d)
		return nil
	}
	if depth >= deepest {
		return l.wrong(0, "files include one another, %d deep", deepest)
	}
	names, contents, err := r.open(l.file, pattern)
	if err != nil {
		d.Skip = err.Error()
	}
	r.add(d)
	for i := range names {
		if err := r.read(names[i], contents[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// statements splits a line at braces outside of quotes.
func (r *keepalivedReader) statements(l *line, why string) error {
	words, column, err := l.words()
	if err != nil {
		return err
	}
	begin := 0
	flush := func(end int) {
		if end > begin {
			r.add(&Directive{File: l.file, Line: l.number, Words: words[begin:end:end], Skip: why})
		}
		begin = end + 1
	}
	for i, w := range words {
		switch w {
		case openBrace:
			flush(i)
			if err := r.opened(l, column[i]); err != nil {
				return err
			}
		case closeBrace:
			flush(i)
			if len(r.blocks) == 1 {
				return l.wrong(column[i], "this } closes no block")
			}
			r.blocks = r.blocks[:len(r.blocks)-1]
		}
	}
	flush(len(words))
	return nil
}

// opened opens the block of the directive before the brace, which may be on a
// line before.
func (r *keepalivedReader) opened(l *line, column int) error {
	top := r.top()
	if len(top.Block) == 0 || top.Block[len(top.Block)-1].Opened {
		return l.wrong(column, "this { opens a block without a name")
	}
	if len(r.blocks) > 64 {
		return l.wrong(column, "blocks are more than 64 deep")
	}
	d := top.Block[len(top.Block)-1]
	d.Opened = true
	r.blocks = append(r.blocks, d)
	return nil
}

// Braces are words of their own, which no word in quotes is.
const openBrace, closeBrace = "\x00{", "\x00}"

// words splits a line at blanks; double quotes keep them, and braces stand alone.
func (l *line) words() (words []string, column []int, err error) {
	for i := 0; i < len(l.text); {
		switch ch := l.text[i]; {
		case ch == ' ' || ch == '\t':
			i++
		case ch == '{' || ch == '}':
			words, column = append(words, "\x00"+string(ch)), append(column, i)
			i++
		case ch == '"':
			word, size, ok := quotedWord(l.text[i:])
			if !ok {
				return nil, nil, l.wrong(i, `this quote (") is not closed`)
			}
			words, column = append(words, word), append(column, i)
			i += size
		default:
			end := wordEnd(l.text, i)
			words, column = append(words, l.text[i:end]), append(column, i)
			i = end
		}
	}
	return words, column, nil
}

// quotedWord reads a word that begins with a quote, in which \" stands for one.
func quotedWord(text string) (word string, size int, ok bool) {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return strings.ReplaceAll(text[1:i], `\"`, `"`), i + 1, true
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
	}
	return "", 0, false
}

// wordEnd is where a word without quotes ends. The braces of ${NAME}, which is
// not defined if it is still there, belong to it.
func wordEnd(text string, i int) int {
	for i < len(text) && !strings.ContainsRune(" \t\"{}", rune(text[i])) {
		if end := strings.IndexByte(text[i:], '}'); end > 0 && strings.HasPrefix(text[i:], "${") {
			i += end
		}
		i++
	}
	return i
}

// notFollowed is why a line is skipped that goes on in the next one.
const notFollowed = "lines that go on in the next one are not followed; write them in one"
