package ocf

import (
	"bytes"
	"cmp"
	"io"
	"strings"
	"sync"
)

// mostMetadata bounds what is kept of the beginning of an output: what a script
// says of itself. A script that says more has said too much.
const mostMetadata = 1 << 20

// head keeps the beginning of what is written to it.
type head struct{ kept bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.kept.Write(p[:min(len(p), mostMetadata-h.kept.Len())])
	return len(p), nil
}

func (h *head) bytes() []byte { return h.kept.Bytes() }

// both writes to two writers that never fail.
type both struct{ a, b io.Writer }

func (w both) Write(p []byte) (int, error) {
	if _, err := w.a.Write(p); err != nil {
		return 0, err
	}
	return w.b.Write(p)
}

// oneAtATime is written to by both streams of a script.
type oneAtATime struct {
	mu sync.Mutex
	to io.Writer
}

func (w *oneAtATime) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// longestWords is how much is kept of a line, in bytes.
const longestWords = 500

// exitReason begins the line in which a script says why it failed (OCF Resource
// Agent API 1.1, ocf_exit_reason).
const exitReason = "ocf-exit-reason:"

// Streams of a script.
const (
	quiet = iota // standard output
	loud         // standard error, which has the better last words
)

// logged begins what scripts log as an error (ocf_log), after the time and a tag.
const logged = "ERROR: "

// A tail keeps the last words of a script: the last line of each stream that is
// not blank, the last error that it logged, and the last reason that it gave. The
// shell's own complaints often come after those.
type tail struct {
	mu     sync.Mutex
	lines  [2][]byte
	error  []byte
	reason []byte
}

// stream returns where one of the streams is written to.
func (t *tail) stream(which int) io.Writer { return &stream{tail: t, which: which} }

// last returns the best of the last words, in one line.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cmp.Or(oneLine(string(t.reason)), oneLine(string(t.error)), oneLine(string(t.lines[loud])), oneLine(string(t.lines[quiet])))
}

func (t *tail) hear(which int, line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, reason, found := bytes.Cut(line, []byte(exitReason)); found {
		t.reason = append(t.reason[:0], reason...)
		return
	}
	if _, text, found := bytes.Cut(line, []byte(logged)); found {
		t.error = append(t.error[:0], text...)
	}
	t.lines[which] = append(t.lines[which][:0], line...)
}

// A stream takes lines apart. Of a line that does not end it hears the beginning.
type stream struct {
	tail  *tail
	which int
	line  []byte
}

func (s *stream) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(s.line) == 0 {
			p = bytes.TrimLeft(p, "\r\n\t ") // blank lines, of which there may be many
		}
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		s.line = append(s.line, line[:min(len(line), longestWords-len(s.line))]...)
		s.tail.hear(s.which, s.line)
		if ended {
			s.line = s.line[:0]
		}
		p = rest
	}
	return n, nil
}

// oneLine makes one line of a text, of printable characters.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
