package check

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestPing(t *testing.T) {
	if c, err := net.DialIP("ip4:icmp", nil, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}); errors.Is(err, os.ErrPermission) {
		t.Skip("NOT TESTED: pings take CAP_NET_RAW; run the tests as root, or in a user namespace (unshare -rn)")
	} else if err == nil {
		c.Close()
	}
	text, err := ask(t, "ping", netip.MustParseAddrPort("127.0.0.1:80"))
	wants(t, text, err, "ok it answered")
	text, err = ask(t, "ping address=127.9.9.9", netip.MustParseAddrPort("[::1]:80"))
	wants(t, text, err, "ok it answered")
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		text, err = ask(t, "ping", netip.MustParseAddrPort("[::1]:80"))
		if err != nil && !strings.Contains(err.Error(), "cannot assign") && !strings.Contains(err.Error(), "unreachable") {
			wants(t, text, err, "ok it answered")
		}
	}
}
