package lvs

import (
	"slices"
	"strings"
)

// mailDirectives are what ldirectord says of mail.
var mailDirectives = []string{"emailalert", "emailalertfrom", "emailalertfreq", "emailalertstatus", "smtp"}

// A served alert is not the director's, so that an ldirectord.cf that is served as it
// is tells of it only.
const mailElsewhere = "a director sends no mail by itself: make an alert with \"quorate alert create path=mail\""

// mail makes an alert of emailalert. It is about all servers of the director; where
// services say different things of it, the file's own words count, else the first's.
func (t *ldirectord) mail(made []*Directive) {
	m := mailing{id: "mail-" + directorName, choice: []string{"server"}, options: make(map[string]string), resources: []string{directorName}}
	blocks := append([]*Directive{t.globals}, made...)
	for _, name := range mailDirectives {
		var counts *Directive
		for _, b := range blocks {
			d := b.last(name)
			t.overridden(b, name)
			switch {
			case d == nil:
			case counts == nil:
				counts = d
				t.mailWord(&m, d)
			case d.word(1) == counts.word(1):
				t.entries[d].Verdict, t.entries[d].Note = t.entries[counts].Verdict, t.entries[counts].Note
				m.of = append(m.of, d)
			default:
				t.leave(d, "one alert is about all services: make another one with \"quorate alert create path=mail\"")
			}
		}
	}
	if len(m.recipients) == 0 {
		for _, d := range m.of {
			t.leave(d, "there is no emailalert, or it is never to be sent")
		}
		return
	}
	t.offerMail(m)
}

// mailWord reads one directive.
func (t *ldirectord) mailWord(m *mailing, d *Directive) {
	value := strings.Trim(d.word(1), `"`)
	m.of = append(m.of, d)
	switch d.Name() {
	case "emailalert":
		m.recipients = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
		t.take(d)
	case "emailalertfrom":
		m.options["from"] = value
		t.take(d)
	case "smtp":
		m.options["server"] = value
		t.take(d)
	case "emailalertfreq":
		t.leave(d, "an alert is sent once for each change; \"quorate status\" shows what is still down")
	case "emailalertstatus":
		t.take(d)
		words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
		switch {
		case slices.Contains(words, "all"):
		case slices.Contains(words, "running"):
			t.approximate(d, "mail is sent whenever a server comes or goes: starts and stops of a director are no news of its servers")
		default:
			m.recipients = nil
			t.leave(d, "a director tells of its servers while it runs, and at no other time")
		}
	}
}

// fallbackCommand reads what is run when no real server is left, and when one is back.
// It is told which of the two, and the service.
func (t *ldirectord) fallbackCommand(o options, v *Virtual) {
	d := o.virtual.last("fallbackcommand")
	if d == nil {
		d = t.globals.last("fallbackcommand")
	}
	if d == nil {
		return
	}
	command, _, problem := commandOf([]string{strings.Trim(d.word(1), `"`)})
	if problem == "" && strings.HasPrefix(command, "/bin/sh -c ") {
		problem = "it is for a shell, which takes no arguments: put it into a file"
	}
	if problem != "" {
		t.leave(d, problem)
		return
	}
	told := " " + v.who() + ":" + v.port() + " " + v.Protocol
	v.Up, v.Down = command+" stop"+told, command+" start"+told
	t.overridden(o.virtual, "fallbackcommand")
	t.approximate(d, "it runs as the agent")
}
