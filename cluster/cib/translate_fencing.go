package cib

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quorate/cluster/scheduler/engine"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// ofFencing are properties of fencing that have no place in Quorate, and why.
var ofFencing = map[string]string{
	"startup-fencing":      "a node that has never been seen is not fenced",
	"fencing-action":       "give the devices pcmk_reboot_action instead: off leaves nodes off",
	"fencing-timeout":      "each device has its own, such as pcmk_off_timeout",
	"fencing-max-attempts": "a fencing is tried until it has succeeded",
	"fencing-reaction":     "a node that was fenced is off",
	"concurrent-fencing":   "several nodes are always fenced at the same time",
}

// isDevice reports whether a primitive is a fencing device.
func isDevice(r engine.Resource) bool { return strings.EqualFold(r.Class, "stonith") }

// device reports whether an id is that of a fencing device.
func (t *translator) device(id string) bool {
	for e := range t.d.section("resources").descendants() {
		if e.name == "primitive" && e.id() == id {
			return isDevice(t.d.resource(e))
		}
	}
	return false
}

// fencingDefault says what Pacemaker does where nobody says whether nodes are fenced:
// it fences them.
func (t *translator) fencingDefault() {
	for e := range t.d.section("resources").descendants() {
		if e.name == "primitive" && isDevice(t.d.resource(e)) {
			t.offer("property stonith-enabled", "", "it is true by default", setting(func(c *pb.Configuration) *map[string]string { return &c.Properties }, "stonith-enabled", "true"))
			return
		}
	}
	t.leave("property stonith-enabled", "", "it is true by default, and there is no fencing device: the resources of a silent node start elsewhere when its lease has ended")
}

// fencingDevice offers a primitive of class stonith, and then its tests.
func (t *translator) fencingDevice(e *element, r engine.Resource) {
	given := &pb.FencingDevice{Id: r.ID, Type: r.Type, Parameters: t.merge("instance_attributes", r.Parameters)}
	note := ""
	meta := t.merge("meta_attributes", r.Meta)
	for _, name := range slices.Sorted(maps.Keys(meta)) {
		if name == "target-role" {
			given.Disabled = strings.EqualFold(meta[name], "stopped")
			continue
		}
		t.leave("option "+name, t.pairID(e, name), "a fencing device has no such option: every node may use it")
	}
	for i := range r.Operations {
		note = t.deviceTest(given, &r.Operations[i], note)
	}
	t.offer("primitive", r.ID, note, func(c *pb.Configuration) string {
		c.Devices = append(c.Devices, given)
		return ""
	})
}

// deviceTest takes a monitor; a device is neither started nor stopped.
func (t *translator) deviceTest(d *pb.FencingDevice, op *engine.Operation, note string) string {
	if op.Name != fencing.Monitor {
		t.leave("op", op.ID, "a fencing device is neither started nor stopped")
		return note
	}
	spec := &pb.OperationSpec{Name: op.Name}
	timeout := ""
	for _, v := range op.Options {
		if v.Name == "timeout" {
			timeout = v.Value
		}
	}
	if problem := durations(spec, op.Interval, timeout); problem != "" {
		t.leave("op", op.ID, problem)
		return note
	}
	d.Operations = append(d.Operations, spec)
	return note
}

// levels offers the topology.
func (t *translator) levels() {
	for e := range t.d.section("fencing-topology").all("fencing-level") {
		level, err := strconv.ParseUint(e.attr("index"), 10, 8)
		if err != nil {
			t.leave(e.name, e.id(), fmt.Sprintf("its index is %q", e.attr("index")))
			continue
		}
		l := &pb.FencingLevel{Target: targetOf(e), Level: uint32(level), Devices: strings.Split(strings.ReplaceAll(e.attr("devices"), " ", ""), ",")}
		t.offer(e.name, e.id(), "", func(c *pb.Configuration) string {
			for _, id := range l.Devices {
				if !slices.ContainsFunc(c.Devices, func(d *pb.FencingDevice) bool { return d.Id == id }) {
					return id + " was not taken"
				}
			}
			c.Levels = append(c.Levels, l)
			return ""
		})
	}
}

// targetOf is the target of a level, by name, pattern or attribute.
func targetOf(e *element) string {
	switch {
	case e.attr("target-pattern") != "":
		return fencing.PatternTarget(e.attr("target-pattern"))
	case e.attr("target-attribute") != "":
		return fencing.AttributeTarget(e.attr("target-attribute"), e.attr("target-value"))
	}
	return e.attr("target")
}
