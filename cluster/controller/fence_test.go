package controller

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// device makes a fencing device of nodes.
func (d *desk) device(id string, settings map[string]string, hosts ...string) {
	d.t.Helper()
	parameters := map[string]string{"pcmk_host_list": strings.Join(hosts, " ")}
	for name, value := range settings {
		parameters[name] = value
	}
	d.edit(&pb.Edit{Kind: &pb.Edit_CreateDevice{CreateDevice: &pb.CreateDevice{Device: &pb.FencingDevice{
		Id: id, Type: "fence_test", Parameters: parameters, Traits: &pb.DeviceTraits{On: true, Status: true},
	}}}})
}

func (d *desk) edit(edits ...*pb.Edit) {
	d.t.Helper()
	d.commit(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
}

func (d *desk) level(n uint32, target string, devices ...string) {
	d.t.Helper()
	d.edit(&pb.Edit{Kind: &pb.Edit_AddLevel{AddLevel: &pb.AddLevel{Level: &pb.FencingLevel{Target: target, Level: n, Devices: devices}}}})
}

// needing makes a resource that goes to a node, and needs that node's fencing.
func (d *desk) needing(resource, node string) {
	d.t.Helper()
	d.create(resource, 0)
	d.edit(&pb.Edit{Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: resource, Node: node}}}, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: resource, SetMeta: map[string]string{"fencing": "power"}}}})
}

// switched returns the uses of devices since it was last called, without the tests.
func (d *desk) switched() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.DeleteFunc(d.uses, func(u string) bool { return strings.HasPrefix(u, "monitor") })
	d.uses = nil
	return strings.Join(list, ", ")
}

func (d *desk) mend(device string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.broken, device)
}

func TestWhatNeedsPowerStartsElsewhereOnceItsNodeIsOffS4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		d.needing("vip", "b")
		d.device("d1", nil, "a", "b", "c")
		d.broken["d1"] = true
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		owner := d.owner("vip")
		d.gone(owner, "a")
		time.Sleep(time.Second)
		if now := d.owner("vip"); now != owner || state.FencingUnderWay(d.store.Get().State, owner).GetFailures() != 2 {
			t.Errorf("vip is owned by %s, want %s until it is off: %v", now, owner, state.FencingUnderWay(d.store.Get().State, owner))
		}
		d.mend("d1")
		time.Sleep(3 * time.Second)
		if now := d.owner("vip"); now == owner || now == "" {
			t.Errorf("after the fencing vip is owned by %q", now)
		}
		if used := d.switched(); used != "off b by d1 on a, off b by d1 on c, off b by d1 on a, on b by d1 on a" {
			t.Errorf("devices were used: %s", used)
		}
	})
}

// The second node may take minutes to find out that it cannot do it either.
func TestAFailureIsToldBeforeTheNextNodeTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		d.needing("vip", "b")
		d.device("d1", nil, "b")
		d.broken["d1"] = true
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.hangs["c"] = 30 * time.Second
		d.gone("b", "a")
		time.Sleep(10 * time.Second)
		if f := state.FencingUnderWay(d.store.Get().State, "b"); f.GetFailures() != 1 || f.Attempts[0].Error != "d1 is broken" {
			t.Errorf("while the second node tries: %v", f)
		}
	})
}

func TestAFencingThatWasCalledOffIsTriedNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		d.needing("vip", "b")
		d.device("d1", nil, "b")
		d.device("d2", nil, "b")
		d.broken["d1"] = true
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.hangs["c"] = 5 * time.Second
		d.gone("b", "a")
		time.Sleep(time.Second)
		d.admit("b")
		time.Sleep(time.Minute)
		if used := d.switched(); used != "off b by d1 on a, off b by d1 on c" {
			t.Errorf("devices were used: %s", used)
		}
	})
}

