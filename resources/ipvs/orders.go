package ipvs

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
)

// ordersPlace is where the temporary orders of a resource are.
func ordersPlace(r *pb.Resource, runDir string) string {
	return filepath.Join(runDir, "ipvs", "orders", url.PathEscape(r.GetId())+".json")
}

// takeOrders takes over the kept orders, and the temporary ones that an earlier
// process was given. h.mu is held.
func (h *hold) takeOrders(r *pb.Resource, runDir string) (err error) {
	if h.orders == nil {
		if h.orders, err = resources.OpenOrderBook(ordersPlace(r, runDir)); err != nil {
			return err
		}
	}
	h.orders.Keep(r.GetServerOrders())
	return nil
}

// show lets others see what the checks know.
func (h *hold) show(checks *check.Runner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = checks
}

// ordered is a server as it is to be in the table, if it is to be there.
func ordered(s Server, k Key, orders resources.Orders) (wanted Server, there bool) {
	if len(orders) == 0 { // it is asked of every server, and often
		return s, true
	}
	o := orders[resources.ServerName{Service: k.String(), Server: s.Name()}]
	if o.GetWeight() > 0 || o != nil && o.Weight != nil {
		s.Weight = o.GetWeight()
	}
	if o.GetMode() == pb.ServerMode_SERVER_MODE_DRAIN {
		s.Weight = 0
	}
	return s, o.GetMode() != pb.ServerMode_SERVER_MODE_DISABLED
}

// Order implements [resources.Balancer]. A drained server has weight 0: nothing new
// is scheduled to it, and the packets of its connections go on. A disabled one is
// not in the table, and its connections end.
func (a *Agent) Order(_ context.Context, r *pb.Resource, list []*pb.ServerOrder) ([]string, error) {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.active {
		return nil, fmt.Errorf("the resource %s does not run on this node", r.GetId())
	}
	for _, o := range list {
		if !h.config.has(o) {
			return nil, fmt.Errorf("the service %s of %s has no server %s", o.Service, r.GetId(), o.Server)
		}
	}
	if err := h.orders.Take(list); err != nil {
		return nil, err
	}
	k, err := openKernel()
	if err != nil {
		return nil, err
	}
	defer k.close()
	keys := h.config.Keys()
	found, err := k.read(func(key Key) bool { return slices.Contains(keys, key) })
	if err != nil {
		return nil, err
	}
	return h.config.notes(list), a.write(k, h, r, found, nil)
}

// has reports whether an order is for a server of the configuration.
func (c *Configuration) has(o *pb.ServerOrder) bool {
	for _, v := range c.Virtuals {
		for _, k := range v.Keys {
			if k.String() == o.Service {
				return slices.ContainsFunc(slices.Concat(v.Reals, v.Sorry), func(r Real) bool { return r.of(k).Name() == o.Server })
			}
		}
	}
	return false
}

// notes are what may surprise about orders: who is served by a chosen server only.
func (c *Configuration) notes(list []*pb.ServerOrder) []string {
	var notes []string
	for _, v := range c.Virtuals {
		hashes := slices.Contains([]string{"sh", "dh", "mh"}, v.Scheduler) && v.Flags&Fallback == 0
		for _, o := range list {
			away := o.Mode > pb.ServerMode_SERVER_MODE_READY || o.Weight != nil && *o.Weight == 0
			if hashes && away && slices.ContainsFunc(v.Keys, func(k Key) bool { return k.String() == o.Service }) {
				notes = append(notes, fmt.Sprintf("%s: scheduler %s refuses those whom it has chosen %s for; flags=fallback would give them another server",
					o.Service, v.Scheduler, o.Server))
			}
		}
	}
	return notes
}
