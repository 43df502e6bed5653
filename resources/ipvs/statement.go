package ipvs

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// A statement is one line of a configuration, or what semicolons leave of it.
type statement struct {
	line  int
	words []string // at least one
}

// split takes a configuration apart. A quote ends in the line in which it begins.
func split(text string) ([]statement, error) {
	var all []statement
	for i, line := range strings.Split(text, "\n") {
		s := splitter{statement: statement{line: i + 1}}
		for _, r := range strings.TrimSuffix(line, "\r") {
			if s.take(r) {
				break
			}
		}
		if s.quote != 0 {
			return nil, wrongLine(i+1, "", "the quote %c is not closed", s.quote)
		}
		s.end()
		all = append(all, s.done...)
	}
	return all, nil
}

// A splitter reads one line.
type splitter struct {
	done      []statement
	statement statement // under way
	word      strings.Builder
	begun     bool // there is a word, perhaps an empty one
	quote     rune // that is open; 0: none
}

// take takes one character, and reports whether the rest of the line is a comment.
func (s *splitter) take(r rune) (comment bool) {
	switch {
	case s.quote != 0 && r == s.quote:
		s.quote = 0
	case s.quote != 0:
		s.word.WriteRune(r)
	case r == '"' || r == '\'':
		s.quote, s.begun = r, true
	case unicode.IsSpace(r):
		s.endWord()
	case r == ';':
		s.end()
	case r == '#' && !s.begun:
		return true
	default:
		s.word.WriteRune(r)
		s.begun = true
	}
	return false
}

func (s *splitter) endWord() {
	if s.begun {
		s.statement.words = append(s.statement.words, s.word.String())
		s.word.Reset()
		s.begun = false
	}
}

func (s *splitter) end() {
	s.endWord()
	if len(s.statement.words) > 0 {
		s.done = append(s.done, s.statement)
	}
	s.statement.words = nil
}

// options returns the words after the first that name something, and those of
// the form NAME=VALUE.
func (s statement) options() (names, options []string) {
	for _, w := range s.words[1:] {
		if strings.Contains(w, "=") {
			options = append(options, w)
		} else {
			names = append(names, w)
		}
	}
	return names, options
}

// apply gives each option to what is known of it.
func (s statement) apply(options []string, known map[string]func(string) error) error {
	seen := map[string]bool{}
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		set, ok := known[name]
		switch {
		case !ok:
			return wrongLine(s.line, "it knows "+strings.Join(slices.Sorted(maps.Keys(known)), ", "), "%s: option %q is unknown", s.words[0], name)
		case seen[name]:
			return wrongLine(s.line, "keep one of them", "%s: option %q is given twice", s.words[0], name)
		}
		seen[name] = true
		if err := set(value); err != nil {
			return wrongLine(s.line, "", "%s: %s: %v", s.words[0], name, err)
		}
	}
	return nil
}
