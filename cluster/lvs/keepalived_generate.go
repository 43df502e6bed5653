package lvs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostGenerated is how many directives may come of sequences, lists and definitions of
// several lines.
const mostGenerated = 1 << 14

// body reads a definition of several lines, "$NAME= \" and those that follow; the line
// is the first of them. It reports whether it is one.
func (r *keepalivedReader) body(first *line, rest []*line) bool {
	name, value, ok := strings.Cut(strings.TrimPrefix(first.text, "$"), "=")
	if !ok || !strings.HasPrefix(first.text, "$") || !isDefinition(name) {
		return false
	}
	lines := rest
	if value = strings.TrimSpace(value); value != "" {
		lines = append([]*line{{file: first.file, number: first.number, text: value}}, rest...)
	}
	r.bodies[name] = lines
	delete(r.definitions, name)
	r.notation(first, "$"+name+"=")
	for _, l := range rest {
		if l.text != "" {
			r.notation(l, strings.Fields(l.text)...)
		}
	}
	return true
}

// notation keeps a line that is no directive of keepalived's.
func (r *keepalivedReader) notation(l *line, words ...string) {
	r.add(&Directive{File: l.file, Line: l.number, Words: words, Notation: true})
}

// generate follows a line that stands for others, and reports whether it is one.
func (r *keepalivedReader) generate(l *line, depth int) (bool, error) {
	if lines, ok := r.bodies[strings.Trim(l.text, "${}")]; ok && strings.HasPrefix(l.text, "$") {
		r.notation(l, l.text)
		return true, r.repeat(lines, depth)
	}
	if !strings.HasPrefix(l.text, "~SEQ") && !strings.HasPrefix(l.text, "~LST") {
		return false, nil
	}
	if err := r.substitute(l); err != nil {
		return true, err
	}
	head, rest, _ := strings.Cut(l.text, ")")
	names, rounds, problem := rounds(head)
	if problem != "" {
		r.skip(l, problem)
		return true, nil
	}
	r.notation(l, head+")")
	for _, values := range rounds {
		for i, name := range names {
			r.definitions[name] = values[i]
		}
		if err := r.repeat([]*line{{file: l.file, number: l.number, text: strings.TrimSpace(rest)}}, depth); err != nil {
			return true, err
		}
	}
	for _, name := range names {
		delete(r.definitions, name)
	}
	return true, nil
}

// repeat follows lines that another one stands for.
func (r *keepalivedReader) repeat(lines []*line, depth int) error {
	for _, l := range lines {
		r.generated++
		switch {
		case depth >= deepest:
			return l.wrong(0, "definitions name one another, %d deep", deepest)
		case r.generated > mostGenerated:
			return l.wrong(0, "definitions and sequences make more than %d lines", mostGenerated)
		}
		if err := r.line(new(*l), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// rounds reads "~SEQ(NAME, [START,] [STEP,] END", the same with ~SEQx, or
// "~LST(NAME, VALUE, …" or "~LST({NAME, …}, {VALUE, …}, …": the names, and what they
// stand for in each round.
func rounds(head string) (names []string, rounds [][]string, problem string) {
	kind, list, ok := strings.Cut(head, "(")
	if !ok {
		return nil, nil, "it is no ~SEQ(NAME, START, STEP, END) or ~LST(NAME, VALUE, …)"
	}
	items := listItems(list)
	if len(items) < 2 || slices.ContainsFunc(items[0], func(n string) bool { return !isDefinition(n) }) {
		return nil, nil, "it names no variable and its values"
	}
	names = items[0]
	switch kind {
	case "~LST":
		rounds = items[1:]
		if slices.ContainsFunc(rounds, func(values []string) bool { return len(values) != len(names) }) {
			return nil, nil, fmt.Sprintf("not every one of its values has %d parts", len(names))
		}
		return names, rounds, ""
	case "~SEQ", "~SEQx":
		rounds, problem = sequence(items[1:], kind == "~SEQx")
		return names[:1], rounds, problem
	}
	return nil, nil, kind + " is not known here"
}

// listItems splits at commas outside of braces; an item in braces has several parts.
func listItems(text string) (items [][]string) {
	for text = strings.TrimSpace(text); text != ""; {
		end := strings.IndexByte(text, ',')
		if strings.HasPrefix(text, "{") {
			end = strings.IndexByte(text, '}')
		}
		item := text
		if end >= 0 {
			item, text = text[:end], text[end+1:]
		} else {
			text = ""
		}
		parts := strings.Split(strings.TrimPrefix(item, "{"), ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		items = append(items, parts)
		if strings.HasPrefix(item, "{") {
			text = strings.TrimPrefix(strings.TrimSpace(text), ",")
		}
		text = strings.TrimSpace(text)
	}
	return items
}

// sequence counts: END, START and END, or START, STEP and END.
func sequence(items [][]string, hexadecimal bool) (rounds [][]string, problem string) {
	var numbers []int64
	for _, item := range items {
		n, err := strconv.ParseInt(item[0], 0, 32)
		if err != nil || len(item) > 1 {
			return nil, fmt.Sprintf("%s is no number", strings.Join(item, ","))
		}
		numbers = append(numbers, n)
	}
	start, step, end := int64(1), int64(0), numbers[len(numbers)-1]
	switch len(numbers) {
	case 1:
		if end < 0 {
			start = -1
		}
	case 2:
		start = numbers[0]
	case 3:
		start, step = numbers[0], numbers[1]
	default:
		return nil, "it has more than a start, a step and an end"
	}
	if step == 0 {
		step = 1
		if end < start {
			step = -1
		}
	}
	for n := start; step > 0 && n <= end || step < 0 && n >= end; n += step {
		if len(rounds) >= mostGenerated {
			return nil, fmt.Sprintf("it has more than %d rounds", mostGenerated)
		}
		text := strconv.FormatInt(n, 10)
		if hexadecimal {
			text = strconv.FormatInt(n, 16)
		}
		rounds = append(rounds, []string{text})
	}
	return rounds, ""
}

// isDefinition knows the names of definitions.
func isDefinition(name string) bool {
	return name != "" && !strings.ContainsAny(name, " \t{}$\"")
}
