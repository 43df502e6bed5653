package realserver

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"quorate/resources/internal/testlan"
)

// shell runs lines in this machine's namespace.
func shell(t *testing.T, lines []string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "sh", "-ex", "-c", strings.Join(lines, "\n"))
	c.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestTheShellLinesMakeAHostARealServerAndUndoIt(t *testing.T) {
	testlan.Need(t)
	for _, program := range []string{"ip", "sysctl"} {
		if _, err := exec.LookPath(program); errors.Is(err, exec.ErrNotFound) {
			t.Skipf("needs %s (packages iproute2 and procps)", program)
		}
	}
	l := newLAN(t)
	p, err := Prepare(map[string]string{"ip": "10.9.0.100 fd09::100"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(kept) })
	for range 2 { // the second time changes nothing
		shell(t, p.Lines)
		l.serves(t, true, "prepared")
		l.silent(t, "prepared")
	}
	for range 2 {
		shell(t, p.Undo)
		l.serves(t, false, "undone")
		setting(t, "all/arp_ignore", "0")
		setting(t, "all/arp_announce", "0")
	}
}

func TestTheLinesForATunnel(t *testing.T) {
	p, err := Prepare(map[string]string{"ip": "192.0.2.10", "forward": "tunnel", "nic": "eth0.5"})
	if err != nil {
		t.Fatal(err)
	}
	want := `modprobe ipip
ip link set tunl0 up
ip address replace 169.254.87.87/32 dev tunl0 scope host
[ -e /run/quorate-realserver.sysctl ] || sysctl net.ipv4.conf.eth0/5.arp_ignore net.ipv4.conf.eth0/5.arp_announce net.ipv4.conf.tunl0.rp_filter > /run/quorate-realserver.sysctl
sysctl -q -w net.ipv4.conf.eth0/5.arp_ignore=1 net.ipv4.conf.eth0/5.arp_announce=2 net.ipv4.conf.tunl0.rp_filter=2
ip address replace 192.0.2.10/32 dev lo scope host`
	if got := strings.Join(p.Lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
