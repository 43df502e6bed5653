package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A follower hears of the changes of one unit.
type follower struct {
	*dbus.Conn
	updates chan *dbus.PropertiesUpdate
	missed  chan error // there were more than updates holds
}

// follow connects, so that every change from now on is heard.
func follow() (*follower, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	const many = 256 // of all units, while ours are being looked at
	f := &follower{c, make(chan *dbus.PropertiesUpdate, many), make(chan error, 1)}
	c.SetPropertiesSubscriber(f.updates, f.missed)
	return f, nil
}

// aliveTime is how often it is looked whether systemd is still there. It closes the
// connection when it executes itself anew.
const aliveTime = time.Second

// next waits until the unit may have changed. An error: nothing is heard any more.
func (f *follower) next(ctx context.Context, id string) error {
	alive := time.NewTicker(aliveTime)
	defer alive.Stop()
	for {
		select {
		case u := <-f.updates:
			if _, changed := u.Changed["ActiveState"]; changed && u.UnitName == id {
				return nil
			}
		case <-f.missed:
			return nil
		case <-alive.C:
			if !f.Connected() {
				return fmt.Errorf("systemd has closed the connection")
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settled returns what the unit is once it is neither starting nor stopping, or
// what it is when the time is over.
func (a *Agent) settled(ctx context.Context) (*unit, error) {
	f, err := follow()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		u, err := a.read(ctx, f.Conn)
		if err != nil {
			return nil, err
		}
		if u.active != "activating" && u.active != "deactivating" {
			return u, nil
		}
		if f.next(ctx, u.id) != nil {
			return u, nil
		}
	}
}

// Watch implements [resources.Watcher].
func (a *Agent) Watch(ctx context.Context, _ *pb.Resource, changed func(why string)) error {
	for lost := false; ctx.Err() == nil; lost = true {
		if lost {
			changed("systemd could not be heard for a while")
		}
		if err := a.watch(ctx, changed); err != nil && ctx.Err() == nil {
			a.family.log.Info("unit is not watched for now", "unit", a.unit, "err", err)
			pause(ctx, aliveTime)
		}
	}
	return nil
}

// watch tells of every end of the unit, until nothing is heard any more.
func (a *Agent) watch(ctx context.Context, changed func(why string)) error {
	f, err := follow()
	if err != nil {
		return err
	}
	defer f.Close()
	for ran := false; ; {
		u, err := a.read(ctx, f.Conn)
		if err != nil {
			return err
		}
		if ran && u.isDown() {
			changed(fmt.Sprintf("%s is %s: %s", a.unit, u.active, u.why()))
		}
		ran = !u.isDown()
		if err := f.next(ctx, u.id); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Survey implements [resources.Surveyor]: what is not installed or is masked keeps
// its resources off the node.
func (a *Agent) Survey(*pb.Resource) *resources.Fault {
	u, err := a.look(context.Background())
	if err != nil {
		return &resources.Fault{Kind: notInstalled, Text: err.Error(), Obstacle: true}
	}
	if f := u.obstacle(); f != nil {
		return f
	}
	for _, text := range u.remarks() {
		a.family.log.Warn("unit of the cluster", "unit", a.unit, "remark", text)
	}
	return nil
}

// lookAgain is how long a unit that was installed, masked or enabled goes unnoticed.
const lookAgain = 5 * time.Second

// Follow implements [resources.Surveyor].
func (a *Agent) Follow(ctx context.Context, changed func()) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	last := a.standing(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now := a.standing(ctx); now != last {
			last = now
			changed()
		}
	}
}

// standing is all that a Survey says, in one string.
func (a *Agent) standing(ctx context.Context) string {
	u, err := a.look(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(u.obstacle(), u.remarks())
}
