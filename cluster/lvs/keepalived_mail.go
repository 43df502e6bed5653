package lvs

import (
	"fmt"
	"net"
	"slices"
	"strconv"
)

// noRecipient is why no mail is sent that is asked for.
const noRecipient = "global_defs has no notification_email"

// A mailer is what global_defs says of mail, for both kinds of it.
type mailer struct {
	made                     []*Directive
	options, meta            map[string]string
	recipients               []string
	addresses, virtual, real bool // whether they ask for it by default
}

// mailing is an alert of one kind that says what global_defs does.
func (m *mailer) mailing(id, kind string) mailing {
	return mailing{id: id, of: m.made, choice: []string{kind}, options: m.options, meta: m.meta, recipients: m.recipients}
}

// mail makes alerts of smtp_alert: of instances about their first addresses, so that a
// move is one mail, and of virtual and real servers about the directors.
func (t *keepalived) mail(file *Directive) {
	m := t.mailer(file)
	addresses, servers := m.mailing("mail-addresses", "resource"), m.mailing("mail-servers", "server")
	for _, in := range t.instances {
		if in.directive != nil {
			t.addressMails(m, in.directive, in, &addresses)
		}
		for _, d := range in.made {
			if t.serverMails(m, d, &servers) && !slices.Contains(servers.resources, in.director()) {
				servers.resources = append(servers.resources, in.director())
			}
		}
	}
	for _, d := range file.find("vrrp_sync_group") {
		if of := t.instancesOf(d); len(of) > 0 {
			t.addressMails(m, d, of[0], &addresses)
		}
	}
	if len(addresses.resources)+len(servers.resources) == 0 {
		for _, d := range m.made {
			t.leave(d, "nothing asks for mail: there is no smtp_alert")
		}
		return
	}
	t.offerMail(addresses)
	t.offerMail(servers)
}

// mailer reads global_defs. A virtual server asks for no mail by default, and a real
// server does (keepalived.conf(5), "smtp_alert").
func (t *keepalived) mailer(file *Directive) *mailer {
	m := &mailer{options: make(map[string]string), meta: make(map[string]string), real: true}
	for _, defs := range file.find("global_defs") {
		for _, block := range defs.find("notification_email") {
			m.made = append(m.made, block)
			t.take(block)
			for _, d := range block.Block {
				if d.holds() {
					m.recipients, m.made = append(m.recipients, d.Name()), append(m.made, d)
					t.take(d)
				}
			}
		}
		t.mailOptions(m, defs)
		for _, d := range defs.find("smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker") {
			on := !negative(d.word(1))
			if d.Name() != "smtp_alert_checker" {
				m.addresses = on
			}
			if d.Name() != "smtp_alert_vrrp" {
				m.virtual, m.real = on, on
			}
			m.made = append(m.made, d)
			t.take(d)
		}
	}
	if len(m.recipients) == 0 {
		for _, d := range m.made {
			t.leave(d, noRecipient)
		}
		m.made = nil
	}
	return m
}

func (t *keepalived) mailOptions(m *mailer, defs *Directive) {
	for name, option := range map[string]string{"notification_email_from": "from", "smtp_helo_name": "helo", "smtp_server": "server"} {
		d := defs.last(name)
		if d == nil || d.word(1) == "" {
			continue
		}
		m.options[option] = d.word(1)
		if name == "smtp_server" && d.word(2) != "" {
			m.options[option] = net.JoinHostPort(d.word(1), d.word(2))
		}
		m.made = append(m.made, d)
		t.take(d)
	}
	if d := defs.last("smtp_connect_timeout"); d != nil && number(d.word(1)) > 0 {
		m.meta["timeout"] = strconv.Itoa(min(number(d.word(1)), 600)) + "s"
		m.made = append(m.made, d)
		t.approximate(d, "of a mail as a whole")
	}
}

// addressMails has mail sent about the first address of an instance, if that or its
// sync group asks for it.
func (t *keepalived) addressMails(m *mailer, d *Directive, in *instance, to *mailing) {
	sent := m.addresses && len(m.recipients) > 0
	if s := d.last("smtp_alert"); s != nil {
		sent = t.asks(m, s, to, "a mail for each time that the addresses come to a node or fail on one")
	}
	if !sent || len(in.addresses) == 0 {
		return
	}
	if id := vipName(in.addresses[0]); !slices.Contains(to.resources, id) {
		to.resources = append(to.resources, id)
	}
}

// asks takes a smtp_alert, and reports whether mail is sent for it.
func (t *keepalived) asks(m *mailer, s *Directive, to *mailing, note string) bool {
	switch {
	case negative(s.word(1)):
		t.take(s)
		return false
	case len(m.recipients) == 0:
		t.leave(s, noRecipient)
		return false
	}
	to.of = append(slices.Clone(to.of), s)
	t.approximate(s, note)
	return true
}

// serverMails reports whether a virtual server or any of its real servers has mail
// sent. An alert is about a director as a whole.
func (t *keepalived) serverMails(m *mailer, d *Directive, to *mailing) (sent bool) {
	const note = "mail is sent for all servers of the director"
	each := func(d *Directive, otherwise bool) {
		if s := d.last("smtp_alert"); s != nil {
			sent = t.asks(m, s, to, note) || sent
			return
		}
		sent = sent || otherwise && len(m.recipients) > 0
	}
	each(d, m.virtual)
	for _, r := range d.find("real_server") {
		each(r, m.real)
	}
	return sent
}

// director is the id of the instance's director.
func (in *instance) director() string {
	if in.directive == nil {
		return directorName
	}
	return fmt.Sprintf("%s-director", in.group)
}
