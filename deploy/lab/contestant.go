package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// quorate is the contestant that this project is about.
type quorate struct {
	*Cluster
	resource string
	vip      netip.Addr
}

// newQuorate finds the address that the lab's cluster keeps. Without a cluster
// it makes one, and without an address it creates one.
func newQuorate(ctx context.Context, c *Cluster, shape Shape) (*quorate, error) {
	nodes := c.Lab.Spec.Nodes()
	if err := c.Ready(ctx); err != nil {
		return nil, err
	}
	v, err := c.View(ctx, nodes[0])
	if err != nil {
		return nil, err
	}
	if v.GetState().GetClusterId() == "" {
		if err := c.Form(ctx, shape); err != nil {
			return nil, err
		}
	} else if runs := v.GetTiming().GetProfile(); shape.Profile != "" && shape.Profile != runs {
		return nil, fmt.Errorf("profile: this lab's cluster runs %s; leave the profile out, or use a lab of its own", runs)
	}
	q := &quorate{Cluster: c}
	if q.find(v.GetState().GetResources()) {
		return q, nil
	}
	q.resource, q.vip = vipResource, VIP
	return q, c.CreateVIP(ctx)
}

func (q *quorate) find(resources []*pb.Resource) bool {
	for _, r := range resources {
		if a, err := netip.ParseAddr(r.GetParameters()["ip"]); err == nil {
			q.resource, q.vip = r.GetId(), a
			return true
		}
	}
	return false
}

func (q *quorate) name() string        { return "" }
func (q *quorate) address() netip.Addr { return q.vip }

func (q *quorate) prepare(ctx context.Context, t task) (owner, leader string, err error) {
	v, err := q.Settled(ctx)
	if err != nil {
		return "", "", err
	}
	owner, leader = v.Owners[q.resource], v.Leader
	role := t.Owner
	if t.Event == EventLeaderKill {
		role = Follower
	}
	switch {
	case role == Follower && owner == leader:
		err = q.move(ctx, owner)
	case role == Leader && owner != leader:
		err = q.moveTo(ctx, leader)
	default:
		return owner, leader, nil
	}
	if err != nil {
		return "", "", err
	}
	return q.prepare(ctx, t)
}

// move moves the address to a node that is neither its owner nor, if there is
// a third, the leader.
func (q *quorate) move(ctx context.Context, owner string) error {
	return q.moveTo(ctx, q.other(owner))
}

func (q *quorate) moveTo(ctx context.Context, target string) error {
	if _, err := q.Type(ctx, target, fmt.Sprintf("pcs resource move %s %s", q.resource, target)); err != nil {
		return err
	}
	_, err := q.AwaitOwner(ctx, q.resource, "", func(now string) bool { return now == target })
	return err
}

// other is the next node after one, so that moves visit all.
func (q *quorate) other(than string) string {
	nodes := q.Lab.Spec.Nodes()
	for i, n := range nodes {
		if n == than {
			return nodes[(i+1)%len(nodes)]
		}
	}
	return nodes[0]
}

var eventFaults = map[Event]Fault{
	EventPowerOff: PowerOff, EventCut: Cut, EventKill: Kill, EventFreeze: Freeze, EventLeaderKill: Kill,
}

func (q *quorate) cause(ctx context.Context, e Event, owner, leader string) error {
	victim := owner
	if e == EventLeaderKill {
		victim = leader
	}
	switch e {
	case EventMove:
		return q.move(ctx, owner)
	case EventStop:
		_, err := q.Type(ctx, q.other(owner), "pcs cluster stop "+owner)
		return err
	default:
		_, err := q.Lab.Fault(ctx, eventFaults[e], victim)
		return err
	}
}

func (q *quorate) answer(ctx context.Context, e Event, owner, leader string) error {
	if e != EventLeaderKill {
		_, err := q.AwaitOwner(ctx, q.resource, owner, func(now string) bool { return now != owner })
		return err
	}
	return await(ctx, "another leader", func() error {
		v, err := q.View(ctx, owner)
		if err == nil && (v.Leader == "" || v.Leader == leader) {
			err = errors.New("none yet")
		}
		return err
	})
}

