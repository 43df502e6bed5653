package cib

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep elements may nest. CIBs need 12: rules in rules are the
// only part of theirs that could go deeper.
const maxDepth = 100

// A parser reads the elements and attributes of an XML document, and skips all
// else: texts, comments, declarations. It knows no entities but those that every
// document has, so that no document is larger than it looks.
//
// encoding/xml would do, but with the histories of 16 nodes a CIB of 5,000
// resources has 35 MB, and it would take longer than the decision.
type parser struct {
	text string
	at   int
	open []*element
	root *element

	reading  []attr    // of the element that is being read
	elements []element // allocated many at once, as attrs
	attrs    []attr
}

// parseXML reads a document.
func parseXML(text string) (*element, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is not UTF-8")
	}
	p := &parser{text: text}
	for p.at < len(p.text) {
		if err := p.next(); err != nil {
			return nil, fmt.Errorf("line %d: %w", 1+strings.Count(p.text[:p.at], "\n"), err)
		}
	}
	switch {
	case p.root == nil:
		return nil, errors.New("no element in it")
	case len(p.open) > 0:
		return nil, fmt.Errorf("the end of <%s> is missing", p.open[len(p.open)-1].name)
	}
	return p.root, nil
}

// next reads what is between two < characters.
func (p *parser) next() error {
	rest := p.text[p.at:]
	if rest[0] != '<' {
		end := strings.IndexByte(rest, '<')
		if end < 0 {
			end = len(rest)
		}
		p.at += end
		return nil
	}
	switch {
	case strings.HasPrefix(rest, "<!--"):
		return p.skip("<!--", "-->")
	case strings.HasPrefix(rest, "<![CDATA["):
		return p.skip("<![CDATA[", "]]>")
	case strings.HasPrefix(rest, "<?"):
		return p.skip("<?", "?>")
	case strings.HasPrefix(rest, "<!"):
		return p.skip("<!", ">")
	case strings.HasPrefix(rest, "</"):
		return p.end()
	}
	return p.start()
}

func (p *parser) skip(begin, end string) error {
	length := strings.Index(p.text[p.at+len(begin):], end)
	if length < 0 {
		return fmt.Errorf("the end of %s is missing", begin)
	}
	p.at += len(begin) + length + len(end)
	return nil
}

func (p *parser) end() error {
	p.at += len("</")
	name := p.name()
	p.space()
	if !p.take('>') {
		return fmt.Errorf("</%s is not closed", name)
	}
	if len(p.open) == 0 || p.open[len(p.open)-1].name != local(name) {
		return fmt.Errorf("</%s> ends nothing", name)
	}
	p.open = p.open[:len(p.open)-1]
	return nil
}

func (p *parser) start() error {
	p.at += len("<")
	name := p.name()
	if name == "" {
		return errors.New("a < begins no element")
	}
	e := p.element(local(name))
	if err := p.attach(e); err != nil {
		return err
	}
	p.reading = p.reading[:0]
	for {
		spaced := p.space()
		switch {
		case p.take('>'):
			e.attrs = p.kept()
			p.open = append(p.open, e)
			return nil
		case strings.HasPrefix(p.text[p.at:], "/>"):
			p.at += len("/>")
			e.attrs = p.kept()
			return nil
		case !spaced:
			return fmt.Errorf("<%s is not closed", name)
		}
		if err := p.attribute(name); err != nil {
			return err
		}
	}
}

// attach puts an element where it belongs.
func (p *parser) attach(e *element) error {
	switch {
	case len(p.open) >= maxDepth:
		return fmt.Errorf("elements nest deeper than %d", maxDepth)
	case len(p.open) > 0:
		top := p.open[len(p.open)-1]
		top.children = append(top.children, e)
	case p.root != nil:
		return fmt.Errorf("a second document begins with <%s>", e.name)
	default:
		p.root = e
	}
	return nil
}

func (p *parser) element(name string) *element {
	if len(p.elements) == 0 {
		p.elements = make([]element, 256)
	}
	e := &p.elements[0]
	p.elements = p.elements[1:]
	e.name = name
	return e
}

// kept returns the attributes that were read, in memory of their own.
func (p *parser) kept() []attr {
	n := len(p.reading)
	if len(p.attrs) < n {
		p.attrs = make([]attr, max(n, 1024))
	}
	list := p.attrs[:n:n]
	p.attrs = p.attrs[n:]
	copy(list, p.reading)
	return list
}

// attribute reads NAME="VALUE".
func (p *parser) attribute(element string) error {
	name := p.name()
	p.space()
	equals := p.take('=')
	p.space()
	if name == "" || !equals || p.at == len(p.text) || p.text[p.at] != '"' && p.text[p.at] != '\'' {
		return fmt.Errorf("<%s has an attribute that is not NAME=\"VALUE\"", element)
	}
	quote := p.text[p.at]
	p.at++
	length := strings.IndexByte(p.text[p.at:], quote)
	if length < 0 {
		return fmt.Errorf("<%s: the value of %s has no end", element, name)
	}
	value, err := plain(p.text[p.at : p.at+length])
	if err != nil {
		return fmt.Errorf("<%s: the value of %s: %w", element, name, err)
	}
	p.at += length + 1
	p.reading = append(p.reading, attr{local(name), value})
	return nil
}

// plain replaces what stands for other characters in a value. White space is a
// blank, unless it was written as a reference.
func plain(value string) (string, error) {
	if isPlain(value) {
		return value, nil
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case '<':
			return "", errors.New("it has a <")
		case '\t', '\n', '\r':
			b.WriteByte(' ')
		case '&':
			length := strings.IndexByte(value[i:], ';')
			if length < 0 {
				return "", errors.New("a & begins no reference")
			}
			r, err := referred(value[i+1 : i+length])
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			i += length
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func isPlain(value string) bool {
	for i := range len(value) {
		switch value[i] {
		case '<', '&', '\t', '\n', '\r':
			return false
		}
	}
	return true
}

func referred(name string) (rune, error) {
	switch name {
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "amp":
		return '&', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, fmt.Errorf("&%s; is not known", name)
	}
	base := 10
	if number, hex := strings.CutPrefix(digits, "x"); hex {
		digits, base = number, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil || !utf8.ValidRune(rune(n)) || n == 0 {
		return 0, fmt.Errorf("&%s; is no character", name)
	}
	return rune(n), nil
}

// name reads the name of an element or attribute; empty: there is none.
func (p *parser) name() string {
	first := p.at
	for p.at < len(p.text) && inName[p.text[p.at]] {
		p.at++
	}
	return p.text[first:p.at]
}

// inName has the bytes that names are of: all but white space and syntax.
var inName = func() (in [256]bool) {
	for b := range in {
		in[b] = b > ' ' && !strings.ContainsRune(`<>/="'&`, rune(b))
	}
	return in
}()

// local returns a name without its namespace.
func local(name string) string {
	return name[strings.IndexByte(name, ':')+1:]
}

// space skips white space, and reports whether there was any.
func (p *parser) space() bool {
	first := p.at
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
			continue
		}
		break
	}
	return p.at > first
}

func (p *parser) take(c byte) bool {
	if p.at == len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}
