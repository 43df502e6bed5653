package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

func (d *demo) owner(ctx context.Context) (string, error) {
	v, err := d.cluster.Settled(ctx)
	return v.Owners[vipResource], err
}

func (d *demo) plannedMove(ctx context.Context) error {
	owner, err := d.owner(ctx)
	if err != nil {
		return err
	}
	q := &quorate{Cluster: d.cluster, resource: vipResource, vip: VIP}
	target := q.other(owner)
	d.title("A planned move, from %s to %s", owner, target)
	began := now()
	if err := q.move(ctx, owner); err != nil {
		return err
	}
	return d.tell(ctx, began, func(o string) error { return is("owner", o, target) })
}

func (d *demo) powerOff(ctx context.Context) error {
	owner, err := d.owner(ctx)
	if err != nil {
		return err
	}
	d.title("The power of the owner, %s, goes off", owner)
	began, err := d.fault(ctx, PowerOff, owner)
	if err != nil {
		return err
	}
	if _, err := d.cluster.AwaitOwner(ctx, vipResource, owner, func(o string) bool { return o != owner }); err != nil {
		return err
	}
	return d.tellWithout(ctx, began, owner)
}

// manualReturn: what came to another node stays there when the node is back.
func (d *demo) manualReturn(ctx context.Context) error {
	dead, err := d.dead(ctx)
	if err != nil {
		return err
	}
	d.title("%s returns; with failback=manual its work stays where it is", dead)
	node := (&quorate{Cluster: d.cluster}).other(dead)
	if _, err := d.cluster.Type(ctx, node, "pcs resource defaults failback=manual"); err != nil {
		return err
	}
	v, err := d.cluster.View(ctx, node)
	if err != nil {
		return err
	}
	keeps := v.Owners[vipResource]
	began, err := d.fault(ctx, Heal, dead)
	if err != nil {
		return err
	}
	return d.tell(ctx, began, func(o string) error { return is("owner", o, keeps) })
}

// preferredReturn: a location constraint brings it back.
func (d *demo) preferredReturn(ctx context.Context) error {
	owner, err := d.owner(ctx)
	if err != nil {
		return err
	}
	d.title("The power of the owner, %s, goes off again; this time it is preferred", owner)
	other := (&quorate{Cluster: d.cluster}).other(owner)
	for _, line := range []string{
		"pcs resource defaults failback=score",
		"pcs constraint location " + vipResource + " prefers " + owner + "=50",
	} {
		if _, err := d.cluster.Type(ctx, other, line); err != nil {
			return err
		}
	}
	began, err := d.fault(ctx, PowerOff, owner)
	if err != nil {
		return err
	}
	if _, err := d.cluster.AwaitOwner(ctx, vipResource, owner, func(o string) bool { return o != owner }); err != nil {
		return err
	}
	if err := d.tellWithout(ctx, began, owner); err != nil {
		return err
	}
	d.title("%s returns, and what prefers it comes back", owner)
	if began, err = d.fault(ctx, Heal, owner); err != nil {
		return err
	}
	if _, err := d.cluster.AwaitOwner(ctx, vipResource, "", func(o string) bool { return o == owner }); err != nil {
		return err
	}
	return d.tell(ctx, began, func(o string) error { return is("owner", o, owner) })
}

func (d *demo) fault(ctx context.Context, f Fault, host string) (began time.Duration, err error) {
	d.typed("lab", fmt.Sprintf("quorate lab fault %s %s", f, host))
	began = now()
	_, err = d.cluster.Lab.Fault(ctx, f, host)
	return began, err
}

func (d *demo) dead(ctx context.Context) (string, error) {
	hosts, err := d.cluster.Lab.Status(ctx)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(hosts, func(h HostStatus) bool { return !h.Power })
	if i < 0 {
		return "", errors.New("no node is without power")
	}
	return hosts[i].Name, nil
}
