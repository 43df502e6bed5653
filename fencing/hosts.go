package fencing

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// How a device's targets are known (pcmk_host_check).
const (
	StaticList  = "static-list"  // by pcmk_host_list and pcmk_host_map
	DynamicList = "dynamic-list" // the device is asked
	ByStatus    = "status"       // the device is asked about each
	Anything    = "none"         // it is taken to switch any node
)

// HostCheck is how a device's targets are known; empty: in no way, so that it has none.
func HostCheck(d *pb.FencingDevice) string {
	p := d.GetParameters()
	switch {
	case p["pcmk_host_check"] != "":
		return p["pcmk_host_check"]
	case p["pcmk_host_list"] != "" || p["pcmk_host_map"] != "":
		return StaticList
	case d.GetTraits().GetList():
		return DynamicList
	}
	return ""
}

// Targets are the nodes that a device says to switch, by name and in order. Not
// all devices say so, see [MayFence].
func Targets(d *pb.FencingDevice) []string {
	list := words(d.GetParameters()["pcmk_host_list"])
	mapped, _ := hostMap(d.GetParameters()["pcmk_host_map"])
	for _, m := range mapped {
		list = append(list, m.Node)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// MayFence reports whether a device can switch a node, as far as that is known
// without asking it.
func MayFence(d *pb.FencingDevice, node string) bool {
	switch HostCheck(d) {
	case StaticList:
		return slices.Contains(Targets(d), node)
	case DynamicList, ByStatus, Anything:
		return true
	}
	return false
}

// TargetOf is what a device calls a node.
func TargetOf(d *pb.FencingDevice, node string) Target {
	mapped, _ := hostMap(d.GetParameters()["pcmk_host_map"])
	for _, m := range mapped {
		if m.Node == node {
			return m
		}
	}
	return Target{Node: node, Plug: node}
}

// hostMap reads "node:plug;node:plug,plug" ("pcmk_host_map"). Pairs may be apart by
// semicolons or blanks.
func hostMap(text string) ([]Target, error) {
	var list []Target
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ' ' || r == '\t' || r == '\n' }) {
		node, plug, ok := strings.Cut(pair, ":")
		if !ok || node == "" || plug == "" {
			return nil, &ParameterError{"pcmk_host_map", "\"" + pair + "\" is no pair of a node and a plug", "write NODE:PLUG;NODE:PLUG"}
		}
		list = append(list, Target{Node: node, Plug: plug})
	}
	return list, nil
}

// words takes a list apart, by blanks, commas or semicolons.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;\t\n", r) })
}
