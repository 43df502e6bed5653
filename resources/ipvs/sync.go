package ipvs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Copying says over what the connections of a director are copied to the nodes
// that may take over.
type copying struct {
	link string       // interface; "": by network
	net  netip.Prefix // of the interface's address, when it may be called differently on each node
	id   uint32
	wait time.Duration // that a node has to receive before the director returns to it
}

func parseSync(r *pb.Resource) (*copying, error) {
	get := func(name string) string { return resources.Parameter(metadata, r, name) }
	over, id := get("sync"), get("sync_id")
	if over == "" {
		return nil, nil //nolint:nilnil // nothing is copied
	}
	wait, err := resources.Duration(get("sync_wait"))
	if err != nil {
		return nil, wrong("sync_wait", "give a time, e.g. 15s, or 0", "%v", err)
	}
	n, err := number(id, 255)
	if err != nil || n == 0 {
		return nil, wrong("sync_id", "give 1 to 255", "%q is no number of a sync daemon", id)
	}
	if !strings.Contains(over, "/") {
		return &copying{link: over, id: n, wait: wait}, nil
	}
	p, err := netip.ParsePrefix(over)
	if err != nil {
		return nil, wrong("sync", "give an interface, or its network as ADDRESS/LENGTH", "%v", err)
	}
	return &copying{net: p.Masked(), id: n, wait: wait}, nil
}

// daemon is what is to run on this node.
func (s *copying) daemon(r Role) (Daemon, error) {
	if s.link != "" {
		if _, err := net.InterfaceByName(s.link); err != nil {
			return Daemon{}, wrong("sync", "give an interface that every node has, or its network as ADDRESS/LENGTH", "there is no interface %s", s.link)
		}
		return Daemon{r, s.link, s.id}, nil
	}
	links, err := net.Interfaces()
	if err != nil {
		return Daemon{}, err
	}
	for _, l := range links {
		addresses, err := l.Addrs()
		if err != nil {
			continue // it went
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Masked() == s.net {
				return Daemon{r, l.Name, s.id}, nil
			}
		}
	}
	return Daemon{}, wrong("sync", "give a network that every node is in", "no interface is in %s", s.net)
}

// Stand implements [resources.Stander]: it receives the connections of the
// directors that this node does not run.
func (a *Agent) Stand(ctx context.Context, all []*pb.Resource) error {
	a.syncing.Lock()
	defer a.syncing.Unlock()
	roles := map[string]Daemon{}
	a.stands = map[string]bool{}
	var err error
	for _, r := range all {
		a.stands[r.GetId()] = true
		s, parseErr := a.parse(r)
		if parseErr != nil || s.sync == nil {
			continue // a start will say what is wrong
		}
		role := Backup
		if old, ok := a.roles[r.GetId()]; ok && old.Role == Master || a.unstopped(r) {
			role = Master // its stop will say when it is not
		}
		d, linkErr := s.sync.daemon(role)
		if linkErr != nil {
			err = errors.Join(err, fmt.Errorf("resource %s: %w", r.GetId(), linkErr))
			continue
		}
		roles[r.GetId()] = d
	}
	if len(roles) == 0 && len(a.roles) == 0 {
		return err
	}
	k, loadErr := loadKernel(ctx)
	if loadErr != nil {
		return errors.Join(err, loadErr)
	}
	defer k.close()
	a.roles = roles
	return errors.Join(err, a.setDaemons(k))
}

// unstopped reports whether a resource was started here, perhaps by an earlier
// process, and not stopped.
func (a *Agent) unstopped(r *pb.Resource) bool {
	mine, err := readRecord(place(r, a.runDir))
	return err == nil && len(mine.Services) > 0
}

// turn gives a resource's daemon another role, or none to one that copies nothing
// or is being deleted.
func (a *Agent) turn(k *kernel, r *pb.Resource, s *copying, role Role) error {
	a.syncing.Lock()
	defer a.syncing.Unlock()
	if s == nil || role == Backup && !a.stands[r.GetId()] {
		if _, ok := a.roles[r.GetId()]; !ok {
			return nil
		}
		delete(a.roles, r.GetId())
		return a.setDaemons(k)
	}
	d, err := s.daemon(role)
	if err != nil {
		return err
	}
	a.roles[r.GetId()] = d
	return a.setDaemons(k)
}

// stepDown has a resource's daemon receive from now on, also when its parameters
// cannot be read any more.
func (a *Agent) stepDown(k *kernel, r *pb.Resource) error {
	s, err := a.parse(r)
	if err == nil {
		return a.turn(k, r, s.sync, Backup)
	}
	a.syncing.Lock()
	defer a.syncing.Unlock()
	d, ok := a.roles[r.GetId()]
	if !ok {
		return nil
	}
	d.Role = Backup
	a.roles[r.GetId()] = d
	return a.setDaemons(k)
}

// setDaemons has the daemons run that the roles ask for. The kernel has one of
// each role; of several resources that differ, one is served and the other named.
// a.syncing is held.
func (a *Agent) setDaemons(k *kernel) error {
	wanted := map[Role]Daemon{}
	var err error
	for id, d := range a.roles {
		other, taken := wanted[d.Role]
		if taken && other != d {
			err = fmt.Errorf("resource %s: sync over %s with number %d: the kernel has one %s, and another resource's is %s with %d",
				id, d.Link, d.ID, d.Role, other.Link, other.ID)
			continue
		}
		wanted[d.Role] = d
	}
	var list []Daemon
	for _, d := range wanted {
		list = append(list, d)
	}
	err = errors.Join(err, k.daemon.set(list...))
	a.hear(err)
	return err
}

// syncDetail says what is copied, for people.
func (a *Agent) syncDetail(r *pb.Resource) string {
	a.syncing.Lock()
	defer a.syncing.Unlock()
	d, ok := a.roles[r.GetId()]
	if !ok {
		return ""
	}
	return fmt.Sprintf(", sync: %s on %s", d.Role, d.Link)
}
