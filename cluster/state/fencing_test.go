package state

import (
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

// What the scripts below begin with: vip needs its node's fencing, db has a lapse.
const withPower = `
	device d1 pcmk_host_list=na,nb,nc
	meta vip fencing=power
	start vip a
	done vip a
	start db a
	done db a`

func TestWhatNeedsPowerWaitsForTheFencingOfItsNodeS4(t *testing.T) {
	tests := []struct{ name, script string }{
		{"the time alone frees nothing", `
			gone a b=1s c=1s
			! start vip b: na owns vip
			! free vip: has not been fenced
			! start db b: na owns db
			free db
			start db b`},
		{"fencing frees all that ran there", `
			gone a b=1s c=1s
			fenced a
			start vip b
			start db b`},
		{"an attempt that failed frees nothing", `
			gone a b=1s c=1s
			unfenced a connection refused
			! start vip b: na owns vip
			fenced a
			start vip b`},
		{"a person's word is as good, and is not taken of a node that answers", `
			! confirmoff na: is a member in good standing
			gone a b=1s c=1s
			confirmoff na
			start vip b
			start db b`},
		{"what a fencing of an earlier epoch found says nothing of this one", `
			gone a b=1s c=1s
			admit a
			probe vip a
			notrunning vip a
			probe db a
			notrunning db a
			start vip a
			done vip a
			fenced a
			! start vip b: na owns vip`},
		{"a node that is back by itself needs no fencing", `
			gone a b=1s c=1s
			admit a
			! start vip b: probe or stop it there first
			probe vip a
			notrunning vip a
			start vip b`},
		{"what nobody has looked for since a node's return may run there", `
			gone a b=1s c=1s
			admit a
			gone a b=1s c=1s
			! start vip b: na owns vip
			fenced a
			start vip b`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			newCluster(t).run(withPower + tt.script)
		})
	}
}

func TestAFailedStopIsEscalatedByPolicyS5(t *testing.T) {
	tests := []struct {
		name, script string
		fenced       bool
	}{
		{"power", "meta vip fencing=power", true},
		{"stop", "", false},
		{"power for the cluster", "property fencing=power", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run("device d1 pcmk_host_list=na\n" + tt.script + "\nstart vip a\ndone vip a\nstop vip a\nfailed vip a")
			f := FencingUnderWay(c.state(), "a")
			if (f != nil) != tt.fenced {
				t.Fatalf("fencing under way: %v", f)
			}
			if !tt.fenced {
				return
			}
			c.run("! start vip b: na owns vip\nfenced a\nstart vip b")
			if i := InstanceOf(c.state(), "vip", "a"); i.State != pb.InstanceState_INSTANCE_STATE_STOPPED || i.FailCount != 0 {
				t.Errorf("after the fencing the instance is %v", i)
			}
			if n := NodeByID(c.state(), "a"); n.Admission != pb.Admission_ADMISSION_GONE || n.FencedAt == nil {
				t.Errorf("after the fencing the node is %v", n)
			}
		})
	}
}

func TestACleanupOfWhatFailedCallsTheFencingOff(t *testing.T) {
	c := newCluster(t)
	c.run("meta vip fencing=power\nstart vip a\ndone vip a\nstop vip a\nfailed vip a")
	if FencingUnderWay(c.state(), "a") == nil {
		t.Fatal("a failed stop led to no fencing")
	}
	c.run("cleanup db")
	if FencingUnderWay(c.state(), "a") == nil {
		t.Error("the cleanup of another resource called it off")
	}
	c.run("cleanup vip\ndevice d1 pcmk_host_list=na")
	if f := FencingUnderWay(c.state(), "a"); f != nil {
		t.Errorf("a device that is made later would fence it: %v", f)
	}
}

func TestANodeIsSwitchedOnAgainAndReturnsClean(t *testing.T) {
	c := newCluster(t)
	c.run("device d1 pcmk_host_list=na\nfence na\nfenced a")
	if f := FencingUnderWay(c.state(), "a"); f.GetPhase() != pb.FencingPhase_FENCING_PHASE_ON {
		t.Fatalf("after the off the fencing is %v", f)
	}
	c.run("switchedon a\nadmit a\nprobe vip a\nnotrunning vip a\nstart vip a")
	if n := NodeByID(c.state(), "a"); n.FencedAt != nil || n.HeldSince != nil {
		t.Errorf("the node is %v", n)
	}
	c.run("fence na off\nfenced a")
	if f := FencingUnderWay(c.state(), "a"); f != nil {
		t.Errorf("a node that is to stay off has a fencing under way: %v", f)
	}
}

