package lvs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"quorate/resources/check"
)

// script reads a vrrp_script (keepalived.conf(5), "VRRP script(s)").
func (t *keepalived) script(k *tracker) (problem string) {
	k.id = "health-" + named(k.d.word(1))
	s := k.d.last("script")
	if s == nil || s.word(1) == "" {
		return "it has no script"
	}
	command, note, problem := commandOf(s.rest())
	if problem != "" {
		return problem
	}
	t.take(s)
	if note != "" {
		t.approximate(s, note)
	}
	interval := milliseconds(k.d.last("interval"), 1)
	words := []string{
		"program", "command=" + command, "interval=" + interval, "timeout=" + milliseconds(k.d.last("timeout"), seconds(k.d.last("interval"), 1)),
		"rise=" + times(k.d.last("rise"), 0), "fall=" + times(k.d.last("fall"), 0),
	}
	k.weight = t.ownWeight(k.d, 0)
	t.take(k.d.last("interval"), k.d.last("timeout"), k.d.last("rise"), k.d.last("fall"))
	t.leaveNamed(k.d, "user", "programs run as the agent")
	for _, d := range k.d.find("init_fail") {
		t.approximate(d, "a node is not tried before the first answer")
	}
	return k.says(words)
}

// process reads a vrrp_track_process.
func (t *keepalived) process(k *tracker) (problem string) {
	k.id = "process-" + named(k.d.word(1))
	p := k.d.last("process")
	if p == nil || p.word(1) == "" {
		return "it has no process"
	}
	var command []string
	for _, w := range p.rest() {
		quoted, ok := quoted(w)
		if !ok {
			return fmt.Sprintf("%s has both kinds of quotes", w)
		}
		command = append(command, quoted)
	}
	t.take(p)
	if len(command) > 1 && k.d.last("param_match") == nil {
		t.approximate(p, "it may have more parameters")
	}
	words := []string{"process", "command=" + strings.Join(command, " "), "interval=1s", "timeout=1s"}
	for name, ours := range map[string]string{"quorum": "least", "quorum_max": "most"} {
		if d := k.d.last(name); d != nil {
			words = append(words, ours+"="+d.word(1))
			t.take(d)
		}
	}
	words = append(words, "rise="+t.delayed(k, "fork_delay"), "fall="+t.delayed(k, "terminate_delay"))
	for _, d := range k.d.find("param_match") {
		t.take(d)
		if d.word(1) != "partial" {
			t.approximate(d, "each parameter that is named has to be the same, and there may be more")
		}
	}
	t.take(k.d.last("full_command"))
	k.weight = t.ownWeight(k.d, 1)
	return k.says(words)
}

// delayed says a delay as answers in a row, of which there is one a second.
func (t *keepalived) delayed(k *tracker, name string) string {
	d := k.d.last(name)
	if d == nil {
		d = k.d.last("delay")
	}
	if d != nil {
		t.approximate(d, "to whole seconds")
	}
	return times(d, 1)
}

// trackFile reads a track_file.
func (t *keepalived) trackFile(k *tracker) (problem string) {
	k.id, k.file = "file-"+named(k.d.word(1)), true
	f := k.d.last("file")
	if f == nil || !strings.HasPrefix(f.word(1), "/") {
		return "it has no file with a path that begins with /"
	}
	t.take(f)
	k.parameters["file"] = f.word(1)
	k.weight = t.ownWeight(k.d, 1)
	for _, d := range k.d.find("init_file") {
		t.approximate(d, "the file is not written; one that is not there counts as 0")
	}
	return ""
}

// ownWeight is the weight of a tracker where what tracks it gives none.
func (t *keepalived) ownWeight(d *Directive, otherwise int) weight {
	w := d.last("weight")
	if w == nil {
		return weight{n: otherwise}
	}
	t.take(w)
	return weightOf(w.rest())
}

// says makes words the check.
func (k *tracker) says(words []string) (problem string) {
	c, err := check.ParseWords(words)
	if err != nil {
		return "its check cannot be said: " + err.Error()
	}
	k.parameters["check"] = c.String()
	return ""
}

// commandOf is the command of a script: keepalived finds a program that is named
// without its path, and its versions before 2 gave the line to a shell.
func commandOf(words []string) (command, note, problem string) {
	text := words[0]
	for _, w := range words[1:] {
		q, ok := quoted(w)
		if !ok {
			return "", "", fmt.Sprintf("%s has both kinds of quotes", w)
		}
		text += " " + q
	}
	text = strings.TrimSpace(text)
	if strings.ContainsAny(outsideQuotes(text), "|&;<>()$`*?~\\") {
		q, ok := quoted(text)
		if !ok {
			return "", "", "it is for a shell, and has both kinds of quotes: put it into a file"
		}
		return "/bin/sh -c " + q, shellNote, ""
	}
	if !strings.HasPrefix(text, "/") {
		return "/usr/bin/env " + text, "it is looked for in PATH", ""
	}
	return text, "", ""
}

// shellNote is the note on a line with signs of a shell.
const shellNote = "it is given to a shell"

// outsideQuotes is what stands outside of quotes.
func outsideQuotes(text string) string {
	var b strings.Builder
	var open rune
	for _, r := range text {
		switch {
		case open == r:
			open = 0
		case open != 0:
		case r == '\'' || r == '"':
			open = r
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// quoted is a word for a command: in quotes if it has to be.
func quoted(word string) (text string, ok bool) {
	switch {
	case word != "" && !strings.ContainsAny(word, " \t'\""):
		return word, true
	case !strings.Contains(word, "'"):
		return "'" + word + "'", true
	case !strings.Contains(word, `"`):
		return `"` + word + `"`, true
	}
	return "", false
}

// seconds is a time that a directive has, which may have a fraction.
func seconds(d *Directive, otherwise float64) float64 {
	if d == nil {
		return otherwise
	}
	f, err := strconv.ParseFloat(d.word(1), 64)
	if err != nil || f <= 0 || f > 86400 {
		return otherwise
	}
	return f
}

func milliseconds(d *Directive, otherwise float64) string {
	return strconv.Itoa(max(10, int(math.Round(seconds(d, otherwise)*1000)))) + "ms"
}

// times is a number of answers in a row.
func times(d *Directive, more int) string {
	return strconv.Itoa(min(999, int(math.Ceil(seconds(d, 1-float64(more))))+more))
}
