package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// dnsProbe asks for records of a name, the root's SOA unless a check says
// otherwise (as keepalived.conf(5), DNS_CHECK).
// With a name it wants at least one. A truncated answer is asked for again over TCP.
func dnsProbe(c Check) (probe, error) {
	receive, err := pattern(c.Receive)
	if err != nil {
		return nil, err
	}
	name, kind := ".", "SOA"
	if c.Request != "" {
		name, kind = c.Request, "A"
	}
	if c.Type != "" {
		kind = strings.ToUpper(c.Type)
	}
	number, ok := dns.StringToType[kind]
	if !ok {
		return nil, fmt.Errorf("type=%s: it is no type of DNS records, as A, AAAA, MX or SOA are", c.Type)
	}
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, fmt.Errorf("request=%s: it is not a domain name", name)
	}
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		question := new(dns.Msg)
		question.SetQuestion(dns.Fqdn(name), number)
		answer, err := c.exchange(ctx, question, at)
		if err != nil {
			return "", err
		}
		switch {
		case answer.Rcode != dns.RcodeSuccess:
			return "", fmt.Errorf("it answered %s", dns.RcodeToString[answer.Rcode])
		case receive == nil && c.Request == "":
			return "it answered", nil
		case len(answer.Answer) == 0:
			return "", fmt.Errorf("it knows no %s of %s", kind, name)
		case receive == nil:
			return "it answered", nil
		}
		for _, record := range answer.Answer {
			if receive.MatchString(record.String()) {
				return "the answer matches", nil
			}
		}
		return "", fmt.Errorf("no record of the answer matches %q", receive)
	}, nil
}

func (c Check) exchange(ctx context.Context, question *dns.Msg, at netip.AddrPort) (*dns.Msg, error) {
	for _, network := range []string{"udp", "tcp"} {
		answer, err := c.exchangeOver(ctx, network, question, at)
		if err != nil || !answer.Truncated {
			return answer, err
		}
	}
	return nil, errors.New("its answer is too long for TCP, too")
}

// exchangeOver waits for the answer with the question's number.
func (c Check) exchangeOver(ctx context.Context, network string, question *dns.Msg, at netip.AddrPort) (*dns.Msg, error) {
	raw, err := c.dial(ctx, network, at)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	defer during(ctx, raw)()
	conn := dns.Conn{Conn: raw, UDPSize: dns.DefaultMsgSize}
	if err := conn.WriteMsg(question); err != nil {
		return nil, err
	}
	for {
		answer, err := conn.ReadMsg()
		if err != nil {
			return nil, hungUp(err)
		}
		if answer.Id == question.Id && answer.Response {
			return answer, nil
		}
	}
}
