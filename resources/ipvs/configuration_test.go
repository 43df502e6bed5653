package ipvs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"quorate/resources/check"
)

// table writes services as a table is read: a line each, and one for each server.
func table(services []Service) string {
	var b strings.Builder
	for _, s := range services {
		fmt.Fprintf(&b, "%s %s", s.Key, s.Scheduler)
		if s.Flags&Persistent != 0 {
			fmt.Fprintf(&b, " persistent=%d/%d", s.Timeout, s.Mask)
		}
		if f := s.Flags &^ Persistent; f != 0 {
			fmt.Fprintf(&b, " flags=%#x", uint32(f))
		}
		b.WriteString("\n")
		for _, r := range s.Servers {
			fmt.Fprintf(&b, "  %s %s %d", r.Address, r.Method, r.Weight)
			if r.Upper > 0 {
				fmt.Fprintf(&b, " %d-%d", r.Lower, r.Upper)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func TestAConfigurationSaysWhatIsBalanced(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{
			"in one line", "virtual 10.0.0.1:80; real 10.0.0.21; real 10.0.0.22:8080 weight=3",
			"tcp 10.0.0.1:80 wlc\n  10.0.0.21:80 nat 1\n  10.0.0.22:8080 nat 3\n",
		},
		{
			"as the LVS tutorial has it", `
				# two web servers
				virtual 10.0.0.1:80 scheduler=rr persistent=2h forward=direct
				    real 10.0.0.22   # the order is the kernel's
				    real 10.0.0.21
				    sorry 127.0.0.1`,
			"tcp 10.0.0.1:80 rr persistent=7200/32\n  10.0.0.21:80 direct 1\n  10.0.0.22:80 direct 1\n",
		},
		{
			"all that a service may have", `virtual [fd00::1]:53 protocol=udp scheduler=mh flags=one-packet,port,fallback
				real fd00::21 forward=tunnel upper=100 lower=80
				real [fd00::22]:53 forward=local weight=0`,
			"udp [fd00::1]:53 mh flags=0x1c\n  [fd00::21]:53 tunnel 1 80-100\n  [fd00::22]:53 local 0\n",
		},
		{
			"a group of services with the same servers", "virtual 10.0.0.1:80 10.0.0.1:443 fwmark:0x10 forward=gate persistent=300 netmask=255.255.255.0; real 10.0.0.21",
			"tcp 10.0.0.1:80 wlc persistent=300/24\n  10.0.0.21:80 direct 1\n" +
				"tcp 10.0.0.1:443 wlc persistent=300/24\n  10.0.0.21:443 direct 1\n" +
				"mark 16 wlc persistent=300/24\n  10.0.0.21:0 direct 1\n",
		},
		{
			"a mark of IPv6", "virtual fwmark:7 family=ipv6 scheduler=sh; real fd00::21 forward=masq",
			"mark 7 of IPv6 sh\n  [fd00::21]:0 nat 1\n",
		},
		{
			"sorry servers, when nobody else gets anything", "virtual 10.0.0.1:80; real 10.0.0.21 weight=0; sorry 10.0.0.30:8080",
			"tcp 10.0.0.1:80 wlc\n  10.0.0.21:80 nat 0\n  10.0.0.30:8080 nat 1\n",
		},
		{
			"sorry servers of all services that have none", `
				sorry 10.0.0.30; sorry 10.0.0.31 forward=nat; sorry fd00::30
				virtual 10.0.0.1:80 forward=direct; real 10.0.0.21 weight=0; virtual 10.0.0.1:81; real 10.0.0.21 weight=0; sorry 10.0.0.32
				virtual [fd00::1]:80; real fd00::21 weight=0`,
			"tcp 10.0.0.1:80 wlc\n  10.0.0.21:80 direct 0\n  10.0.0.30:80 direct 1\n  10.0.0.31:80 nat 1\n" +
				"tcp 10.0.0.1:81 wlc\n  10.0.0.21:81 nat 0\n  10.0.0.32:81 nat 1\n" +
				"tcp [fd00::1]:80 wlc\n  [fd00::21]:80 nat 0\n  [fd00::30]:80 nat 1\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := table(c.Services(nil, nil, Standing{})); got != tt.want {
				t.Errorf("Parse(%s)\n got %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestAWrongConfigurationIsRefusedWithItsLineS8(t *testing.T) {
	const web = "virtual 10.0.0.1:80\n"
	tests := []struct {
		text string
		line int
		want string
	}{
		{"real 10.0.0.21", 1, "begin with virtual"},
		{"virtual", 1, "which service?"},
		{"virtual 10.0.0.1", 1, "no address with a port"},
		{"virtual www:80", 1, "no address with a port"},
		{"virtual fwmark:0; real 10.0.0.21", 1, `"0" is no firewall mark`},
		{"virtual 10.0.0.1:80 protocol=icmp", 1, `protocol: "icmp" is unknown; it may be sctp, tcp, udp`},
		{"virtual 10.0.0.1:80 scheduler=best!", 1, "it may be rr, wrr, lc"},
		{"virtual 10.0.0.1:80 schedule=rr", 1, `option "schedule" is unknown; it knows alpha`},
		{"virtual 10.0.0.1:80 scheduler=rr scheduler=lc", 1, "given twice"},
		{"virtual 10.0.0.1:80 persistent=200ms", 1, "whole seconds"},
		{"virtual 10.0.0.1:80 netmask=24; real 10.0.0.21", 1, "is not persistent"},
		{"virtual 10.0.0.1:80 persistent=5 netmask=255.0.255.0", 1, "is no netmask"},
		{"virtual 10.0.0.1:80 persistent=5 netmask=64; real 10.0.0.21", 1, "longer than its addresses"},
		{"virtual 10.0.0.1:0; real 10.0.0.21", 1, "has to be persistent"},
		{"virtual 10.0.0.1:80 flags=one-packet; real 10.0.0.21", 1, "is for UDP"},
		{"virtual 0.0.0.0:80; real 10.0.0.21", 1, "no address of a host"},
		{"virtual 10.0.0.1:80 [fd00::1]:80; real 10.0.0.21", 1, "two families"},
		{web, 1, "has no real server"},
		{web + "reel 10.0.0.21", 2, `"reel" is no statement`},
		{web + "real", 2, "0 servers are named"},
		{web + "real www1:80", 2, "no address of a server"},
		{web + "real 10.0.0.21:0", 2, "no address of a server"},
		{web + "\nreal fd00::21", 3, "another family"},
		{web + "real 10.0.0.21:8080 forward=direct", 2, "cannot change the port"},
		{web + "real 10.0.0.21 weight=65536", 2, "between 0 and 65535"},
		{web + "real 10.0.0.21 lower=5", 2, "lower= alone"},
		{web + "real 10.0.0.21 upper=5 lower=5", 2, "is not below"},
		{web + "real 10.0.0.21\nreal 10.0.0.21", 3, "in line 2 already"},
		{web + "real 10.0.0.21\nsorry 10.0.0.21", 3, "in line 2 already"},
		{web + "real 10.0.0.21\n" + web + "real 10.0.0.22", 3, "in line 1 already"},
		{"sorry www\n" + web + "real 10.0.0.21", 1, "no address of a server"},
		{"sorry 10.0.0.21\n" + web + "real 10.0.0.21", 1, "the server 10.0.0.21 is in line 3 already"},
		{web + "real '10.0.0.21", 2, "is not closed"},
		{web + "check telepathy\nreal 10.0.0.21", 2, "check: "},
		{web + "real 10.0.0.21\nsorry 10.0.0.30\ncheck tcp", 4, "not checked"},
		{"virtual fwmark:5; check tcp; real 10.0.0.21", 1, "no port"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text)
		var line *LineError
		if !errors.As(err, &line) || line.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%q): %v; want line %d and %q", tt.text, err, tt.line, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("virtual 10.0.0.1:80 scheduler=rr\n check http path=/\n real 10.0.0.21 weight=2; sorry 10.0.0.30 # end")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err == nil {
			c.Services(nil, nil, Standing{})
			c.Questions(nil, nil)
		}
	})
}

const checked = `
	virtual 10.0.0.1:80 10.0.0.1:443 forward=direct QUIESCENT
	    check tcp
	    real 10.0.0.21
	    real 10.0.0.22 weight=5
	        check http path=/x
	        check tcp port=22
	    sorry 10.0.0.30`

func configured(t *testing.T, text string) *Configuration {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAServerServesWhileNoneOfItsChecksFails(t *testing.T) {
	tests := []struct{ name, down, want, quiescent string }{
		{"all is well", "", "21:1 22:5", "21:1 22:5"},
		{"the service's check", "21:80 tcp", "22:5", "21:0 22:5"},
		{"one of its own checks", "22:80 tcp port=22", "21:1", "21:1 22:0"},
		{"a check of another port", "21:443 tcp", "21:1 22:5", "21:1 22:5"},
		{"nobody is left", "21:80 tcp, 22:80 http path=/x", "30:1", "21:0 22:0 30:1"},
	}
	for _, tt := range tests {
		for option, want := range map[string]string{"quiescent=no": tt.want, "quiescent=yes": tt.quiescent} {
			c := configured(t, strings.Replace(checked, "QUIESCENT", option, 1))
			down := Health{}
			for _, words := range strings.FieldsFunc(tt.down, func(r rune) bool { return r == ',' }) {
				at, what, _ := strings.Cut(strings.TrimSpace(words), " ")
				q, err := check.Parse(what)
				if err != nil {
					t.Fatal(err)
				}
				down[Question{netip.MustParseAddrPort("10.0.0." + at), q}] = true
			}
			var got []string
			for _, s := range c.Services(down, nil, Standing{})[0].Servers {
				got = append(got, fmt.Sprintf("%d:%d", s.Address.Addr().As4()[3], s.Weight))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s, %s: got %v, want %s", tt.name, option, got, want)
			}
		}
	}
}

func TestAnAdoptedTableSaysWhoIsDown(t *testing.T) {
	c := configured(t, strings.Replace(checked, "QUIESCENT", "", 1))
	full := c.Services(nil, nil, Standing{})[:1] // the second service is not there yet
	short := slices.Clone(full)
	short[0].Servers = short[0].Servers[:1]
	for _, tt := range []struct {
		name  string
		found []Service
		want  string
	}{
		{"nothing there", nil, "unknown unknown unknown"},
		{"all there", full, "up up up"},
		{"one missing", short, "up down down"},
	} {
		var got []string
		for _, q := range c.Questions(tt.found, nil) {
			if q.Server.Port() == 80 {
				got = append(got, q.Assume.String())
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}
