package lab

import "testing"

func TestADiskIsFullAndKeptOverAPowerCycle(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1"}, sleeper).OnDisks(4))
	write := "echo kept > /var/lib/quorate/f && dd if=/dev/zero of=/var/lib/quorate/g bs=64k count=1 2>/dev/null && echo fits || echo full; rm -f /var/lib/quorate/g"
	for _, tt := range []struct {
		fault Fault
		want  string
	}{{Heal, "fits"}, {Fill, "full"}, {Heal, "fits"}, {PowerOff, ""}, {Heal, "fits"}} {
		mustFault(t, l, tt.fault, "n1")
		if tt.want == "" {
			continue
		}
		if got := run(t, l, "n1", "sh", "-c", write); got != tt.want {
			t.Errorf("after %s a file of 64 KiB: %s, want %s", tt.fault, got, tt.want)
		}
		if got := run(t, l, "n1", "cat", "/var/lib/quorate/f"); got != "kept" && tt.fault != Fill {
			t.Errorf("after %s: got %q", tt.fault, got)
		}
	}
	if _, err := l.Fault(t.Context(), Fill, ClientName); err == nil {
		t.Error("a disk of the machine's own was filled")
	}
}