func TestANodeFencedTwiceInTenMinutesWaitsForAnOperator(t *testing.T) {
	c := newCluster(t)
	again := "\nadmit a\nprobe vip a\nnotrunning vip a\nprobe db a\nnotrunning db a\nstart vip a\ndone vip a"
	c.run(withPower + "\ngone a b=1s c=1s\nfenced a" + again)
	if NodeByID(c.state(), "a").HeldSince != nil {
		t.Fatal("it waits after one fencing")
	}
	c.run("gone a b=1s c=1s\nfenced a")
	if NodeByID(c.state(), "a").HeldSince == nil {
		t.Fatal("it does not wait after two fencings")
	}
	c.run("admit a\nforget na")
	if NodeByID(c.state(), "a").HeldSince != nil || len(c.state().Fencings) > 0 {
		t.Errorf("after the cleanup it waits still, or has a history: %v", c.state().Fencings)
	}
}

func TestASecretIsKeptApartFromItsDevice(t *testing.T) {
	c := newCluster(t)
	c.run("device d1 pcmk_host_list=na password=topsecret ip=10.0.0.9")
	s := c.state()
	if text := Shown(s).String(); strings.Contains(text, "topsecret") {
		t.Errorf("it is shown: %s", text)
	}
	if text := Configuration(s).String(); strings.Contains(text, "topsecret") {
		t.Errorf("it is in the configuration: %s", text)
	}
	for _, e := range s.Events {
		if strings.Contains(e.Text, "topsecret") {
			t.Errorf("it is in an event: %s", e.Text)
		}
	}
	if d := Revealed(s, DeviceByID(s, "d1")); d.Parameters["password"] != "topsecret" || d.Parameters["ip"] != "10.0.0.9" {
		t.Errorf("who uses the device gets %v", d.Parameters)
	}
	if d := ShownWithSecrets(s).Devices[0]; d.Parameters["password"] != "topsecret" {
		t.Errorf("who asks for it gets %v", d.Parameters)
	}
	c.run("undevice d1")
	if len(c.state().Secrets) > 0 {
		t.Error("it outlives its device")
	}
}

func TestADeviceThatIsNeededIsNotDeletedUnlessForced(t *testing.T) {
	c := newCluster(t)
	c.run(`device d1 pcmk_host_list=na
		device d2 pcmk_host_list=na
		level na 1 d1
		level na 2 d2
		! level na 1 d2: has a level 1 already
		! level na 10 d1: 10 is none
		! level nx 1 d1: there is no node
		! level na 3 dx: there is no fencing device
		undevice d2
		meta vip fencing=power
		! undevice d1: without d1 nothing could fence na, and vip needs that
		undevice d1 force`)
	if s := c.state(); len(s.Levels) != 0 || len(s.Devices) != 0 {
		t.Errorf("left are %v and %v", s.Levels, s.Devices)
	}
}

func TestTheLastDeviceThatIsNeededIsNotTakenAwayUnlessForced(t *testing.T) {
	c := newCluster(t)
	c.run(`device d1 pcmk_host_list=na,nb,nc
		device d2 pcmk_host_list=na,nb,nc
		disable d1
		enable d1
		meta vip fencing=power
		disable d1
		! disable d2: with d2 disabled nothing could fence na, and vip needs that
		! redevice d2 pcmk_host_list=na,nc: with d2 changed so nothing could fence nb, and vip needs that
		! level nb 1 d1: with this level nothing could fence nb, and vip needs that
		! level regexp%n[bc] 1 d1: with this level nothing could fence nb
		level na 1 d2
		enable d1
		level na 2 d1
		disable d1
		! unlevel na 1: with the levels that are left nothing could fence na
		unlevel na
		disable d2 force
		disable d1`)
	if s := c.state(); len(WaysToFence(s, "a")) != 0 {
		t.Errorf("na can be fenced by %v", WaysToFence(s, "a"))
	}
}

