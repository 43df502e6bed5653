package state

import (
	"slices"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

func TestSetOptions(t *testing.T) {
	tests := []struct {
		scope             pb.OptionScope
		name, value, want string // want: the value kept, or after "! " the refusal
	}{
		{ofCluster, "no-quorum-policy", "stop", "stop"},
		{ofCluster, "no-quorum-policy", "Freeze", "! property no-quorum-policy: freeze would keep resources running on a node without quorum"},
		{ofCluster, "no-quorum-policy", "ignore", "! property no-quorum-policy: ignore is for two voters without a witness"},
		{ofCluster, "no-quorum-policy", "suicide", "! suicide is not available"},
		{ofCluster, "no-quorum-policy", "stopp", `! "stopp" is no such policy; use stop, or with two nodes ignore`},
		{ofCluster, "quorum.ping", " 192.0.2.1,2001:DB8::1  192.0.2.1", "192.0.2.1,2001:db8::1"},
		{ofCluster, "quorum.ping", "", ""},
		{ofCluster, "quorum.ping", "192.0.2.1 router", `! property quorum.ping: "router" is not an address; give addresses`},
		{ofCluster, "quorum.ping", "127.0.0.1", "! property quorum.ping: 127.0.0.1 is not an address of one other host"},
		{ofCluster, "quorum.ping", "fe80::1%eth0", "! property quorum.ping: fe80::1%eth0 is not an address of one other host"},
		{ofCluster, "quorum.ping", "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8,10.0.0.9", "! 9 addresses are too many; give at most 8"},
		{ofCluster, "fencing", "none", "none"},
		{ofCluster, "fencing", "power", "power"},
		{ofCluster, "fencing", "watchdog", "watchdog"},
		{ofCluster, "watchdog-timeout", "5s", "5s"},
		{ofCluster, "watchdog-timeout", "1s", "! \"1s\" is no time for a watchdog; use whole seconds, 2s to 10min"},
		{ofCluster, "watchdog-timeout", "2500ms", "! is no time for a watchdog"},
		{ofCluster, "fencing", "x", "! property fencing: \"x\" is no way"},
		{ofCluster, "stonith-enabled", "x", "! property stonith-enabled: \"x\" is not a boolean; use true or false"},
		{ofCluster, "symmetric-cluster", "off", "false"},
		{ofCluster, "maintenance-mode", "YES", "true"},
		{ofCluster, "start-failure-is-fatal", "0", "false"},
		{ofCluster, "cluster-recheck-interval", "2min", "2min"},
		{ofCluster, "cluster-recheck-interval", "soon", "! property cluster-recheck-interval: \"soon\" is not a duration; use for example 30s"},
		{ofCluster, "min-voters", " 3", "3"},
		{ofCluster, "min-voters", "Configured", "configured"},
		{ofCluster, "min-voters", "8", `! property min-voters: "8" is no number of voters; use 1 to 7, or configured`},
		{ofCluster, "min-voters", "0", "! use 1 to 7"},
		{ofCluster, "dead-voter-timeout", "1h", "1h"},
		{ofCluster, "restart-lease", "30s", "30s"},
		{ofCluster, "restart-lease", "0", "0"},
		{ofCluster, "restart-lease", "500ms", `! property restart-lease: "500ms" is out of range; use 1s to 1min`},
		{ofCluster, "restart-lease", "2min", "! use 1s to 1min"},
		{ofCluster, "restart-lease", "soon", `! "soon" is not a duration`},
		{ofCluster, "symetric-cluster", "true", `! property symetric-cluster: there is no such property; did you mean "symmetric-cluster"?`},
		{ofCluster, "stonith-enable", "false", `! did you mean "stonith-enabled"?`},
		{ofCluster, "failback", "manual", "! property failback: there is no such property; set it with `resource defaults failback=…`"},
		{ofCluster, "default-resource-stickiness", "1", "! set it with `resource defaults resource-stickiness=…`"},
		{ofCluster, "resource-stickiness", "1", "! set it with `resource defaults resource-stickiness=…`"},
		{ofCluster, "xyzzy", "1", "! property xyzzy: there is no such property"},
		{ofCluster, "", "1", "! there is no such property"},
		{ofResources, "resource-stickiness", "+INFINITY", "INFINITY"},
		{ofResources, "resource-stickiness", "abc", `! meta attribute resource-stickiness: "abc" is not a score`},
		{ofResources, "migration-threshold", "3", "3"},
		{ofResources, "migration-threshold", "-1", `! "-1" is not a count`},
		{ofResources, "failure-timeout", "10m", "10m"},
		{ofResources, "failure-timeout", " 10 Min", "10min"},
		{ofResources, "start-failure-is-fatal", "true", "! start-failure-is-fatal is a property"},
		{ofResources, "failback", " window  Sat 02:00-04:00", "window Sat 02:00-04:00"},
		{ofResources, "failback", "never", "! meta attribute failback: \"never\" is no failback policy; use score"},
		{ofResources, "failback", "delay x", "! meta attribute failback: \"x\" is not a duration"},
		{ofResources, "target-role", "stopped", "Stopped"},
		{ofResources, "target-role", "Master", "Promoted"},
		{ofResources, "is-managed", "maybe", `! "maybe" is not a boolean`},
		{ofOperations, "timeout", "60", "60"},
		{ofOperations, "interval", "10s", "10s"},
		{ofOperations, "on-fail", "Restart", "restart"},
		{ofOperations, "on-fail", "fence", "! operation option on-fail: fence is no default for operations; use the property fencing=power"},
		{ofOperations, "enabled", "no", "false"},
		{ofOperations, "start-delay", "0s", "0s"},
		{ofOperations, "timeut", "60", `! operation option timeut: there is no such operation option; did you mean "timeout"?`},
		{0, "timeout", "60", "! scope"},
	}
	for _, tt := range tests {
		c := newCluster(t)
		err := c.propose(change(setOptions(tt.scope, tt.name, tt.value)))
		kept := map[pb.OptionScope]map[string]string{
			ofCluster: c.state().Properties, ofResources: c.state().ResourceDefaults, ofOperations: c.state().OperationDefaults,
		}[tt.scope][tt.name]
		refusal, refused := strings.CutPrefix(tt.want, "! ")
		switch {
		case refused && (err == nil || !strings.Contains(err.Error(), refusal)):
			t.Errorf("%v %s=%s answered %v, want %q", tt.scope, tt.name, tt.value, err, refusal)
		case !refused && (err != nil || kept != tt.want):
			t.Errorf("%v %s=%s kept %q (%v), want %q", tt.scope, tt.name, tt.value, kept, err, tt.want)
		}
	}
}

func TestOptionsHaveOneNameEach(t *testing.T) {
	c := newCluster(t)
	set := func(set map[string]string, unset ...string) error {
		return c.propose(change(&pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{Scope: ofCluster, Set: set, Unset: unset}}}))
	}
	if err := set(map[string]string{"stonith-enabled": "false"}); err != nil || Property(c.state(), "fencing") != "stop" {
		t.Errorf("stonith-enabled=false: %v, fencing is %q", err, Property(c.state(), "fencing"))
	}
	if _, kept := c.state().Properties["stonith-enabled"]; kept {
		t.Errorf("properties are %v, want fencing alone", c.state().Properties)
	}
	if err := set(map[string]string{"stonith-enabled": "false", "fencing": "none"}); err == nil {
		t.Error("two spellings of one property in one edit were accepted")
	}
	if err := set(nil, "stonith-enabled"); err != nil || len(c.state().Properties) != 0 {
		t.Errorf("unset by the other name: %v, left %v", err, c.state().Properties)
	}
	if err := set(nil, "maintenance-mode"); err != nil {
		t.Errorf("unset of what is not set: %v", err)
	}
	for _, err := range []error{set(nil, "maintenance"), set(nil), set(map[string]string{"fencing": "none"}, "stonith-enabled")} {
		if err == nil {
			t.Error("a wrong change of options was accepted")
		}
	}
}

