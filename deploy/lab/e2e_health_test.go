package lab

import "testing"

// TestE2EHealth lets a program on each node decide where the address is: it leaves a
// node whose program fails, returns to none that has not passed, and a restart of the
// agent changes nothing. A node that was lost is not tried before its program has
// answered.
func TestE2EHealth(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	here := func(node string) {
		t.Helper()
		s.until(node, "the address on "+node, "ip -brief address", VIP.String())
	}
	s.play(`
		all on lvsm
		lvsm# touch /run/fine
		lvss# touch /run/fine
		lvsm# quorate resource create fine health check="program command='/usr/bin/test -e /run/fine' interval=200ms rise=1 fall=2" clone --wait
		lvsm# quorate constraint order fine-clone then VirtualIP kind=Optional
		lvsm# quorate constraint location VirtualIP rule score=-INFINITY fine eq 0
		lvsm# quorate constraint location VirtualIP prefers lvsm=50
		lvsm# quorate resource meta VirtualIP failback=auto
	`)
	here("lvsm")
	s.play(`lvsm# rm /run/fine`)
	here("lvss")
	s.eventually("lvss", "quorate why VirtualIP not on lvsm", "fine") // it may have to learn why it was told to start it
	s.eventually("lvss", "quorate status", "fine=0")
	s.play(`lvsm# touch /run/fine`)
	here("lvsm")
	s.play(`
		lvsm# rm /run/fine
	`)
	here("lvss")
	s.play(`
		kill lvsm
		heal lvsm
	`)
	here("lvss")
	s.play(`
		lvss# quorate why VirtualIP not on lvsm
		says fine
		lvss# quorate resource delete fine --wait
	`)
	here("lvsm")
}
