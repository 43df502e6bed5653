package state

import (
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// highestLevel is the last way to fence a node that can be set ("Fencing Topologies").
const highestLevel = 9

// addLevel adds one way to fence a node, after those of lower numbers.
func (d *draft) addLevel(l *pb.FencingLevel) (string, error) {
	level := &pb.FencingLevel{
		Id: fmt.Sprintf("%s/%d", l.GetTarget(), l.GetLevel()), Target: l.GetTarget(), Level: l.GetLevel(), Devices: l.GetDevices(),
	}
	switch {
	case level.Level < 1 || level.Level > highestLevel:
		return "", refuse(Invalid, "level", fmt.Sprintf("use 1 to %d", highestLevel), "%d is none", level.Level)
	case NodeByName(d.State, level.Target) == nil:
		return "", d.noSuchNode(level.Target)
	case len(level.Devices) == 0:
		return "", refuse(Invalid, "devices", "name at least one", "level %d of %s has none", level.Level, level.Target)
	case get(d.Levels, level.Id, byID) != nil:
		return "", refuse(Exists, "level", "remove it first", "%s has a level %d already", level.Target, level.Level)
	}
	for i, id := range level.Devices {
		if DeviceByID(d.State, id) == nil {
			return "", d.noSuchDevice(id)
		}
		if slices.Contains(level.Devices[:i], id) {
			return "", refuse(Invalid, "devices", "", "%s is named twice", id)
		}
	}
	d.Levels = put(d.Levels, level.Id, byID, level)
	return fmt.Sprintf("fencing level %d of %s: %s", level.Level, level.Target, strings.Join(level.Devices, ", ")), nil
}

// removeLevels removes the levels that all words of the request fit.
func (d *draft) removeLevels(r *pb.RemoveLevels) (string, error) {
	before := len(d.Levels)
	d.Levels = without(d.Levels, func(l *pb.FencingLevel) bool {
		return (r.Target == "" || l.Target == r.Target) && (r.Level == 0 || l.Level == r.Level) &&
			(len(r.Devices) == 0 || slices.Equal(l.Devices, r.Devices))
	})
	if len(d.Levels) == before && (r.Target != "" || r.Level != 0 || len(r.Devices) > 0) {
		return "", refuse(NotFound, "level", "see `quorate stonith level`", "there is no such level")
	}
	return fmt.Sprintf("%d fencing levels removed", before-len(d.Levels)), nil
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
		if _, err := d.addLevel(given); err != nil {
			return err
		}
	}
	d.Conditions = without(d.Conditions, func(k *pb.DeviceCondition) bool { return DeviceByID(d.State, k.Device) == nil })
	d.forgetSecrets()
	return nil
}
