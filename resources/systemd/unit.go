package systemd

import (
	"context"
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"quorate/resources"
)

// States of a unit that matter here (org.freedesktop.systemd1(5), ActiveState).
const (
	stateActive   = "active"
	stateInactive = "inactive"
	stateFailed   = "failed"
)

// A unit is what systemd says of one.
type unit struct {
	id          string // its own name, if it was asked for by an alias
	description string
	load        string // loaded, not-found, masked, bad-setting, error
	loadError   string
	active, sub string // inactive, activating, active, …; in finer words
	file        string // of the unit
	enablement  string // of the file: enabled, disabled, static, …
	stale       bool   // the file has changed since it was loaded
	triggers    []string

	result string // of a service: success, exit-code, signal, timeout, …
	code   int32  // of its main process: how it ended, as in waitid(2)
	status int32  // and its exit status, or the signal
	pid    uint32
	slice  string
}

// read asks systemd about the unit, and loads it if need be.
func (a *Agent) read(ctx context.Context, c *dbus.Conn) (*unit, error) {
	p, err := c.GetUnitPropertiesContext(ctx, a.unit)
	if err != nil {
		return nil, fmt.Errorf("ask systemd about %s: %w", a.unit, err)
	}
	u := &unit{
		id: value[string](p, "Id"), description: value[string](p, "Description"), load: value[string](p, "LoadState"),
		active: value[string](p, "ActiveState"), sub: value[string](p, "SubState"), file: value[string](p, "FragmentPath"),
		enablement: value[string](p, "UnitFileState"), stale: value[bool](p, "NeedDaemonReload"),
		triggers: value[[]string](p, "TriggeredBy"), result: "success",
	}
	if e := value[[]any](p, "LoadError"); len(e) == 2 {
		u.loadError, _ = e[1].(string)
	}
	if strings.HasSuffix(a.unit, serviceSuffix) && u.load == "loaded" {
		p, err := c.GetUnitTypePropertiesContext(ctx, a.unit, "Service")
		if err != nil {
			return nil, fmt.Errorf("ask systemd about %s: %w", a.unit, err)
		}
		u.result, u.pid = value[string](p, "Result"), value[uint32](p, "MainPID")
		u.slice = value[string](p, "Slice")
		u.code, u.status = value[int32](p, "ExecMainCode"), value[int32](p, "ExecMainStatus")
	}
	return u, nil
}

// value is a property, or the zero value.
func value[T any](properties map[string]any, name string) T {
	v, _ := properties[name].(T)
	return v
}

// isDown reports whether nothing of the unit runs.
func (u *unit) isDown() bool {
	return u.active == stateInactive || u.active == stateFailed
}

// Kinds of obstacles.
const (
	notInstalled = "not-installed"
	masked       = "unit-masked"
)

// obstacle is what keeps the unit from starting on this node, or nil.
func (u *unit) obstacle() *resources.Fault {
	f := &resources.Fault{Kind: notInstalled, Obstacle: true}
	switch u.load {
	case "loaded":
		return nil
	case "not-found":
		f.Text = fmt.Sprintf("there is no unit %s on this node", u.id)
	case "masked":
		f.Kind, f.Text = masked, fmt.Sprintf("%s is masked on this node; try systemctl unmask %s", u.id, u.id)
	default:
		f.Text = fmt.Sprintf("systemd cannot load %s on this node: %s", u.id, u.loadError)
	}
	return f
}

// isEnabled reports whether systemd starts the unit by itself, at a boot.
func (u *unit) isEnabled() bool {
	return strings.HasPrefix(u.enablement, "enabled")
}

// remarks are what a person should know who gives the unit to the cluster.
func (u *unit) remarks() []string {
	var list []string
	if u.isEnabled() {
		list = append(list, fmt.Sprintf("%s is enabled on this node: systemd starts it at a boot whatever the cluster says; use systemctl disable %s", u.id, u.id))
	}
	for _, other := range u.triggers {
		list = append(list, fmt.Sprintf("%s is started by %s, too: let the cluster run that one, or disable it", u.id, other))
	}
	return list
}

// details are those of a unit that runs.
func (u *unit) details() []string {
	var list []string
	if u.pid != 0 {
		list = append(list, fmt.Sprintf("pid %d", u.pid))
	}
	if u.isEnabled() {
		list = append(list, "enabled, so that a boot starts it too")
	}
	if u.stale {
		list = append(list, "its file has changed since it was started")
	}
	return list
}

// Codes of how a process ended (waitid(2)).
const (
	exited = 1
	killed = 2
	dumped = 3
)

// why says how the unit's main process ended, or else what systemd says of it.
func (u *unit) why() string {
	switch {
	case u.result == "timeout":
		return "it did not answer systemd in time"
	case u.code == exited && u.status != 0:
		return fmt.Sprintf("its main process ended with exit status %d", u.status)
	case u.code == killed || u.code == dumped:
		return fmt.Sprintf("its main process was ended by %s", unix.SignalName(unix.Signal(u.status)))
	}
	return fmt.Sprintf("systemd calls it %s (%s)", u.sub, u.result)
}
