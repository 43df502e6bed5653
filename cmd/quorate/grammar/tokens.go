package grammar

import (
	"strings"
	"unicode"
)

// A token is a word of a rule's expression. A literal one was quoted, so that it
// is a name or a value and no word of the grammar.
type token struct {
	text    string
	literal bool
}

// tokens splits words into those of an expression: also at spaces and
// parentheses, but not in quotes. So one word may be a whole expression.
func tokens(words []string) ([]token, error) {
	var list []token
	for _, word := range words {
		for rest := word; rest != ""; {
			t, after, err := firstToken(rest)
			if err != nil {
				return nil, err
			}
			if t.text != "" || t.literal {
				list = append(list, t)
			}
			rest = after
		}
	}
	return list, nil
}

const quotes = `"'`

func firstToken(s string) (t token, rest string, err error) {
	switch {
	case unicode.IsSpace(rune(s[0])):
		return t, s[1:], nil
	case s[0] == '(' || s[0] == ')':
		return token{text: s[:1]}, s[1:], nil
	case strings.Contains(quotes, s[:1]):
		text, rest, closed := strings.Cut(s[1:], s[:1])
		if !closed {
			return t, "", Errorf("%s has a quote that does not end", s).With("write %s at its end", s[:1])
		}
		return token{text, true}, rest, nil
	}
	n := strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' })
	if n < 0 {
		n = len(s)
	}
	text := s[:n]
	if number, ok := strings.CutPrefix(text, Minus); ok {
		text = "-" + number // see ProtectScores
	}
	return token{text: text}, s[n:], nil
}
