package main

import (
	"strings"
	"testing"
)

func TestAHostWithoutAnAgentIsPrepared(t *testing.T) {
	tests := []struct {
		line string
		exit int
		want string // in what is printed
	}{
		{"realserver prepare --print 192.0.2.10", 0, "\nsysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2\nip address replace 192.0.2.10/32 dev lo scope host\n"},
		{"realserver prepare --print 192.0.2.10", 0, "\n#   ip address del 192.0.2.10/32 dev lo || true\n"},
		{"realserver prepare --print --undo 192.0.2.10", 0, "ip address del 192.0.2.10/32 dev lo || true\n! [ -e"},
		{"realserver prepare --print 2001:db8::10", 0, "\nip -6 address replace 2001:db8::10/128 dev lo preferred_lft 0 nodad noprefixroute\n"},
		{"realserver prepare --print 192.0.2.10 -o json", 0, `"lines": [`},
		{"realserver prepare --print web1", 2, `parameter ip: "web1" is not an address`},
		{"realserver prepare --print 192.0.2.10 --forward nat", 2, "a real server behind NAT does not have the address"},
		{"realserver prepare 192.0.2.10", 2, "add --print"},
		{"realserver prepare --print", 2, "needs more words"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			out, errOut, exit := newWorld(t).run("quorate", strings.Fields(tt.line)...)
			if exit != tt.exit || !strings.Contains(out+errOut, tt.want) {
				t.Errorf("got exit %d, %q, %q; want exit %d and %q", exit, out, errOut, tt.exit, tt.want)
			}
		})
	}
}
