// Package route sets routes of the kernel where a group runs: kind quorate:route, such
// as the virtual_routes of keepalived.
//
// A route is ours by its protocol number (rtnetlink(7), rtm_protocol), so that one of
// another hand, and the system's own, are never changed: a start beside it fails.
package route

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var (
	_ resources.Agent    = (*Agent)(nil)
	_ resources.Detailer = (*Agent)(nil)
)

// protocol marks our routes. No other program is known to use the number.
const protocol = 113

// An Agent runs the routes of one node. It has no state but the kernel's.
type Agent struct{}

// New returns an agent.
func New() *Agent { return &Agent{} }

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata { return metadata }

// Validate implements [resources.Agent].
func (a *Agent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	s, err := parse(r)
	if err != nil {
		return nil, err
	}
	if s.device != "" {
		if _, err := netlink.LinkByName(s.device); err != nil {
			return nil, wrong("device", "", "there is no interface %s", s.device)
		}
	}
	return []string{s.String()}, nil
}

// Start implements [resources.Agent].
func (a *Agent) Start(_ context.Context, r *pb.Resource) error {
	s, err := parse(r)
	if err != nil {
		return err
	}
	there, err := find(s)
	if err != nil {
		return err
	}
	for _, old := range there {
		switch {
		case old.Protocol != protocol:
			return fmt.Errorf("start the route: another one to %s is in table %d, and not ours to replace; give a metric, or remove it", s.destination, s.table)
		case s.is(old):
			return nil
		}
		if err := netlink.RouteDel(&old); err != nil {
			return fmt.Errorf("replace the route to %s: %w", s.destination, err)
		}
	}
	route, err := s.route()
	if err != nil {
		return fmt.Errorf("start the route: %w", err)
	}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("start the route %v: %w", s, err)
	}
	return nil
}

// Stop implements [resources.Agent].
func (a *Agent) Stop(_ context.Context, r *pb.Resource) error {
	s, err := parse(r)
	if err != nil {
		return nil //nolint:nilerr // what cannot be said was never set
	}
	there, err := find(s)
	for _, old := range there {
		if old.Protocol != protocol {
			continue
		}
		if failed := netlink.RouteDel(&old); failed != nil && !errors.Is(failed, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("stop the route %v: %w", s, failed))
		}
	}
	return err
}

// Monitor implements [resources.Agent].
func (a *Agent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	s, err := parse(r)
	if err != nil {
		return resources.Unknown, err
	}
	there, err := find(s)
	if err != nil {
		return resources.Unknown, err
	}
	for _, found := range there {
		switch {
		case found.Protocol != protocol:
		case s.is(found):
			return resources.Running, nil
		default:
			return resources.Failed, nil
		}
	}
	return resources.Stopped, nil
}

// Detail implements [resources.Detailer]: "10.8.0.0/16 via 10.0.0.1".
func (a *Agent) Detail(r *pb.Resource) string {
	s, err := parse(r)
	if err != nil {
		return ""
	}
	return s.String()
}

// find returns the routes to the destination, with the same metric.
func find(s *settings) ([]netlink.Route, error) {
	list, err := netlink.RouteListFiltered(s.family(), &netlink.Route{Table: s.table}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("list the routes of table %d: %w", s.table, err)
	}
	var found []netlink.Route
	for _, r := range list {
		if s.to(r) {
			found = append(found, r)
		}
	}
	return found, nil
}