// What counts is the policy that the new configuration sets, and what it has of devices.
func TestAConfigurationWithoutTheDevicesThatItNeedsIsRefusedUnlessForced(t *testing.T) {
	c := newCluster(t)
	c.run("device d1 pcmk_host_list=na,nb,nc")
	few := []*pb.FencingDevice{{Id: "d1", Type: "fence_test", Parameters: map[string]string{"pcmk_host_list": "na,nb"}}}
	for _, tt := range []struct {
		name, fencing string
		devices       []*pb.FencingDevice
		force         bool
		says          string // empty: it is taken
	}{
		{"none left", "power", nil, false, "with this configuration nothing could fence na, and db needs that"},
		{"one node less", "power", few, false, "with this configuration nothing could fence nc, and db needs that"},
		{"forced", "power", few, true, ""},
		{"as few as before", "power", few, false, ""},
		{"none needed", "stop", nil, false, ""},
	} {
		cfg := Configuration(c.state())
		cfg.Properties, cfg.Devices = map[string]string{"fencing": tt.fencing}, tt.devices
		err := c.propose(change(&pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: cfg, Force: tt.force}}}))
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestAWitnessNeedsNoFencing(t *testing.T) {
	c := newCluster(t)
	c.run(`device d1 pcmk_host_list=nc
		meta vip fencing=power
		put c witness
		disable d1`)
}

func TestLevelsAreChecked(t *testing.T) {
	c := newCluster(t)
	c.run(`device d1 pcmk_host_list=na
		! level nb 1 d1: d1 does not switch nb, but na
		! level regexp%[ 1 d1: is no extended regular expression
		! level regexp% 1 d1: is no extended regular expression
		! level attrib%rack 1 d1: is no attribute with its value
		level regexp%^n 1 d1
		! level regexp%^n 1 d1: has a level 1 already
		level node%na 2 d1
		! unlevel nb: there is no such level
		unlevel regexp%^n`)
	if l := c.state().Levels; len(l) != 1 || l[0].Id != "na/2" || l[0].Target != "na" {
		t.Errorf("left are %v", l)
	}
}

func TestLevelsFollowANodesName(t *testing.T) {
	c := newCluster(t)
	c.run(`device d1 pcmk_host_list=na,nx
		level na 1 d1
		put a name=nx`)
	if l := c.state().Levels; len(l) != 1 || l[0].Id != "nx/1" || l[0].Target != "nx" {
		t.Errorf("left are %v", l)
	}
}

func TestADeviceIsChecked(t *testing.T) {
	c := newCluster(t)
	c.run(`! device d1: has no target
		! device d1 pcmk_host_list=: has no target
		! device d1 pcmk_host_map=na: is no pair of a node and a plug
		! device d1 pcmk_host_list=na pcmk_off_timeout=long: is not a time
		! device d1 pcmk_host_list=na pcmk_hostlist=na: is not known
		! device d1 pcmk_host_check=dynamic-list: cannot be asked for a list
		! device vip pcmk_host_list=na: there is a resource vip already
		device d1 pcmk_host_map=na:1;nb:2
		! create d1: there is a fencing device d1 already`)
	if !strings.Contains(FencingOf(c.state(), "vip"), FencingStop) {
		t.Errorf("the policy of vip is %s", FencingOf(c.state(), "vip"))
	}
}

// Two nodes that see each other die must not shoot each other: whatever the state, one
// of them waits.
func TestWhoRunsLessYieldsTheRace(t *testing.T) {
	tests := []struct{ name, script, yields string }{
		{"of equals the one that is not preferred", "", "b"},
		{"who runs nothing", "start vip b\ndone vip b", "a"},
		{"who runs fewer", "start vip b\ndone vip b\nstart db a\ndone db a\ncreate x\nstart x b\ndone x b", "a"},
		{"who runs what is worth less", "meta db priority=10\nstart vip b\ndone vip b\nstart db a\ndone db a\ncreate x\nstart x b\ndone x b", "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run(tt.script)
			a, b := YieldsRace(c.state(), "a", "b"), YieldsRace(c.state(), "b", "a")
			if a == b || a != (tt.yields == "a") {
				t.Errorf("a yields: %v, b yields: %v; want %s to", a, b, tt.yields)
			}
		})
	}
}
