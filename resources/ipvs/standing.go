package ipvs

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
)

// A Quorum is how much weight a virtual service needs of the servers that serve it
// (keepalived.conf(5), "quorum" and "hysteresis"). With less its sorry server serves
// in place of all of them; without one those that are left go on.
type Quorum struct {
	Weight     uint32 // 0: 1
	Hysteresis uint32 // of more it takes to have it again, of less to lose it
	Up, Down   string // programs to run then; empty: none
}

func (q Quorum) least() uint32 { return max(q.Weight, 1) }

// has reports whether a weight is enough for a service that had the quorum before,
// or had not. Without any server there is none.
func (q Quorum) has(weight uint64, before bool) bool {
	if before {
		return weight > 0 && weight+uint64(q.Hysteresis) >= uint64(q.least())
	}
	return weight >= uint64(q.least())+uint64(q.Hysteresis)
}

// A Standing is how virtual services stand as a whole, and what their servers weigh by
// their checks. The zero Standing is that of services of which nothing is known: they
// have their quorum, and their servers the weights of the configuration.
type Standing struct {
	services map[Key]serving // by the first key of the virtual service
	weights  Weights
}

// Weights are what the checks say of weights, by the question that was asked. What
// says nothing is not there.
type Weights map[Question]check.Weight

type serving struct {
	quorate bool
	weight  uint64
	reals   []Real // of the configuration that was in force; nil: nothing is known of them
	down    []bool // of each
}

// names are the servers that are known, and whether they are down.
func (s serving) names() map[string]bool {
	all := make(map[string]bool, len(s.reals))
	for i, r := range s.reals {
		all[r.Name()] = s.down[i]
	}
	return all
}

// lacks reports whether a virtual service is known to have no quorum.
func (s Standing) lacks(v Virtual) bool {
	of, known := s.services[v.Keys[0]]
	return known && !of.quorate
}

// weight is what a server of a service weighs by its checks.
func (s Standing) weight(v Virtual, k Key, r Real) uint32 {
	weight := int(r.Weight)
	if len(s.weights) == 0 { // it is asked of every server, and often
		return r.Weight
	}
	for _, q := range v.questions(k, r) {
		weight += s.weights[q].Change(int(r.Weight))
	}
	return uint32(max(0, min(weight, heaviest)))
}

// heaviest is the most that the kernel takes.
const heaviest = 65535

// wanted is a server as its checks and an operator's orders have it, if it is to be in
// the table.
func (s Standing) wanted(v Virtual, k Key, r Real, orders resources.Orders) (Server, bool) {
	server := r.of(k)
	server.Weight = s.weight(v, k, r)
	return ordered(server, k, orders)
}

// Stand returns how the services stand now, after they stood as before. A service
// of which nothing was known had its quorum, but for one that begins with nothing.
func (c *Configuration) Stand(before Standing, down Health, orders resources.Orders) Standing {
	now := Standing{services: make(map[Key]serving, len(c.Virtuals)), weights: before.weights}
	ill := down.sick()
	for _, v := range c.Virtuals {
		was, known := before.services[v.Keys[0]]
		if !known {
			was.quorate = !v.Alpha
		}
		is := serving{reals: v.Reals, down: make([]bool, len(v.Reals))}
		for i, r := range v.Reals {
			is.down[i] = v.downAnywhere(r, ill)
			if s, there := now.wanted(v, v.Keys[0], r, orders); !is.down[i] && there {
				is.weight += uint64(s.Weight)
			}
		}
		is.quorate = v.Quorum.has(is.weight, was.quorate)
		now.services[v.Keys[0]] = is
	}
	return now
}

// downAnywhere reports whether a server is down for any of v's services.
func (v Virtual) downAnywhere(r Real, down sick) bool {
	for _, k := range v.Keys {
		if v.down(k, r, down) {
			return true
		}
	}
	return false
}