func TestTheNextLevelIsTriedWhenADeviceOfOneHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b")
		d.needing("vip", "b")
		for _, id := range []string{"d1", "d2", "d3", "d4"} {
			d.device(id, nil, "b")
		}
		d.level(1, "b", "d1", "d2")
		d.level(2, "b", "d3", "d4")
		d.broken["d2"] = true
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.gone("b", "a")
		time.Sleep(time.Second)
		if used := d.switched(); used != "off b by d1 on a, off b by d2 on a, off b by d3 on a, off b by d4 on a, on b by d1 on a, on b by d3 on a, on b by d4 on a" {
			t.Errorf("devices were used: %s", used)
		}
	})
}

func TestAFencingThatALeaderLeftIsTakenUpByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b")
		d.needing("vip", "b")
		d.device("d1", nil, "b")
		d.broken["d1"] = true
		_, end := d.lead()
		time.Sleep(time.Second)
		d.gone("b", "a")
		time.Sleep(time.Second)
		end()
		d.mend("d1")
		_, end = d.lead()
		defer end()
		time.Sleep(time.Second)
		if now := d.owner("vip"); now != "a" {
			t.Errorf("vip is owned by %q", now)
		}
	})
}

func TestSeveralNodesAreFencedAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		d.needing("vip", "b")
		d.needing("web", "c")
		d.device("d1", nil, "b")
		d.device("d2", nil, "c")
		d.hangs["d1"] = 20 * time.Second
		_, end := d.lead()
		defer end()
		time.Sleep(time.Minute)
		d.gone("b", "a")
		d.gone("c", "a")
		time.Sleep(time.Second)
		if vip, web := d.owner("vip"), d.owner("web"); vip != "b" || web != "a" {
			t.Errorf("while b is being fenced, and c is off, vip is owned by %s and web by %s", vip, web)
		}
		time.Sleep(time.Minute)
		if vip := d.owner("vip"); vip != "a" {
			t.Errorf("once b is off vip is owned by %s", vip)
		}
	})
}

func TestAFencingIsDelayedAsItsDeviceSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b")
		d.device("d1", map[string]string{"pcmk_delay_base": "5s"}, "a")
		_, end := d.lead()
		defer end()
		time.Sleep(time.Second)
		d.edit(&pb.Edit{Kind: &pb.Edit_FenceNode{FenceNode: &pb.FenceNode{Node: "a", StayOff: true}}})
		time.Sleep(4900 * time.Millisecond)
		if used := d.switched(); used != "" {
			t.Errorf("too early: %s", used)
		}
		time.Sleep(time.Second)
		if used := d.switched(); used != "off a by d1 on b" {
			t.Errorf("devices were used: %s", used)
		}
		if n := state.NodeByID(d.store.Get().State, "a"); n.Admission != pb.Admission_ADMISSION_GONE {
			t.Errorf("a is %v although it was switched off", n.Admission)
		}
	})
}

func TestADeviceIsTestedAndItsFirstFailureTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b")
		d.device("d1", nil, "a")
		_, end := d.lead()
		defer end()
		time.Sleep(2 * time.Second)
		if c := state.ConditionOf(d.store.Get().State, "d1"); c == nil || c.Error != "" || c.Node != "b" {
			t.Fatalf("after the first test: %v", c)
		}
		d.mu.Lock()
		d.broken["d1"] = true
		d.mu.Unlock()
		time.Sleep(3 * time.Minute)
		told := 0
		for _, e := range d.store.Get().State.Events {
			if e.Kind == "device-failed" {
				told++
			}
		}
		if c := state.ConditionOf(d.store.Get().State, "d1"); c.GetError() != "d1 is broken" || told != 1 {
			t.Errorf("after it broke: %v, told %d times", c, told)
		}
		d.mend("d1")
		time.Sleep(time.Minute + time.Second)
		if c := state.ConditionOf(d.store.Get().State, "d1"); c.GetError() != "" {
			t.Errorf("after it was mended: %v", c)
		}
	})
}
