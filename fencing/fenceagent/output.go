package fenceagent

import (
	"bytes"
	"strings"
)

// Bounds of what is kept of a program's output, in bytes.
const (
	mostOutput = 1 << 20
	mostWords  = 4 << 10
	mostLine   = 300
)

// A head keeps the beginning of what is written to it.
type head struct{ kept bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.kept.Write(p[:min(len(p), mostOutput-h.kept.Len())])
	return len(p), nil
}

func (h *head) String() string { return h.kept.String() }

// A tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-mostWords):]...)
	if more := len(t.kept) - mostWords; more > 0 {
		t.kept = append(t.kept[:0], t.kept[more:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.kept) }

// oneLine makes one line of a text, of printable characters, that is not too long.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > mostLine {
		s = strings.ToValidUTF8(s[:mostLine], "") + "…"
	}
	return s
}
