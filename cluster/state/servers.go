package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Orders for servers are kept with the resource that balances over them, whatever
// its configuration says of those servers: which there are, only the node that runs
// it knows. A change is taken over by a reload, like one of parameters.

// mostServerOrders bounds what one resource keeps; the state is in every snapshot.
const mostServerOrders = 10_000

// mostWeight is that of the kernel's table (ip_vs.h, IP_VS_WEIGHT_MAX in ipvsadm).
const mostWeight = 65535

func (d *draft) keepServers(k *pb.KeepServers) (string, error) {
	old, err := d.present(k.Resource)
	if err != nil {
		return "", err
	}
	if !old.Traits.GetReloadable() {
		return "", refuse(Precondition, "resource", "give orders for servers of a director or a proxy",
			"%s (%s) takes no orders for servers while it runs", old.Id, old.Agent)
	}
	if len(k.Orders) == 0 {
		return "", refuse(Invalid, "orders", "", "there are none for %s", k.Resource)
	}
	given, err := canonicalOrders(k.Orders)
	if err != nil {
		return "", err
	}
	orders := MergeOrders(old.ServerOrders, given)
	if len(orders) > mostServerOrders {
		return "", refuse(Precondition, "orders", "change its configuration", "%s would keep more than %d orders for servers", old.Id, mostServerOrders)
	}
	d.putResource(with(old, func(r *pb.Resource) { d.setOrders(r, orders) }))
	said := make([]string, 0, len(given))
	for _, o := range given {
		if saysNothing(o) {
			said = append(said, fmt.Sprintf("nothing kept for %s of %s", o.Server, o.Service))
		} else {
			said = append(said, DescribeOrder(o)+" (kept)")
		}
	}
	return fmt.Sprintf("servers of %s: %s", old.Id, strings.Join(said, ", ")), nil
}

func saysNothing(o *pb.ServerOrder) bool {
	return o.Mode == pb.ServerMode_SERVER_MODE_UNSPECIFIED && o.Weight == nil
}

// setOrders changes the orders. What runs takes them over.
func (d *draft) setOrders(r *pb.Resource, orders []*pb.ServerOrder) {
	if slices.EqualFunc(r.ServerOrders, orders, sameOrder) {
		return
	}
	r.ServerOrders, r.Revision = orders, d.index
}

func sameOrder(a, b *pb.ServerOrder) bool {
	return compareOrders(a, b) == 0 && a.Mode == b.Mode && (a.Weight == nil) == (b.Weight == nil) && a.GetWeight() == b.GetWeight()
}

// canonicalOrders checks orders and sorts them.
func canonicalOrders(given []*pb.ServerOrder) ([]*pb.ServerOrder, error) {
	orders := slices.SortedStableFunc(slices.Values(given), compareOrders)
	for i, o := range orders {
		_, known := pb.ServerMode_name[int32(o.Mode)]
		switch {
		case o.Service == "" || o.Server == "":
			return nil, refuse(Invalid, "server", "name both", "an order lacks a service or a server")
		case strings.ContainsAny(o.Service+o.Server, "\n\r"):
			return nil, refuse(Invalid, "server", "", "%q and %q are no names", o.Service, o.Server)
		case !known:
			return nil, refuse(Invalid, "mode", "ask a node of the newest version", "%s: this version does not know %d", o.Server, o.Mode)
		case o.GetWeight() > mostWeight:
			return nil, refuse(Invalid, "weight", fmt.Sprintf("give 0 to %d", mostWeight), "%d is no weight", o.GetWeight())
		case i > 0 && compareOrders(orders[i-1], o) == 0:
			return nil, refuse(Invalid, "server", "", "%s of %s is named twice", o.Server, o.Service)
		}
	}
	return orders, nil
}

// MergeOrders returns the old orders with the given ones in place of those for the
// same servers. One that says nothing ends what was said.
func MergeOrders(old, given []*pb.ServerOrder) []*pb.ServerOrder {
	merged := without(old, func(o *pb.ServerOrder) bool {
		return slices.ContainsFunc(given, func(g *pb.ServerOrder) bool { return compareOrders(o, g) == 0 })
	})
	for _, g := range given {
		if !saysNothing(g) {
			merged = append(merged, g)
		}
	}
	slices.SortFunc(merged, compareOrders)
	return merged
}

func compareOrders(a, b *pb.ServerOrder) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Server, b.Server))
}

// DescribeOrder says what an order is, for people: "10.0.0.21:80 drained, weight 3".
func DescribeOrder(o *pb.ServerOrder) string {
	said := map[pb.ServerMode]string{
		pb.ServerMode_SERVER_MODE_READY: " enabled", pb.ServerMode_SERVER_MODE_DRAIN: " drained", pb.ServerMode_SERVER_MODE_DISABLED: " disabled",
	}[o.Mode]
	if o.Weight != nil {
		said += fmt.Sprintf(" weight %d", *o.Weight)
	}
	return fmt.Sprintf("%s of %s%s", o.Server, o.Service, cmp.Or(said, " as configured"))
}
