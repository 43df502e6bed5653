package lab

import (
	"strings"
	"testing"
)

// TestFaultsOfOneNetwork breaks the way between two nodes that have two, and
// looks what of a question still comes through: the neighbour that is asked for
// its link address learns the asker's.
func TestFaultsOfOneNetwork(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1", "n2"}, nil).Wired(2))
	for host, want := range map[string]string{
		"n1":       "10.77.0.11/24 10.78.0.11/24",
		"n2":       "10.77.0.12/24 10.78.0.12/24",
		ClientName: "10.77.0.10/24",
	} {
		got := run(t, l, host, "sh", "-c", "ip -o -4 addr show scope global | awk '{print $4}'")
		if got = strings.Join(strings.Fields(got), " "); got != want {
			t.Errorf("%s has %q, want %q", host, got, want)
		}
	}
	if got := run(t, l, "n1", "sh", "-c", "getent hosts n2 n2-cable | awk '{print $1}'"); got != "10.77.0.12\n10.78.0.12" {
		t.Errorf("n2 and n2-cable are %q", got)
	}
	for _, tt := range []struct {
		trouble Trouble
		heard   string // pairs of hosts, of n1 and n2 on both networks and n1 and client: the second heard the first
	}{
		{Trouble{Fault: Heal}, "lan>n2 lan<n2 cable>n2 cable<n2 lan>client lan<client"},
		{Trouble{Fault: Cut, Network: "cable"}, "lan>n2 lan<n2 lan>client lan<client"},
		{Trouble{Fault: Cut, Network: "lan"}, "cable>n2 cable<n2"},
		{Trouble{Fault: Cut, Network: "lan", Way: Out}, "lan<n2 cable>n2 cable<n2 lan<client"},
		{Trouble{Fault: Cut, Network: "lan", Way: In}, "lan>n2 cable>n2 cable<n2 lan>client"},
		{Trouble{Fault: Cut, Peer: "n2"}, "lan>client lan<client"},
		{Trouble{Fault: Cut, Peer: "n2", Network: "lan"}, "cable>n2 cable<n2 lan>client lan<client"},
		{Trouble{Fault: Cut, Peer: "n2", Way: In}, "lan>n2 cable>n2 lan>client lan<client"},
		{Trouble{Fault: Lose, Percent: 100, Way: Out, Network: "cable"}, "lan>n2 lan<n2 cable<n2 lan>client lan<client"},
		{Trouble{Fault: Unplug, Network: "lan"}, "cable>n2 cable<n2"},
		{Trouble{Fault: Flap}, "lan>n2 lan<n2 cable>n2 cable<n2 lan>client lan<client"},
	} {
		tt.trouble.Host = "n1"
		if _, err := l.Strike(t.Context(), tt.trouble); err != nil {
			t.Errorf("%s: %v", tt.trouble, err)
			continue
		}
		got := listened(t, l)
		for range 2 { // a busy machine may not get to ask in time
			if got != tt.heard {
				t.Logf("%s: %q; once more", tt.trouble, got)
				got = listened(t, l)
			}
		}
		if got != tt.heard {
			t.Errorf("%s\n got %q\nwant %q", tt.trouble, got, tt.heard)
		}
		mustFault(t, l, Heal, "n1")
	}
}

// listened has n1 ask others and others ask n1, and returns who heard whom.
func listened(t *testing.T, l *Lab) string {
	t.Helper()
	var all []string
	for _, tt := range []struct {
		network, host string
		number        int
	}{{"lan", "n2", 0}, {"cable", "n2", 1}, {"lan", ClientName, 0}} {
		h, _ := l.Spec.Host(tt.host)
		n1, _ := l.Spec.Host("n1")
		ours, theirs := n1.address(tt.number).String(), h.address(tt.number).String()
		if hears(t, l, "n1", theirs, tt.host, ours) {
			all = append(all, tt.network+">"+tt.host)
		}
		if hears(t, l, tt.host, ours, "n1", theirs) {
			all = append(all, tt.network+"<"+tt.host)
		}
	}
	return strings.Join(all, " ")
}

// hears has one host ask for an address, and tells whether the other learned
// the asker's own.
func hears(t *testing.T, l *Lab, asker, address, other, asking string) bool {
	t.Helper()
	for _, host := range []string{asker, other} {
		run(t, l, host, "ip", "neigh", "flush", "all")
	}
	run(t, l, asker, "bash", "-c", "timeout 0.1 bash -c ': </dev/tcp/"+address+"/9' 2>&1; true")
	return run(t, l, other, "sh", "-c", "ip neigh show "+asking+" | grep lladdr; true") != ""
}

func TestALossIsAShare(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1"}, nil))
	n1, _ := l.Spec.Host("n1")
	p, err := l.Probe(t.Context(), n1.Address(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Strike(t.Context(), Trouble{Fault: Lose, Host: "n1", Percent: 30, Way: In}); err != nil {
		t.Fatal(err)
	}
	if err := pause(t.Context(), calm*3); err != nil {
		t.Fatal(err)
	}
	tallies, err := p.Stop()
	if err != nil {
		t.Fatal(err)
	}
	lost, sent := tallies[0].Lost-tallies[0].Late, tallies[0].Sent
	if share := 100 * lost / sent; share < 15 || share > 40 {
		t.Errorf("%d of %d probes were lost, want about 30 %%", lost, sent)
	}
}

func TestATroubleIsCheckedBeforeAnythingIsDone(t *testing.T) {
	for want, trouble := range map[string]Trouble{
		`network "wan": use one of`:      {Fault: Cut, Host: "n1", Network: "wan"},
		"strikes the whole host":         {Fault: Kill, Host: "n1", Network: "lan"},
		"only cut and lose":              {Fault: Unplug, Host: "n1", Peer: "n2"},
		`way "up": use in or out`:        {Fault: Cut, Host: "n1", Way: "up"},
		"n1 is the host itself":          {Fault: Cut, Host: "n1", Peer: "n1"},
		"percent: 0; use 1 to 100":       {Fault: Lose, Host: "n1"},
		"percent: only lose takes it":    {Fault: Cut, Host: "n1", Percent: 3},
		`fault "smash": use one of powe`: {Fault: "smash", Host: "n1"},
	} {
		if err := trouble.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q in it", trouble, err, want)
		}
	}
}
