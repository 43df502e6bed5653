// Package grammar turns the words of pcs's command line into edits of the
// cluster's configuration, and a configuration back into words.
//
// It is pure: words in, messages or an [*Error] out; no file, network or clock.
// It knows only how a command is written. Whether a resource, a node or an
// option exists is for the cluster to say.
package grammar

import (
	"fmt"
	"slices"
	"strings"
)

// An Error says what is wrong with the words, and what would be right.
type Error struct {
	Problem string // quotes the word
	Fix     string // optional
}

func (e *Error) Error() string {
	if e.Fix == "" {
		return e.Problem
	}
	return e.Problem + "; " + e.Fix
}

// Errorf returns an [*Error] without a fix.
func Errorf(format string, args ...any) *Error {
	return &Error{Problem: fmt.Sprintf(format, args...)}
}

// With returns e with a fix.
func (e *Error) With(format string, args ...any) *Error {
	return &Error{Problem: e.Problem, Fix: fmt.Sprintf(format, args...)}
}

// A Pair is one NAME=VALUE.
type Pair struct{ Name, Value string }

// SplitPair splits NAME=VALUE. What names the kind of pair for the error, as in
// "parameter".
func SplitPair(what, word string) (Pair, error) {
	name, value, ok := strings.Cut(word, "=")
	if !ok {
		return Pair{}, Errorf("%q is not a %s", word, what).With("write NAME=VALUE")
	}
	if name == "" {
		return Pair{}, Errorf("%q has no name before the =", word).With("write NAME=VALUE")
	}
	return Pair{name, value}, nil
}

// Pairs splits words that must all be NAME=VALUE with different names.
func Pairs(what string, words []string) ([]Pair, error) {
	pairs := make([]Pair, 0, len(words))
	for _, word := range words {
		p, err := SplitPair(what, word)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(pairs, func(q Pair) bool { return q.Name == p.Name }) {
			return nil, Errorf("%s %q is given twice", what, p.Name)
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// SetAndUnset splits pairs as pcs reads them: an empty value removes.
func SetAndUnset(what string, words []string) (set map[string]string, unset []string, err error) {
	pairs, err := Pairs(what, words)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pairs {
		if p.Value == "" {
			unset = append(unset, p.Name)
			continue
		}
		put(&set, p.Name, p.Value)
	}
	return set, unset, nil
}

// put sets a key of a map that may not exist yet.
func put(m *map[string]string, name, value string) {
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[name] = value
}

// options reads pairs of which only the known names are allowed.
func options(what string, words []string, known ...string) (map[string]string, error) {
	pairs, err := Pairs(what+" option", words)
	if err != nil {
		return nil, err
	}
	read := make(map[string]string, len(pairs))
	for _, p := range pairs {
		if !slices.Contains(known, p.Name) {
			return nil, Errorf("%s option %q is not known", what, p.Name).
				With("known are %s", strings.Join(known, ", "))
		}
		read[p.Name] = p.Value
	}
	return read, nil
}

// parseBool reads true or false as pcs does.
func parseBool(name, word string) (bool, error) {
	switch strings.ToLower(word) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, Errorf("%s: %q is neither true nor false", name, word)
}
