package ipvs

import (
	"fmt"
	"slices"
)

// A Change is one write to the kernel's table.
type Change struct {
	Verb    Verb
	Service Service // without its servers
	Server  Server  // of those verbs that are about one
}

// A Verb is what a change does.
type Verb int

// The verbs.
const (
	AddService Verb = iota
	SetService
	RemoveService // and all its servers
	AddServer
	SetServer
	RemoveServer
)

func (c Change) String() string {
	switch c.Verb {
	case AddService:
		return fmt.Sprintf("add %s", c.Service.Key)
	case SetService:
		return fmt.Sprintf("set %s", c.Service.Key)
	case RemoveService:
		return fmt.Sprintf("remove %s", c.Service.Key)
	case AddServer:
		return fmt.Sprintf("add %s to %s, weight %d", c.Server.Address, c.Service.Key, c.Server.Weight)
	case SetServer:
		return fmt.Sprintf("set %s of %s to weight %d", c.Server.Address, c.Service.Key, c.Server.Weight)
	default:
		return fmt.Sprintf("remove %s from %s", c.Server.Address, c.Service.Key)
	}
}

// Reconcile returns the changes that make the services of found what is wanted.
// Of those that are not wanted it removes what owned names, and no other. It is
// pure: what is as it should be is not written (see reconcile_test.go), and a
// server is added before another one goes, so that a service never lacks one
// that it could have.
func Reconcile(wanted, found []Service, owned []Key) []Change {
	there := make(map[Key]Service, len(found))
	for _, s := range found {
		there[s.Key] = s
	}
	var changes []Change
	keep := make(map[Key]bool, len(wanted))
	for _, w := range wanted {
		keep[w.Key] = true
		f, ok := there[w.Key]
		bare := w
		bare.Servers = nil
		switch {
		case !ok:
			changes = append(changes, Change{Verb: AddService, Service: bare})
		case !same(w, f):
			changes = append(changes, Change{Verb: SetService, Service: bare})
		}
		changes = append(changes, reconcileServers(bare, w.Servers, f.Servers)...)
	}
	for _, k := range owned {
		if f, ok := there[k]; ok && !keep[k] {
			f.Servers = nil
			changes = append(changes, Change{Verb: RemoveService, Service: f})
			keep[k] = true // it may be named twice
		}
	}
	return changes
}

// reconcileServers takes both lists in the order of their addresses.
func reconcileServers(of Service, wanted, found []Server) []Change {
	var added, set, removed []Change
	for len(wanted) > 0 || len(found) > 0 {
		order := 1
		switch {
		case len(found) == 0:
			order = -1
		case len(wanted) > 0:
			order = compareServers(wanted[0], found[0])
		}
		switch {
		case order < 0:
			added = append(added, Change{AddServer, of, wanted[0]})
			wanted = wanted[1:]
		case order > 0:
			removed = append(removed, Change{RemoveServer, of, found[0]})
			found = found[1:]
		default:
			if wanted[0] != found[0] {
				set = append(set, Change{SetServer, of, wanted[0]})
			}
			wanted, found = wanted[1:], found[1:]
		}
	}
	return slices.Concat(added, set, removed)
}
