package systemd

import (
	"context"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"quorate/resources"
)

var _ resources.Family = (*Family)(nil)

// standard is the first part of the names of units. A name may also begin with
// service, which in Pacemaker is whatever a node has of that name: a unit here, as
// systemd makes one of each init script, too (systemd-sysv-generator(8)).
const (
	standard = "systemd"
	whatever = "service"
)

// A Family has the units of one node.
type Family struct {
	log *slog.Logger

	mu     sync.Mutex
	agents map[string]*Agent // by unit, once asked for
}

// Config is what a Family is given.
type Config struct {
	Log *slog.Logger // nil: none
}

// New returns a family that has done nothing yet.
func New(c Config) *Family {
	f := &Family{log: c.Log, agents: make(map[string]*Agent)}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

const serviceSuffix = ".service"

// suffixes are of the kinds of units that can be started and stopped at will
// (systemd.unit(5)).
var suffixes = []string{serviceSuffix, ".socket", ".timer", ".mount", ".automount", ".path", ".swap", ".target"}

// unitName is the name of a unit, which is no template.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]+)?$`)

// longestName is that of systemd's UNIT_NAME_MAX.
const longestName = 255

// Find implements [resources.Family]. Without a suffix a name is that of a service,
// as for systemctl.
func (f *Family) Find(name string) resources.Agent {
	class, unit, _ := strings.Cut(name, ":")
	if class != standard && class != whatever {
		return nil
	}
	suffix := filepath.Ext(unit)
	switch {
	case slices.Contains(suffixes, suffix):
	case slices.Contains([]string{".slice", ".scope", ".device", ".snapshot"}, suffix):
		return nil
	default:
		unit += serviceSuffix
	}
	if !unitName.MatchString(strings.TrimSuffix(unit, filepath.Ext(unit))) || len(unit) > longestName {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.agents[unit]
	if a == nil {
		a = &Agent{family: f, name: standard + ":" + strings.TrimSuffix(unit, serviceSuffix), unit: unit}
		f.agents[unit] = a
	}
	return a
}

// Installed implements [resources.Family]: the units that have a file, and are no
// templates. What cannot be asked for is not there.
func (f *Family) Installed() []string {
	c, err := dial()
	if err != nil {
		return nil
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	files, err := c.ListUnitFilesContext(ctx)
	if err != nil {
		f.log.Warn("systemd does not list its units", "err", err)
		return nil
	}
	var names []string
	for _, file := range files {
		unit := filepath.Base(file.Path)
		suffix := filepath.Ext(unit)
		if slices.Contains(suffixes, suffix) && !strings.HasSuffix(strings.TrimSuffix(unit, suffix), "@") && !strings.HasPrefix(file.Type, "masked") {
			names = append(names, standard+":"+strings.TrimSuffix(unit, serviceSuffix))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
