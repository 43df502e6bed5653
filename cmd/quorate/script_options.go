package main

import (
	"slices"
	"strings"
)

// An option is one that a command for scripts knows, by all its names: letters
// and words.
type option struct {
	names    []string // the first is what it is called here
	value    bool     // it needs one
	optional bool     // it may have one, joined to it
	ignored  bool     // it means nothing here
}

type options []option

// given is what a command was given.
type given struct {
	values map[string][]string // by the first name of the option, in order
	words  []string            // beside options
}

// has reports whether an option was given.
func (g *given) has(name string) bool { return len(g.values[name]) > 0 }

// last returns the last value of an option; empty: there is none.
func (g *given) last(name string) string {
	list := g.values[name]
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func (o options) find(name string) *option {
	i := slices.IndexFunc(o, func(o option) bool { return slices.Contains(o.names, name) })
	if i < 0 {
		return nil
	}
	return &o[i]
}

// parse reads a command line as getopt_long(3) does: letters may be joined, and
// values be joined to their options or follow them.
func (o options) parse(words []string) (*given, error) {
	g := &given{values: make(map[string][]string)}
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		var err error
		switch {
		case word == "--":
			g.words = append(g.words, words...)
			return g, nil
		case strings.HasPrefix(word, "--"):
			words, err = o.long(g, word[2:], words)
		case len(word) > 1 && word[0] == '-':
			words, err = o.letters(g, word[1:], words)
		default:
			g.words = append(g.words, word)
		}
		if err != nil {
			return nil, scriptError{err, exitUsage}
		}
	}
	return g, nil
}

func (o options) long(g *given, word string, rest []string) ([]string, error) {
	name, value, joined := strings.Cut(word, "=")
	known := o.find(name)
	switch {
	case known == nil || len(name) == 1:
		return nil, badUsage("--%s is not known to this command", name)
	case known.value && !joined:
		return o.following(g, known, rest)
	case joined && !known.value && !known.optional:
		return nil, badUsage("--%s takes no value", name)
	}
	g.take(known, value)
	return rest, nil
}

func (o options) letters(g *given, word string, rest []string) ([]string, error) {
	for i := range len(word) {
		known := o.find(word[i : i+1])
		switch {
		case known == nil:
			return nil, badUsage("-%c is not known to this command", word[i])
		case (known.value || known.optional) && i+1 < len(word):
			g.take(known, strings.TrimPrefix(word[i+1:], "="))
			return rest, nil
		case known.value:
			return o.following(g, known, rest)
		}
		g.take(known, "")
	}
	return rest, nil
}

func (o options) following(g *given, known *option, rest []string) ([]string, error) {
	if len(rest) == 0 {
		return nil, badUsage("%s needs a value", known.names[0])
	}
	g.take(known, rest[0])
	return rest[1:], nil
}

func (g *given) take(known *option, value string) {
	if !known.ignored {
		g.values[known.names[0]] = append(g.values[known.names[0]], value)
	}
}
