package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
)

// A unit of the cluster has a drop-in (systemd.unit(5)) for as long as the cluster
// runs it here. It is in /run, so that a boot forgets it.
const (
	dropInRoot = "/run/systemd/system"
	dropInFile = "50-quorate.conf"

	// Stops go in the reverse order of starts: so the unit is stopped after the agent
	// has, which hands the work over before.
	ordered = "# The cluster runs this unit: see quorate status.\n[Unit]\nBefore=quorate.service\n"
	// Whether and where it is started again is for the cluster to decide.
	unrestarted = "\n[Service]\nRestart=no\n"
)

func (a *Agent) dropIn() string {
	return filepath.Join(dropInRoot, a.unit+".d", dropInFile)
}

// depend puts the drop-in there, and has systemd read it. It also has it read a
// unit's file that has changed.
func (a *Agent) depend(ctx context.Context, c *dbus.Conn, u *unit) error {
	text := ordered
	if strings.HasSuffix(a.unit, serviceSuffix) {
		text += unrestarted
	}
	old, err := os.ReadFile(a.dropIn())
	if err == nil && string(old) == text && !u.stale {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(a.dropIn()), 0o755); err != nil {
		return fmt.Errorf("drop-in of %s: %w", a.unit, err)
	}
	if err := os.WriteFile(a.dropIn(), []byte(text), 0o644); err != nil {
		return fmt.Errorf("drop-in of %s: %w", a.unit, err)
	}
	return reload(ctx, c)
}

// undepend takes the drop-in away.
func (a *Agent) undepend(ctx context.Context, c *dbus.Conn, u *unit) error {
	err := os.Remove(a.dropIn())
	switch {
	case errors.Is(err, fs.ErrNotExist) && !u.stale:
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("drop-in of %s: %w", a.unit, err)
	}
	_ = os.Remove(filepath.Dir(a.dropIn())) // unless it holds another's
	return reload(ctx, c)
}

func reload(ctx context.Context, c *dbus.Conn) error {
	if err := c.ReloadContext(ctx); err != nil {
		return fmt.Errorf("have systemd read its files again: %w", err)
	}
	return nil
}
