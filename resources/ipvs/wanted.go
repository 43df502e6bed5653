package ipvs

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/resources"
	"quorate/resources/check"
)

// Health is what the checks found: the servers that are down, by the question
// that they were asked. A server of which nothing is known is taken for well, so
// that a new owner need not wait for the first answers.
type Health map[Question]bool

// sick is a health that is asked of thousands of servers at once: hardly any of them
// is looked up by its questions.
type sick struct {
	Health
	servers map[netip.AddrPort]bool // that are down by any question
}

func (h Health) sick() sick {
	s := sick{h, make(map[netip.AddrPort]bool, len(h))}
	for q, down := range h {
		if down {
			s.servers[q.Server] = true
		}
	}
	return s
}

// A Question is a check of a server. Services that ask the same of the same server
// share it.
type Question struct {
	Server netip.AddrPort
	Check  check.Check
}

func (q Question) id() string { return fmt.Sprintf("%s %s", q.Server, q.Check) }

// Services are what the kernel is to balance. Of what the checks and an operator's
// orders say of a server the worse counts.
func (c *Configuration) Services(down Health, orders resources.Orders, as Standing) []Service {
	var all []Service
	ill := down.sick()
	for _, v := range c.Virtuals {
		for _, k := range v.Keys {
			s := Service{Key: k, Scheduler: v.Scheduler, Flags: v.Flags, Timeout: uint32(v.Timeout / time.Second), Mask: v.Mask}
			if s.Mask == 0 {
				s.Mask = k.bits()
			}
			s.Servers = v.servers(k, ill, orders, as)
			all = append(all, s)
		}
	}
	return all
}

// Keys are the services that the configuration names.
func (c *Configuration) Keys() []Key {
	var all []Key
	for _, v := range c.Virtuals {
		all = append(all, v.Keys...)
	}
	return all
}

// servers are those of one of v's services, in the order of their addresses. A
// sorry server is there when no real one gets any connection; where the quorum is
// lacking, in place of all of them.
func (v Virtual) servers(k Key, down sick, orders resources.Orders, as Standing) []Server {
	all := make([]Server, 0, len(v.Reals))
	lacking := len(v.Sorry) > 0 && as.lacks(v)
	for _, r := range v.Reals {
		s, there := as.wanted(v, k, r, orders)
		if lacking || v.down(k, r, down) {
			there = there && v.quiescent(r)
			s.Weight = 0
		}
		if there {
			all = append(all, s)
		}
	}
	if !slices.ContainsFunc(all, func(s Server) bool { return s.Weight > 0 }) {
		for _, r := range v.Sorry {
			if s, there := ordered(r.of(k), k, orders); there {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, compareServers)
	return all
}

// quiescent reports whether a server that is down stays in the table.
func (v Virtual) quiescent(r Real) bool {
	if r.Quiescent != nil {
		return *r.Quiescent
	}
	return v.Quiescent
}

// down reports whether any of the checks of a real server failed.
func (v Virtual) down(k Key, r Real, down sick) bool {
	return len(down.servers) > 0 && down.servers[r.at(k)] && slices.ContainsFunc(v.questions(k, r), func(q Question) bool { return down.Health[q] })
}

// checksOf are the server's own checks, else the service's.
func (v Virtual) checksOf(r Real) []check.Check {
	if len(r.Checks) > 0 {
		return r.Checks
	}
	return v.Checks
}

func (v Virtual) questions(k Key, r Real) []Question {
	var all []Question
	for _, c := range v.checksOf(r) {
		all = append(all, Question{r.at(k), c})
	}
	return all
}

// at is where the server serves a service.
func (r Real) at(k Key) netip.AddrPort {
	if r.Port != 0 {
		return netip.AddrPortFrom(r.Address, r.Port)
	}
	return netip.AddrPortFrom(r.Address, k.Address.Port())
}

// of is the server as it serves a service.
func (r Real) of(k Key) Server {
	return Server{Address: r.at(k), Method: r.Method, Weight: r.Weight, Upper: r.Upper, Lower: r.Lower}
}

// Questions are what is to be asked, each once. A server that the table has and
// gives nothing to, or that is missing in a service of the table, is assumed to
// be down already, and any other of the table to be up; but nothing is assumed of
// one that an order keeps from connections, unless it is down until it was checked.
func (c *Configuration) Questions(table []Service, orders resources.Orders) []check.Target {
	var all []check.Target
	seen := map[Question]bool{}
	for _, v := range c.Virtuals {
		for _, k := range v.Keys {
			s := find(table, k)
			for _, r := range v.Reals {
				for _, q := range v.questions(k, r) {
					if !seen[q] {
						seen[q] = true
						all = append(all, check.Target{ID: q.id(), Server: q.Server, Check: q.Check, Assume: v.assume(s, k, r.of(k), orders)})
					}
				}
			}
		}
	}
	return all
}

// assume is what a service of the table says of a server that it should have. Where
// it says nothing, with alpha the server is down.
func (v Virtual) assume(s *Service, k Key, r Server, orders resources.Orders) check.State {
	if r, there := ordered(r, k, orders); s == nil || !there || r.Weight == 0 {
		if v.Alpha {
			return check.Down
		}
		return check.Unknown
	}
	for _, f := range s.Servers {
		if f.Address == r.Address && f.Weight > 0 {
			return check.Up
		}
	}
	return check.Down
}

// assumed is the health that goes with the questions.
func assumed(targets []check.Target) Health {
	down := Health{}
	for _, t := range targets {
		if t.Assume == check.Down {
			down[Question{t.Server, t.Check}] = true
		}
	}
	return down
}