func (q *quorate) repair(ctx context.Context, e Event, owner, leader string) error {
	var err error
	switch e {
	case EventMove:
	case EventStop:
		_, err = q.Type(ctx, q.other(owner), "pcs cluster start "+owner)
	case EventLeaderKill:
		_, err = q.Lab.Fault(ctx, Heal, leader)
	default:
		_, err = q.Lab.Fault(ctx, Heal, owner)
	}
	if err != nil {
		return err
	}
	_, err = q.Settled(ctx)
	return err
}

// keepalived is what most people use today.
type keepalived struct {
	lab      *Lab
	interval string // advert_int, in seconds
}

// keepalivedSpec is a lab in which keepalived keeps VIP. The nodes are equal
// but for their priority, and the address stays where it is when a node returns.
func keepalivedSpec(name string, nodes []string, interval string) Spec {
	command := []string{
		"keepalived", "--dont-fork", "--log-console", "--dont-respawn", "--vrrp",
		"--use-file=/etc/quorate/keepalived.conf", "--pid=/run/keepalived.pid", "--vrrp_pid=/run/vrrp.pid",
	}
	s := NewSpec(name, nodes, command)
	for i := range nodes {
		s.Hosts[i].Files = map[string]string{"keepalived.conf": fmt.Sprintf(keepalivedConf, 150-10*i, interval, VIP)}
	}
	return s
}

const keepalivedConf = `global_defs {
    vrrp_version 3
    script_user root
}
vrrp_instance VI_1 {
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 51
    priority %d
    advert_int %s
    virtual_ipaddress {
        %s/32
    }
}
`

func (k *keepalived) name() string        { return "keepalived, advert_int " + k.interval }
func (k *keepalived) address() netip.Addr { return VIP }

// owners returns the nodes that have the address.
func (k *keepalived) owners(ctx context.Context) ([]string, error) {
	var owners []string
	for _, n := range k.lab.Spec.Nodes() {
		out, err := k.lab.Output(ctx, n, "ip", "-o", "-4", "addr", "show", "dev", "eth0")
		if errors.Is(err, ErrNoPower) || err != nil && strings.Contains(err.Error(), "has no power") {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.Contains(out, " "+VIP.String()+"/") {
			owners = append(owners, n)
		}
	}
	return owners, nil
}

func (k *keepalived) prepare(ctx context.Context, _ task) (owner, leader string, err error) {
	err = await(ctx, "one owner", func() error {
		owners, err := k.owners(ctx)
		if err == nil && len(owners) != 1 {
			return fmt.Errorf("owners: %q", owners)
		}
		if err == nil {
			owner = owners[0]
		}
		return err
	})
	return owner, "", err
}

// cause: keepalived has no move and no stop but to end it, and two processes to kill.
func (k *keepalived) cause(ctx context.Context, e Event, owner, _ string) error {
	var err error
	switch e {
	case EventMove, EventStop:
		_, err = k.lab.Output(ctx, owner, "pkill", "-TERM", "-o", "-x", "keepalived")
	case EventKill:
		_, err = k.lab.Output(ctx, owner, "pkill", "-KILL", "-x", "keepalived")
	case EventFreeze:
		_, err = k.lab.Output(ctx, owner, "pkill", "-STOP", "-x", "keepalived")
	case EventPowerOff, EventCut:
		_, err = k.lab.Fault(ctx, eventFaults[e], owner)
	default:
		err = fmt.Errorf("event %s: keepalived has no such thing", e)
	}
	return err
}

func (k *keepalived) answer(ctx context.Context, _ Event, owner, _ string) error {
	return await(ctx, "another owner", func() error {
		owners, err := k.owners(ctx)
		if err != nil {
			return err
		}
		for _, o := range owners {
			if o != owner {
				return nil
			}
		}
		return fmt.Errorf("owners: %q", owners)
	})
}

func (k *keepalived) repair(ctx context.Context, e Event, owner, _ string) error {
	if e == EventFreeze {
		if _, err := k.lab.Output(ctx, owner, "pkill", "-CONT", "-x", "keepalived"); err != nil {
			return err
		}
	} else if _, err := k.lab.Fault(ctx, Heal, owner); err != nil {
		return err
	}
	_, _, err := k.prepare(ctx, task{Event: e})
	return err
}
