package ocf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"quorate/resources"
)

var _ resources.Family = (*Family)(nil)

// standard is the first part of the names of scripts.
const standard = "ocf"

// A Family has the scripts of one node: OCF_ROOT/resource.d/PROVIDER/TYPE.
type Family struct {
	root     string
	commands string // directory of the commands that scripts call; empty: none
	socket   string // of the agent
	files    string // directory of the files that mark processes; empty: none
	node     func() string
	nodeID   string
	log      *slog.Logger

	mu     sync.Mutex
	agents map[string]*Agent // by name, once asked for
}

// New returns a family that has run nothing yet. It fails when the commands for
// scripts cannot be put into the run directory.
func New(c Config) (*Family, error) {
	f := &Family{
		root: cmp.Or(c.Root, "/usr/lib/ocf"), socket: c.Socket, node: c.Node, nodeID: c.NodeID, log: c.Log,
		agents: make(map[string]*Agent),
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.node == nil {
		f.node = func() string { return "" }
	}
	if c.RunDir != "" {
		f.commands, f.files = filepath.Join(c.RunDir, "ocf"), filepath.Join(c.RunDir, "marks")
		if err := putCommands(f.commands); err != nil {
			return nil, fmt.Errorf("commands for scripts: %w", err)
		}
		if err := makeScratch(); err != nil {
			f.log.Warn("scripts may find no place for their states", "err", err)
		}
	}
	return f, nil
}

// part is a PROVIDER or a TYPE: one name of a file, which is not hidden.
var part = regexp.MustCompile(`^[A-Za-z0-9_+-][A-Za-z0-9_.+-]*$`)

// Find implements [resources.Family].
func (f *Family) Find(name string) resources.Agent {
	parts := strings.Split(name, ":")
	if len(parts) != 3 || parts[0] != standard || !part.MatchString(parts[1]) || !part.MatchString(parts[2]) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.agents[name]
	if a == nil {
		a = &Agent{family: f, name: name, path: filepath.Join(f.directory(), parts[1], parts[2])}
		f.agents[name] = a
	}
	return a
}

func (f *Family) directory() string { return filepath.Join(f.root, "resource.d") }

// Installed implements [resources.Family]. What cannot be read is not there.
func (f *Family) Installed() []string {
	var names []string
	providers, _ := os.ReadDir(f.directory())
	for _, p := range providers {
		scripts, _ := os.ReadDir(filepath.Join(f.directory(), p.Name()))
		for _, s := range scripts {
			name := standard + ":" + p.Name() + ":" + s.Name()
			if part.MatchString(p.Name()) && part.MatchString(s.Name()) && executable(name, filepath.Join(f.directory(), p.Name(), s.Name())) == nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// executable returns why a file is no script that can be run.
func executable(name, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not installed on this node (%s)", name, path)
	case err != nil:
		return fmt.Errorf("%s cannot be used on this node: %w", name, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s cannot be used on this node: %s is no file", name, path)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s cannot be run on this node: %s is not executable, try chmod +x", name, path)
	}
	return nil
}
