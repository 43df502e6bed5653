package fencing

import (
	"slices"

	pb "quorate/proto/quorate/v1"
)

// A Way is one way to fence a node: all of its devices must do it.
type Way struct {
	Level   uint32 // 0: no levels are set for the node
	Devices []*pb.FencingDevice
}

// Ways returns how a node can be fenced, in the order in which that is to be tried.
// Where levels are set for it those alone count; of one nothing remains if a device of
// it is disabled, is no more, or does not switch this node: what it switched off would
// be another machine. Else each device by itself is a way.
func Ways(devices []*pb.FencingDevice, levels []*pb.FencingLevel, node *pb.Node) []Way {
	var ways []Way
	target := TargetFor(levels, node)
	for _, l := range byLevel(levels, target) {
		if w := (Way{Level: l.Level, Devices: named(devices, l.Devices, node.GetName())}); len(w.Devices) > 0 {
			ways = append(ways, w)
		}
	}
	if target != "" {
		return ways
	}
	for _, d := range devices {
		if !d.Disabled && MayFence(d, node.GetName()) {
			ways = append(ways, Way{Devices: []*pb.FencingDevice{d}})
		}
	}
	return ways
}

func byLevel(levels []*pb.FencingLevel, target string) []*pb.FencingLevel {
	list := slices.DeleteFunc(slices.Clone(levels), func(l *pb.FencingLevel) bool { return l.Target != target })
	slices.SortStableFunc(list, func(a, b *pb.FencingLevel) int { return int(a.Level) - int(b.Level) })
	return list
}

// named returns the devices of some ids; nil: not all of them can be used about the node.
func named(devices []*pb.FencingDevice, ids []string, node string) []*pb.FencingDevice {
	var list []*pb.FencingDevice
	for _, id := range ids {
		i := slices.IndexFunc(devices, func(d *pb.FencingDevice) bool { return d.Id == id && !d.Disabled && MayFence(d, node) })
		if i < 0 {
			return nil
		}
		list = append(list, devices[i])
	}
	return list
}
