package cib

import (
	"strconv"
	"strings"
	"time"

	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// device writes a fencing device as the primitive that it is for Pacemaker. A secret
// that nobody asked to see is left out.
func (x *exporter) device(d *pb.FencingDevice) *element {
	values := make(map[string]string)
	for name, value := range d.Parameters {
		if strings.HasPrefix(value, "secret:") {
			x.left("parameter "+name, d.Id, "it is secret; --secrets shows it")
			continue
		}
		values[name] = value
	}
	e := node("primitive", "id", d.Id, "class", "stonith", "type", d.Type).add(x.pairs("instance_attributes", d.Id, values))
	if d.Disabled {
		e.add(x.pairs("meta_attributes", d.Id, map[string]string{"target-role": "Stopped"}))
	}
	operations := node("operations")
	for _, o := range d.Operations {
		op := node("op", "id", x.id(d.Id, o.Name), "name", o.Name, "interval", durationText(o.Interval.AsDuration()))
		if o.Timeout.AsDuration() > 0 {
			op.attrs = append(op.attrs, attr{"timeout", durationText(o.Timeout.AsDuration())})
		}
		operations.add(op)
	}
	if len(operations.children) > 0 {
		e.add(operations)
	}
	x.took("primitive", d.Id)
	return e
}

// topology writes the levels; nil: there are none.
func (x *exporter) topology() *element {
	if len(x.state.Levels) == 0 {
		return nil
	}
	section := node("fencing-topology")
	for _, l := range x.state.Levels {
		e := node("fencing-level", "id", x.id("fl", l.Target, strconv.FormatUint(uint64(l.Level), 10)),
			"index", strconv.FormatUint(uint64(l.Level), 10), "devices", strings.Join(l.Devices, ","))
		e.attrs = append(e.attrs, targetAttributes(l)...)
		section.add(e)
		x.took("fencing-level", l.Id)
	}
	return section
}

// targetAttributes name the nodes that a level is for.
func targetAttributes(l *pb.FencingLevel) []attr {
	switch t, _ := fencing.ParseTarget(l.Target); { // the state has checked it
	case t.Pattern != "":
		return []attr{{"target-pattern", t.Pattern}}
	case t.Attribute != "":
		return []attr{{"target-attribute", t.Attribute}, {"target-value", t.Value}}
	}
	return []attr{{"target", l.Target}}
}

// fencingProperties writes the policy in Pacemaker's terms: leases take the place of
// fencing where no device has to confirm.
func (x *exporter) fencingProperties(kept map[string]string) {
	power := state.Property(x.state, "fencing") == state.FencingPower
	kept["stonith-enabled"] = strconv.FormatBool(power)
	if d, err := state.ParseDuration(x.state.Properties["priority-fencing-delay"]); err == nil && d >= time.Second {
		kept["priority-fencing-delay"] = durationText(d)
	}
}
