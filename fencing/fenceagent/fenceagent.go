// Package fenceagent uses fencing devices by the programs that are installed on a
// node: fence_ipmilan, fence_apc and the others of the packages fence-agents.
//
// Such a program reads what to do from its standard input, NAME=VALUE a line, so
// that no password is in a list of processes on its account, and answers by its exit
// status. What it describes of itself is XML, asked for once for each state of its
// file. Each run is a session of its own, and is killed with all of it when its time
// is up. What it says is kept for people without the secrets that it was told.
//
// A cycle of off and on at once is never asked for, whatever the parameter method says.
//
// Source: FenceAgentAPI.md of ClusterLabs' fence-agents.
package fenceagent

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

var (
	_ fencing.Type    = (*Program)(nil)
	_ fencing.Catalog = (*Catalog)(nil)
)

// places are where programs are looked for besides the agent's own PATH.
var places = []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}

// A Catalog has the programs of one node.
type Catalog struct {
	links string // directory for links to our own program; empty: none

	mu       sync.Mutex
	programs map[string]*Program // by name, once asked for
}

// New returns a catalog that has run nothing yet. It makes a directory, if it is given
// one, for links to our own program.
func New(links string) *Catalog { return &Catalog{links: links, programs: make(map[string]*Program)} }

var programName = regexp.MustCompile(`^fence_[A-Za-z0-9_]{1,60}$`)

// Find implements [fencing.Catalog]. "stonith:" before a name, as in a CIB, is left
// out. The program need not be installed.
func (c *Catalog) Find(name string) (fencing.Type, error) {
	name = strings.TrimPrefix(name, "stonith:")
	if !programName.MatchString(name) {
		return nil, fmt.Errorf("%q is no type of fencing devices; use a name like fence_ipmilan", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.programs[name]
	if p == nil {
		p = &Program{name: name, links: c.links}
		c.programs[name] = p
	}
	return p, nil
}

// Installed implements [fencing.Catalog].
func (c *Catalog) Installed() []string {
	found := make(map[string]bool)
	for _, dir := range directories() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if programName.MatchString(e.Name()) && executable(filepath.Join(dir, e.Name())) {
				found[e.Name()] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func directories() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), places...)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// A Program is one of the installed programs. Its methods may be called at once.
type Program struct {
	name  string
	links string // see Catalog
	description
}

// path is where the program is; empty: nowhere.
func (p *Program) path() string {
	for _, dir := range directories() {
		if path := filepath.Join(dir, p.name); filepath.IsAbs(path) && executable(path) {
			return path
		}
	}
	return ""
}

// Missing implements [fencing.Type].
func (p *Program) Missing() error {
	if p.path() == "" {
		return fmt.Errorf("%s is not installed on this node", p.name)
	}
	return nil
}

// Run implements [fencing.Type].
func (p *Program) Run(ctx context.Context, d *pb.FencingDevice, action string, to fencing.Target) (fencing.Answer, error) {
	told := p.told(d, action, to)
	more := p.apart(ctx, told)
	input, err := lines(told)
	if err != nil {
		return fencing.Answer{}, err
	}
	e, err := p.execute(ctx, input, more, secretsOf(d))
	if err != nil {
		return fencing.Answer{}, err
	}
	return e.answer(action)
}

// told is what the program is told. The parameter that names the plug is given
// unless the device says otherwise.
func (p *Program) told(d *pb.FencingDevice, action string, to fencing.Target) map[string]string {
	told := map[string]string{"action": fencing.Command(d, action)}
	if argument := argument(d); argument != "" && to.Plug != "" {
		told[argument] = to.Plug
	}
	if to.Node != "" {
		told["nodename"] = to.Node
	}
	for name, value := range d.GetParameters() {
		if fencing.Own(name) || name == "action" || name == "method" || value == "" {
			continue
		}
		told[name] = value
	}
	return told
}

// lines writes what a program is told, a line each.
func lines(told map[string]string) (string, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(told)) {
		if strings.ContainsAny(told[name], "\r\n") {
			return "", &fencing.ParameterError{Parameter: name, Problem: "has several lines, which a program cannot be told"}
		}
		fmt.Fprintf(&b, "%s=%s\n", name, told[name])
	}
	return b.String(), nil
}

// argument is the parameter that names what is switched (pcmk_host_argument).
func argument(d *pb.FencingDevice) string {
	switch given := d.GetParameters()["pcmk_host_argument"]; given {
	case "":
		return d.GetTraits().GetArgument()
	case "none":
		return ""
	default:
		return given
	}
}
