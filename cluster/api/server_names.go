package api

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// How well a name that a person gave is that of a service or a server.
const (
	otherName = iota
	shortName // the address without its port, or a service's without its protocol
	fullName
)

// serviceMatch compares a service's name with a given one; an empty one is any.
func serviceMatch(name, given string) int {
	_, address, _ := strings.Cut(name, " ")
	switch {
	case given == "" || given == name:
		return fullName
	case given == address, sameHost(address, given):
		return shortName
	default:
		return otherName
	}
}

func serverMatch(s *pb.BalancedServer, given string) int {
	switch {
	case given == "" || given == s.Name:
		return fullName
	case given == s.Address, sameHost(s.Address, given):
		return shortName
	default:
		return otherName
	}
}

// sameHost reports whether an address with a port is at an address without.
func sameHost(address, given string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	host, err := netip.ParseAddr(strings.Trim(given, "[]"))
	return err == nil && host == at.Addr()
}

// selectServers leaves the services and servers that the names may mean.
func selectServers(b *pb.BalanceStatus, service, server string) {
	leaveServers(b, func(name string) bool { return serviceMatch(name, service) > otherName },
		server == "", func(s *pb.BalancedServer) bool { return serverMatch(s, server) > otherName })
}

// best leaves of what selectServers left what the names say in full, if there is
// any of that.
func best(all []*pb.BalanceStatus, service, server string) {
	ofService, ofServer := otherName, otherName
	for _, b := range all {
		for _, s := range b.Services {
			ofService = max(ofService, serviceMatch(s.Name, service))
			for _, e := range s.Servers {
				ofServer = max(ofServer, serverMatch(e, server))
			}
		}
	}
	for _, b := range all {
		leaveServers(b, func(name string) bool { return serviceMatch(name, service) == ofService },
			server == "", func(s *pb.BalancedServer) bool { return serverMatch(s, server) == ofServer })
	}
}

// leaveServers removes the other ones, and services without any unless whole ones
// are wanted.
func leaveServers(b *pb.BalanceStatus, service func(name string) bool, whole bool, server func(*pb.BalancedServer) bool) {
	b.Services = slices.DeleteFunc(b.Services, func(s *pb.BalancedService) bool {
		if !service(s.Name) {
			return true
		}
		if whole {
			return false
		}
		s.Servers = slices.DeleteFunc(s.Servers, func(e *pb.BalancedServer) bool { return !server(e) })
		s.Counts = resources.CountServers(s.Servers)
		return len(s.Servers) == 0
	})
}

// noSuchServer refuses names that select nothing, with the nearest that would.
func (s *Server) noSuchServer(ctx context.Context, ids []string, service, server string) error {
	all := s.balances(ctx, &pb.BalanceRequest{Resources: ids}, answerTimeout)
	var services, servers []string
	for _, b := range all {
		for _, v := range b.Services {
			services = append(services, v.Name)
			if serviceMatch(v.Name, service) == otherName {
				continue
			}
			for _, e := range v.Servers {
				servers = append(servers, e.Name)
			}
		}
	}
	switch {
	case len(services) == 0:
		return precondition("server", "nothing that balances runs at the moment", "see `quorate status`")
	case len(servers) == 0:
		return unknownName("service", service, services)
	default:
		return unknownName("server", server, servers)
	}
}

// unknownName refuses a name with the likeliest of those that there are.
func unknownName(field, name string, known []string) error {
	r := &state.Refusal{Code: state.NotFound, Field: field, Problem: fmt.Sprintf("there is no %s %q", field, name), Fix: "see `quorate server list`"}
	slices.Sort(known)
	if near := resources.Nearest(name, slices.Compact(known), 3); len(near) > 0 {
		r.Fix = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
	}
	return r
}
