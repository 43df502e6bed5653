package haproxy

import (
	"os"
	"regexp"
	"strings"
)

// split takes a line of a configuration apart into its words (HAProxy
// Configuration Manual, "Quoting and escaping"): a backslash takes a character
// as it is, quotes hold blanks together, variables stand in double quotes, and #
// begins a comment.
func split(line string) []string {
	var s splitter
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && s.quote != '\'' && i+1 < len(line):
			i++
			s.add(line[i])
		case s.quote != 0 && c == s.quote:
			s.quote = 0
		case c == '$' && s.quote == '"' && variable.MatchString(line[i:]):
			found := variable.FindStringSubmatch(line[i:])
			s.word.WriteString(valueOf(found[1] + found[2]))
			i += len(found[0]) - 1
		case s.quote != 0:
			s.add(c)
		case c == '"' || c == '\'':
			s.quote, s.begun = c, true
		case c == '#':
			return s.end()
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			s.endWord()
		default:
			s.add(c)
		}
	}
	return s.end()
}

// A splitter reads one line.
type splitter struct {
	words []string
	word  strings.Builder
	begun bool // there is a word, perhaps an empty one
	quote byte // that is open; 0: none
}

func (s *splitter) add(c byte) {
	s.word.WriteByte(c)
	s.begun = true
}

func (s *splitter) endWord() {
	if s.begun {
		s.words = append(s.words, s.word.String())
		s.word.Reset()
		s.begun = false
	}
}

func (s *splitter) end() []string {
	s.endWord()
	return s.words
}

// variable is $NAME, ${NAME} or ${NAME-default}.
var variable = regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*(?:-[^}]*)?)\})`)

func valueOf(name string) string {
	name, otherwise, _ := strings.Cut(name, "-")
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// A statement is a line of a configuration that says something.
type statement struct {
	section string // global, defaults, frontend, …
	line    int    // from 1
	words   []string
}

// statements reads a configuration as far as its sections and words go. Whether
// haproxy would take it is for haproxy to say.
func statements(text string) []statement {
	var all []statement
	section := ""
	for i, line := range strings.Split(text, "\n") {
		words := split(line)
		if len(words) == 0 {
			continue
		}
		if sections[words[0]] {
			section = words[0]
		}
		all = append(all, statement{section, i + 1, words})
	}
	return all
}
