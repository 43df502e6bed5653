package state

import (
	"fmt"
	"slices"
	"strings"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// highestLevel is the last way to fence a node that can be set ("Fencing Topologies").
const highestLevel = 9

// addLevel adds one way to fence a node, or the nodes of a pattern or an attribute,
// after those of lower numbers.
func (d *draft) addLevel(l *pb.FencingLevel, force bool) (string, error) {
	target, err := fencing.ParseTarget(l.GetTarget())
	if err != nil {
		return "", refuse(Invalid, "target", "write a node's name, regexp%PATTERN or attrib%NAME=VALUE", "%v", err)
	}
	level := newLevel(target.String(), l)
	switch {
	case level.Level < 1 || level.Level > highestLevel:
		return "", refuse(Invalid, "level", fmt.Sprintf("use 1 to %d", highestLevel), "%d is none", level.Level)
	case target.Node != "" && NodeByName(d.State, target.Node) == nil:
		return "", d.noSuchNode(target.Node)
	case len(level.Devices) == 0:
		return "", refuse(Invalid, "devices", "name at least one", "level %d of %s has none", level.Level, level.Target)
	case get(d.Levels, level.Id, byID) != nil:
		return "", refuse(Exists, "level", "remove it first", "%s has a level %d already", level.Target, level.Level)
	}
	for i, id := range level.Devices {
		f := DeviceByID(d.State, id)
		switch {
		case f == nil:
			return "", d.noSuchDevice(id)
		case slices.Contains(level.Devices[:i], id):
			return "", refuse(Invalid, "devices", "", "%s is named twice", id)
		case target.Node != "" && !fencing.MayFence(f, target.Node):
			return "", refuse(Invalid, "devices", "name one of its own, or give "+id+" pcmk_host_list="+target.Node,
				"%s does not switch %s, but %s", id, target.Node, strings.Join(fencing.Targets(f), ", "))
		}
	}
	before := shallow(d.State)
	d.Levels = put(d.Levels, level.Id, byID, level)
	if err := d.keepsFenceable(before, force, "level", "with this level"); err != nil {
		return "", err
	}
	return fmt.Sprintf("fencing level %d of %s: %s", level.Level, level.Target, strings.Join(level.Devices, ", ")), nil
}

func newLevel(target string, l *pb.FencingLevel) *pb.FencingLevel {
	return &pb.FencingLevel{Id: fmt.Sprintf("%s/%d", target, l.GetLevel()), Target: target, Level: l.GetLevel(), Devices: l.GetDevices()}
}

// renameLevels lets the levels of a node follow its name.
func (d *draft) renameLevels(from, to string) {
	var renamed []*pb.FencingLevel
	d.Levels = without(d.Levels, func(l *pb.FencingLevel) bool {
		if l.Target == from {
			renamed = append(renamed, newLevel(to, l))
		}
		return l.Target == from
	})
	for _, l := range renamed {
		d.Levels = put(d.Levels, l.Id, byID, l)
	}
}

// removeLevels removes the levels that all words of the request fit.
func (d *draft) removeLevels(r *pb.RemoveLevels) (string, error) {
	before, target := shallow(d.State), r.Target
	if t, err := fencing.ParseTarget(r.Target); err == nil {
		target = t.String()
	}
	d.Levels = without(d.Levels, func(l *pb.FencingLevel) bool {
		return (target == "" || l.Target == target) && (r.Level == 0 || l.Level == r.Level) &&
			(len(r.Devices) == 0 || slices.Equal(l.Devices, r.Devices))
	})
	removed := len(before.Levels) - len(d.Levels)
	if removed == 0 && (r.Target != "" || r.Level != 0 || len(r.Devices) > 0) {
		return "", refuse(NotFound, "level", "see `quorate stonith level`", "there is no such level")
	}
	if err := d.keepsFenceable(before, r.Force, "level", "with the levels that are left"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d fencing levels removed", removed), nil
}

// replaceDevices makes the devices and levels as a configuration has them.
func (d *draft) replaceDevices(c *pb.Configuration) error {
	old := d.State.Devices
	d.Devices, d.Levels = nil, nil
	for _, given := range c.Devices {
		if was := get(old, given.Id, byID); given.Traits == nil && was.GetType() == given.Type {
			given = with(given, func(f *pb.FencingDevice) { f.Traits = was.GetTraits() })
		}
		if _, err := d.createDevice(given); err != nil {
			return err
		}
	}
	for _, given := range c.Levels {
		if _, err := d.addLevel(given, true); err != nil {
			return err
		}
	}
	d.Conditions = without(d.Conditions, func(k *pb.DeviceCondition) bool { return DeviceByID(d.State, k.Device) == nil })
	d.forgetSecrets()
	return nil
}
