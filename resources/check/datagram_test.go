package check

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// answering is a server of datagrams on the loopback; an empty answer is none.
func answering(t *testing.T, answer func(question string) []string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			for _, a := range answer(string(buffer[:n])) {
				_, _ = conn.WriteToUDPAddrPort([]byte(a), from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestADatagramIsAnsweredOrNotRefused(t *testing.T) {
	echo := answering(t, func(q string) []string { return []string{"you said " + q} })
	mute := answering(t, func(string) []string { return nil })
	l, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	closed := l.LocalAddr().(*net.UDPAddr).AddrPort()
	l.Close()
	tests := []struct {
		check string
		at    netip.AddrPort
		want  string
	}{
		{"udp", echo, "ok it answered"},
		{"udp request=hello receive=hell.", echo, "ok it answered"},
		{"udp request=hello receive=bye", echo, `it answered "you said hello"`},
		{"udp timeout=100ms", mute, "ok it was not refused"},
		{"udp timeout=100ms receive=.", mute, "it did not answer in time"},
		{"udp", closed, "connection refused"},
	}
	for _, tt := range tests {
		text, err := ask(t, tt.check, tt.at)
		wants(t, text, err, tt.want)
	}
}

func TestSIPTakesTheFinalAnswerToItsQuestion(t *testing.T) {
	reply := func(status string) func(string) []string {
		return func(q string) []string {
			_, call, _ := strings.Cut(q, "Call-ID: ")
			call, _, _ = strings.Cut(call, "\r\n")
			return []string{
				"SIP/2.0 500 Other\r\nCall-ID: another\r\n\r\n", "garbage",
				"SIP/2.0 100 Trying\r\nCall-ID: " + call + "\r\n\r\n",
				"SIP/2.0 " + status + "\r\ni: " + call + "\r\n\r\n",
			}
		}
	}
	text, err := ask(t, "sip", answering(t, reply("200 OK")))
	wants(t, text, err, "ok 200 OK")
	text, err = ask(t, "sip login=me@example.com", answering(t, reply("503 Service Unavailable")))
	wants(t, text, err, "it answered 503 Service Unavailable")
}

// zone answers for one name.
func zone(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	switch name := q.Question[0]; {
	case name.Name == "www.example.com." && name.Qtype == dns.TypeA:
		r, _ := dns.NewRR("www.example.com. 60 A 192.0.2.7")
		m.Answer = append(m.Answer, r)
	case name.Name == "www.example.com.":
	case name.Name == "long.example.com.":
		if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
			m.Truncated = true
		} else {
			r, _ := dns.NewRR("long.example.com. 60 A 192.0.2.8")
			m.Answer = append(m.Answer, r)
		}
	case name.Name == ".":
	default:
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m)
}

func TestDNSIsAskedForRecords(t *testing.T) {
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := net.Listen("tcp", packets.LocalAddr().String())
	if err != nil {
		t.Skipf("the port of the same number is taken: %v", err)
	}
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: dns.HandlerFunc(zone)}, {Listener: streams, Handler: dns.HandlerFunc(zone)}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	at := packets.LocalAddr().(*net.UDPAddr).AddrPort()
	tests := []struct{ check, want string }{
		{"dns", "ok it answered"},
		{"dns request=www.example.com", "ok it answered"},
		{"dns request=www.example.com receive=192.0.2.7", "ok the answer matches"},
		{"dns request=www.example.com receive=192.0.2.9", "no record of the answer matches"},
		{"dns request=www.example.com type=aaaa", "it knows no AAAA of www.example.com"},
		{"dns request=mail.example.com", "it answered NXDOMAIN"},
		{"dns request=long.example.com receive=192.0.2.8", "ok the answer matches"},
	}
	for _, tt := range tests {
		t.Run(tt.check, func(t *testing.T) {
			text, err := ask(t, tt.check, at)
			wants(t, text, err, tt.want)
		})
	}
}

func TestARequestMayHoldAnyByte(t *testing.T) {
	tests := []struct{ text, want string }{
		{`PING\r\n`, "PING\r\n"},
		{`a\tb\\n`, "a\tb\\n"},
		{`\x00\xffz`, "\x00\xffz"},
		{`\xzz \q \`, `\xzz \q \`},
		{`\x4`, "\x04"},
	}
	for _, tt := range tests {
		if got := unescape(tt.text); got != tt.want {
			t.Errorf("unescape(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}