// found is how services stand that have a table already: one whose sorry server
// serves lacks its quorum, and what checks weigh has the weight that it has there.
func (c *Configuration) found(table []Service) Standing {
	s := Standing{services: make(map[Key]serving), weights: c.weighed(table)}
	for _, v := range c.Virtuals {
		there := find(table, v.Keys[0])
		if there == nil {
			continue
		}
		is := serving{quorate: true}
		for _, r := range v.Sorry {
			for _, f := range there.Servers {
				is.quorate = is.quorate && f.Address != r.at(v.Keys[0])
			}
		}
		s.services[v.Keys[0]] = is
	}
	return s
}

func (c *Configuration) weighed(table []Service) Weights {
	all := Weights{}
	for _, v := range c.Virtuals {
		for _, r := range v.Reals {
			i := slices.IndexFunc(v.checksOf(r), check.Check.Weighs)
			if i < 0 {
				continue
			}
			for _, k := range v.Keys {
				there := find(table, k)
				if there == nil {
					continue
				}
				for _, f := range there.Servers {
					if f.Address == r.at(k) && f.Weight > 0 {
						all[v.questions(k, r)[i]] = check.Weight{Value: int(f.Weight), Instead: true}
					}
				}
			}
		}
	}
	return all
}

// A Notice is a change of how services stand: an event, and the program to run.
type Notice struct {
	Kind     string // of the event; Severity and Text are the event's, too
	Severity pb.Severity
	Text     string
	Command  string // empty: none
}

// Notices tell what has changed for the services and servers that both know. Why
// answers what the checks say of a server.
func (c *Configuration) Notices(before, now Standing, why func(Virtual, Real) string) (list []Notice) {
	for _, v := range c.Virtuals {
		was, is := before.services[v.Keys[0]], now.services[v.Keys[0]]
		if was.reals == nil {
			continue
		}
		for _, i := range was.changed(is) {
			list = append(list, serverNotice(v, v.Reals[i], !is.down[i], why(v, v.Reals[i])))
		}
		if was.quorate != is.quorate {
			list = append(list, quorumNotice(v, is))
		}
	}
	return list
}

// changed are the places of the servers that both know and that went or came.
func (s serving) changed(is serving) (places []int) {
	if &s.reals[0] == &is.reals[0] { // one configuration
		for i, down := range is.down {
			if down != s.down[i] {
				places = append(places, i)
			}
		}
		return places
	}
	before := s.names()
	for i, r := range is.reals {
		if down, known := before[r.Name()]; known && down != is.down[i] {
			places = append(places, i)
		}
	}
	return places
}

func serverNotice(v Virtual, r Real, up bool, why string) Notice {
	if why != "" {
		why = ": " + why
	}
	if up {
		return Notice{"server-up", pb.Severity_SEVERITY_INFO, fmt.Sprintf("server %s of %s is up%s", r.Name(), v.Keys[0], why), r.Up}
	}
	return Notice{"server-down", pb.Severity_SEVERITY_WARNING, fmt.Sprintf("server %s of %s is down%s", r.Name(), v.Keys[0], why), r.Down}
}

func quorumNotice(v Virtual, is serving) Notice {
	text := fmt.Sprintf("weight %d of %d", is.weight, v.Quorum.least())
	if is.quorate {
		return Notice{"server-quorum-gained", pb.Severity_SEVERITY_INFO, fmt.Sprintf("%s has its quorum of servers: %s", v.Keys[0], text), v.Quorum.Up}
	}
	if len(v.Sorry) > 0 {
		text += "; the sorry server serves"
	}
	return Notice{"server-quorum-lost", pb.Severity_SEVERITY_ERROR, fmt.Sprintf("%s has lost its quorum of servers: %s", v.Keys[0], text), v.Quorum.Down}
}

// Endings are the programs that the stop of services runs (omega): those of what was
// up, as if it were down now.
func (c *Configuration) Endings(was Standing) (commands []string) {
	for _, v := range c.Virtuals {
		of := was.services[v.Keys[0]]
		if !v.Omega {
			continue
		}
		for i, r := range of.reals {
			if !of.down[i] && r.Down != "" {
				commands = append(commands, r.Down)
			}
		}
		if of.quorate && v.Quorum.Down != "" {
			commands = append(commands, v.Quorum.Down)
		}
	}
	return commands
}
