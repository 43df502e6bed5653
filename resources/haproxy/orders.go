package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// ordersPlace is where the temporary orders of a resource are.
func ordersPlace(r *pb.Resource, runDir string) string {
	return filepath.Join(runDir, "haproxy", "orders", url.PathEscape(r.GetId())+".json")
}

// book returns the orders as they are now; nil: none were read yet.
func (h *hold) book() *resources.OrderBook {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.orders == nil {
		return nil
	}
	b := *h.orders
	return &b
}

// open reads what an earlier agent was told, and takes the kept orders over. It
// returns those in force before and after, and whether the kept ones are others.
func (h *hold) open(r *pb.Resource, runDir string) (before, after resources.Orders, news bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.orders == nil {
		if h.orders, err = resources.OpenOrderBook(ordersPlace(r, runDir)); err != nil {
			return nil, nil, false, err
		}
	}
	before = h.orders.InForce()
	news = h.orders.Keep(r.GetServerOrders())
	return before, h.orders.InForce(), news, nil
}

// settle puts the orders that are in force, temporary and kept, on a worker, which
// may be a new one. Those that it refuses, for servers that are not there any more,
// are logged and wait.
func (a *Agent) settle(ctx context.Context, s *settings, r *pb.Resource, pid int) (news bool, err error) {
	before, after, news, err := a.hold(r).open(r, a.runDir)
	if err != nil || len(before)+len(after) == 0 {
		return news, err
	}
	about := make(map[resources.ServerName]bool, len(before)+len(after))
	for _, list := range []resources.Orders{before, after} {
		for name := range list {
			about[name] = true
		}
	}
	if err := a.apply(ctx, s, pid, about, after); err != nil {
		a.log.Warn("orders for servers not carried out", "resource", r.GetId(), "err", err)
	}
	return news, nil
}

// reorder is the whole reload when nothing but kept orders has changed: then the
// worker stays.
func (a *Agent) reorder(ctx context.Context, s *settings, r *pb.Resource, text string) (done bool, err error) {
	if a.hold(r).book() == nil || s.installed() != s.wanted(text) {
		return false, nil
	}
	pid, err := healthy(ctx, s)
	if err != nil {
		return false, nil //nolint:nilerr // a reload may mend it
	}
	return a.settle(ctx, s, r, pid)
}

// drop forgets the temporary orders: what they were for has stopped.
func (h *hold) drop(r *pb.Resource, runDir string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.orders = nil
	return resources.DropOrders(ordersPlace(r, runDir))
}

// Order implements [resources.Balancer]. HAProxy lets a client in whom a cookie or a
// stick table binds to a drained server; to a disabled one it lets nobody.
func (a *Agent) Order(ctx context.Context, r *pb.Resource, list []*pb.ServerOrder) ([]string, error) {
	h, s := a.hold(r), place(r, a.runDir)
	if h.ended() {
		return nil, fmt.Errorf("the resource %s does not run on this node", r.GetId())
	}
	pid, err := healthy(ctx, s)
	if err != nil {
		return nil, err
	}
	about, err := present(ctx, s, pid, r, list)
	if err != nil {
		return nil, err
	}
	if err := h.take(list); err != nil {
		return nil, err
	}
	if err := a.apply(ctx, s, pid, about, h.book().InForce()); err != nil {
		return nil, err
	}
	return bound(ctx, s, pid, list)
}

func (h *hold) take(list []*pb.ServerOrder) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.orders == nil {
		return errors.New("it has not started yet")
	}
	return h.orders.Take(list)
}

// present returns the servers that the orders are for, if all of them are there.
func present(ctx context.Context, s *settings, pid int, r *pb.Resource, list []*pb.ServerOrder) (map[resources.ServerName]bool, error) {
	states, err := askStates(ctx, s, pid)
	if err != nil {
		return nil, err
	}
	known := make(map[resources.ServerName]bool, len(states))
	for _, st := range states {
		known[resources.ServerName{Service: st.backend, Server: st.server}] = true
	}
	about := make(map[resources.ServerName]bool, len(list))
	for _, o := range list {
		name := resources.ServerName{Service: o.GetService(), Server: o.GetServer()}
		if !known[name] {
			return nil, fmt.Errorf("the service %s of %s has no server %s", o.GetService(), r.GetId(), o.GetServer())
		}
		about[name] = true
	}
	return about, nil
}

// apply makes the servers what the orders say, and as configured where there is no
// order. What is as it should be is not ordered: a backend whose algorithm is
// static refuses any weight.
func (a *Agent) apply(ctx context.Context, s *settings, pid int, about map[resources.ServerName]bool, orders resources.Orders) error {
	states, err := askStates(ctx, s, pid)
	if err != nil {
		return err
	}
	for _, st := range states {
		name := resources.ServerName{Service: st.backend, Server: st.server}
		if about[name] {
			delete(about, name)
			for _, command := range st.commands(orders[name]) {
				err = errors.Join(err, order(ctx, s, pid, command))
			}
		}
	}
	for name := range about {
		err = errors.Join(err, fmt.Errorf("the service %s has no server %s", name.Service, name.Server))
	}
	return err
}

// commands are those that make a server what an order says.
func (st serverState) commands(o *pb.ServerOrder) []string {
	target := st.backend + "/" + st.server
	var list []string
	weight := st.initial
	if o != nil && o.Weight != nil {
		weight = int(o.GetWeight())
	}
	if weight != st.weight {
		list = append(list, fmt.Sprintf("set server %s weight %d", target, weight))
	}
	switch mode := o.GetMode(); {
	case mode == pb.ServerMode_SERVER_MODE_DISABLED:
		list = append(list, "set server "+target+" state maint", "shutdown sessions server "+target)
	case mode == pb.ServerMode_SERVER_MODE_DRAIN && (st.admin&forcedMaintenance != 0 || st.admin&forcedDrain == 0):
		list = append(list, "set server "+target+" state drain")
	case mode == pb.ServerMode_SERVER_MODE_UNSPECIFIED && st.admin&configuredMaintenance != 0:
		list = append(list, "set server "+target+" state maint")
	case mode <= pb.ServerMode_SERVER_MODE_READY && st.admin&(forcedMaintenance|forcedDrain) != 0:
		list = append(list, "set server "+target+" state ready")
	}
	return list
}

// bound returns a note for each server that is drained and yet is where a cookie
// leads clients.
func bound(ctx context.Context, s *settings, pid int, list []*pb.ServerOrder) ([]string, error) {
	rows, err := askStats(ctx, s, pid)
	if err != nil {
		return nil, err
	}
	drained := make(map[resources.ServerName]bool)
	for _, o := range list {
		drained[resources.ServerName{Service: o.GetService(), Server: o.GetServer()}] = o.GetMode() == pb.ServerMode_SERVER_MODE_DRAIN
	}
	var notes []string
	for _, r := range rows {
		if r.get("svname") != "BACKEND" && r.get("cookie") != "" && drained[resources.ServerName{Service: r.get("pxname"), Server: r.get("svname")}] {
			notes = append(notes, fmt.Sprintf("%s/%s: HAProxy still sends it the clients that have its cookie; disabling it ends that", r.get("pxname"), r.get("svname")))
		}
	}
	return notes, nil
}
