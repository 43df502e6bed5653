package lvs

import (
	"fmt"
	"strings"

	"quorate/cluster/adoption"
	"quorate/resources/ipvs"
)

// ServeLdirectord says an ldirectord.cf in the words of a director that serves from
// it for as long as it is there, in place of ldirectord. The error is a
// [*SyntaxError], or says that nothing can be served.
func ServeLdirectord(name string, data []byte) (*ipvs.Translation, error) {
	f, err := ParseLdirectord("", name, data)
	if err != nil {
		return nil, err
	}
	t := &ldirectord{translation: newTranslation([]*File{f})}
	list, made := t.services(f)
	served := &ipvs.Translation{}
	if d := t.globals.last("autoreload"); d != nil {
		t.take(d)
		t.overridden(t.globals, "autoreload")
		served.Reload = d.word(1) == "yes"
	}
	for _, block := range append([]*Directive{t.globals}, made...) {
		for _, name := range mailDirectives {
			t.leaveNamed(block, name, mailElsewhere)
		}
	}
	for i, v := range list {
		for _, l := range v.lines() {
			of := l.of
			if of == nil {
				of = made[i]
			}
			served.Text += l.text + "\n"
			served.Lines = append(served.Lines, of.Line)
		}
	}
	served.Notes = t.notes()
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no virtual service of it can be served%s", name, why(served.Notes))
	}
	return served, nil
}

// notes are what is to be said of the directives that are not served as they are.
func (t *ldirectord) notes() (list []string) {
	for _, d := range t.order {
		e := t.entries[d]
		if e.Verdict == adoption.Taken {
			continue
		}
		list = append(list, fmt.Sprintf("%s:%d: %s: %s: %s", d.File, d.Line, d.Name(), e.Verdict, e.Note))
	}
	return list
}

func why(notes []string) string {
	if len(notes) == 0 {
		return ": there is none in it"
	}
	return ": " + strings.Join(notes, "; ")
}