func TestMetaIsLookedUpOutwards(t *testing.T) {
	c := newCluster(t)
	meta := func() string { return Meta(c.state(), "vip", "priority") }
	var got []string
	for _, step := range []string{"group g vip", "default", "meta g priority=2", "meta vip priority=3"} {
		if step == "default" {
			if err := c.propose(change(setOptions(ofResources, "priority", "1"))); err != nil {
				t.Fatal(err)
			}
		} else {
			c.run(step)
		}
		got = append(got, meta())
	}
	if want := []string{"0", "1", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("priority was %v, want %v", got, want)
	}
	if got := Meta(c.state(), "vip", "none"); got != "" {
		t.Errorf("an unknown attribute is %q", got)
	}
	if got := OperationDefault(c.state(), "timeout"); got != "20s" {
		t.Errorf("the default timeout is %q", got)
	}
}

// Defaults are what people could have set, and names are found by searching.
func TestOptionsTableIsSound(t *testing.T) {
	for _, scope := range []pb.OptionScope{ofCluster, ofResources, ofOperations} {
		names := []string{}
		for _, o := range Options(scope) {
			names = append(names, o.Name)
			if _, err := o.check(o.Default); err != nil {
				t.Errorf("%s: its default %q is refused: %v", o.Name, o.Default, err)
			}
			if o.Type == "" || o.Summary == "" {
				t.Errorf("%s lacks a type or a summary", o.Name)
			}
		}
		if !slices.IsSorted(names) {
			t.Errorf("%v: %v is not sorted", scope, names)
		}
	}
}
