package grammar

import (
	"slices"
	"strconv"
	"strings"
)

// Infinity is the highest score; -Infinity is the lowest (Pacemaker Explained,
// "Scores").
const Infinity = 1_000_000

// Minus stands for the hyphen of a negative score on its way through a parser
// of flags, which would take "-INFINITY" for one. People paste it from web pages
// too.
const Minus = "\u2212"

// ParseScore reads a whole number, INFINITY or -INFINITY. Numbers beyond the
// infinities are the infinities.
func ParseScore(word string) (int64, error) {
	digits, negative := strings.CutPrefix(word, "-")
	if !negative {
		digits, negative = strings.CutPrefix(word, Minus)
	}
	if !negative {
		digits = strings.TrimPrefix(word, "+")
	}
	score, ok := magnitude(digits)
	if !ok {
		return 0, Errorf("score %q is not a number or INFINITY", word).
			With("write a whole number, INFINITY or -INFINITY")
	}
	if negative {
		return -score, nil
	}
	return score, nil
}

// magnitude reads a score without its sign.
func magnitude(digits string) (int64, bool) {
	if strings.EqualFold(digits, "INFINITY") || strings.EqualFold(digits, "INF") {
		return Infinity, true
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return Infinity, true // only digits: too many of them
	}
	return min(n, Infinity), true
}

// FormatScore writes a score as people do.
func FormatScore(score int64) string {
	switch {
	case score >= Infinity:
		return "INFINITY"
	case score <= -Infinity:
		return "-INFINITY"
	}
	return strconv.FormatInt(score, 10)
}

// ProtectScores returns the words of a constraint command with the hyphen of
// every negative score replaced by [Minus], up to a "--". Other commands have
// no scores that stand alone, and are returned as they are.
func ProtectScores(words []string) []string {
	if !slices.Contains(words, "constraint") {
		return words
	}
	protected := make([]string, 0, len(words))
	for i, word := range words {
		if word == "--" {
			return append(protected, words[i:]...)
		}
		if rest, ok := strings.CutPrefix(word, "-"); ok {
			if _, isScore := magnitude(rest); isScore {
				word = Minus + rest
			}
		}
		protected = append(protected, word)
	}
	return protected
}
