package fencing

import "strings"

// Plugs reads what a device lists: "plug,alias" or "plug" a line.
func Plugs(text string) []string {
	var plugs []string
	for line := range strings.Lines(text) {
		for word := range strings.SplitSeq(strings.TrimSpace(line), ",") {
			if word = strings.TrimSpace(word); word != "" {
				plugs = append(plugs, word)
			}
		}
	}
	return plugs
}
