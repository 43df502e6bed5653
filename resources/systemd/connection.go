package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// booted reports whether systemd runs this machine (sd_booted(3)).
func booted() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

var errNotBooted = errors.New("systemd does not run this node")

// answerTime bounds a question to systemd that nobody else bounds.
const answerTime = 5 * time.Second

// dial connects to systemd, unless that takes too long. Only root may use its own
// socket; others come by way of the message bus.
func dial() (*dbus.Conn, error) {
	if !booted() {
		return nil, errNotBooted
	}
	ctx, end := context.WithCancel(context.Background()) // closes the connection
	slow := time.AfterFunc(answerTime, end)
	defer slow.Stop()
	c, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		var busErr error
		if c, busErr = dbus.NewSystemConnectionContext(ctx); busErr != nil {
			return nil, fmt.Errorf("connect to systemd: %w", err)
		}
	}
	if err := c.Subscribe(); err != nil {
		c.Close()
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	return c, nil
}

// with connects, and calls f with what is known of the unit.
func (a *Agent) with(ctx context.Context, f func(*dbus.Conn, *unit) error) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerTime)
		defer cancel()
	}
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.Close()
	u, err := a.read(ctx, c)
	if err != nil {
		return err
	}
	return f(c, u)
}

// look returns what is known of the unit.
func (a *Agent) look(ctx context.Context) (found *unit, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err = a.with(ctx, func(_ *dbus.Conn, u *unit) error {
		found = u
		return nil
	})
	return found, err
}

// A request enqueues a job; see [dbus.Conn.StartUnitContext].
type request func(ctx context.Context, unit, mode string, result chan<- string) (int, error)

// results are the words for how a job ended that did not do what it was for
// (org.freedesktop.systemd1(5), JobRemoved).
var results = map[string]string{
	"canceled":    "another request came before it was done",
	"timeout":     "systemd's own time for the job is over",
	"dependency":  "a unit that it depends on failed",
	"skipped":     "it does not apply to the unit as it is",
	"invalid":     "the unit knows no such job",
	"assert":      "an assertion of the unit does not hold on this node",
	"unsupported": "the unit is of a kind that is not supported on this node",
	"collected":   "the unit was unloaded",
	"once":        "the unit may be started once only",
	"frozen":      "the unit is frozen",
}

// job has systemd do something with the unit, and waits for the outcome.
func (a *Agent) job(ctx context.Context, ask request, what, mode string) error {
	result := make(chan string, 1)
	if _, err := ask(ctx, a.unit, mode, result); err != nil {
		return fmt.Errorf("%s %s: %w", what, a.unit, err)
	}
	select {
	case said := <-result:
		if said == "done" {
			return nil
		}
		return fmt.Errorf("%s: %s", what, a.unfinished(ctx, said))
	case <-ctx.Done():
		return fmt.Errorf("%s: %s is not done in time: %w", what, a.unit, ctx.Err())
	}
}

// unfinished says why a job did not do what it was for.
func (a *Agent) unfinished(ctx context.Context, result string) string {
	text := results[result]
	if text == "" {
		text = "the job ended as " + result
	}
	u, err := a.look(context.WithoutCancel(ctx))
	if result == "failed" && err == nil {
		text = u.why()
	}
	return fmt.Sprintf("%s: %s; see journalctl -u %s", a.unit, text, a.unit)
}
