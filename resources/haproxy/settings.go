package haproxy

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// settings are the parameters of one resource and its files in the run
// directory.
type settings struct {
	id     string
	socket string // of the master; it identifies the resource's processes
	copy   string // of the configuration that runs
	log    string // what haproxy said when it was launched
	states string // of the servers, for a worker to begin with
	added  []int  // lines of the copy that are not the user's

	source   string // the parameter that the configuration comes from
	conffile string
	text     string // of parameter config
	binary   string // its path
	options  []string
	nonlocal bool
}

// place returns the settings that do not depend on parameters, and suffice to
// find and end what runs.
func place(r *pb.Resource, runDir string) *settings {
	return at(r.GetId(), filepath.Join(runDir, "haproxy", url.PathEscape(r.GetId())))
}

func at(id, base string) *settings {
	return &settings{id: id, socket: base + ".sock", copy: base + ".cfg", log: base + ".log", states: base + ".states"}
}

// beside returns the settings of the resource that a copy in the same directory
// belongs to.
func beside(path string) *settings {
	base := strings.TrimSuffix(path, ".cfg")
	id, err := url.PathUnescape(filepath.Base(base))
	if err != nil {
		id = filepath.Base(base)
	}
	return at(id, base)
}

func parse(r *pb.Resource, runDir string) (*settings, error) {
	get := func(name string) string { return resources.Parameter(metadata, r, name) }
	s := place(r, runDir)
	s.text, s.conffile, s.source = get("config"), get("conffile"), "conffile"
	if s.text != "" {
		s.source = "config"
	}
	var ok bool
	var err error
	switch {
	case s.text != "" && r.GetParameters()["conffile"] != "":
		return nil, wrong("config", "keep one of them", "is given together with conffile")
	case !filepath.IsAbs(s.conffile):
		return nil, wrong("conffile", "give an absolute path", "%q is relative", s.conffile)
	case len(s.socket)+len(".1234567.tmp") >= len(unix.RawSockaddrUnix{}.Path):
		return nil, fmt.Errorf("resource %s: its name is too long for the path of a socket in %s", s.id, runDir)
	}
	if s.nonlocal, ok = resources.Bool(get("nonlocal_bind")); !ok {
		return nil, wrong("nonlocal_bind", "give true or false", "%q is not a boolean", get("nonlocal_bind"))
	}
	if s.binary, err = exec.LookPath(get("binpath")); err != nil {
		return nil, wrong("binpath", "install haproxy, or give the path of its program", "%q is not a program on this node", get("binpath"))
	}
	s.options, err = parseOptions(get("extraconf"))
	return s, err
}

func wrong(parameter, fix, format string, args ...any) error {
	return &resources.ParameterError{Parameter: parameter, Problem: fmt.Sprintf(format, args...), Fix: fix}
}

// parseOptions refuses what would take the process out of the agent's hands.
func parseOptions(value string) ([]string, error) {
	options := strings.Fields(value)
	for _, o := range options {
		if slices.Contains([]string{"-D", "-db", "-W", "-Ws", "-S", "-p", "-c", "-v", "-vv", "-d", "-sf", "-st", "-x"}, o) {
			return nil, wrong("extraconf", "leave it out", "%s is the agent's own", o)
		}
	}
	return options, nil
}

// arguments are haproxy's; a reload keeps them.
func (s *settings) arguments() []string {
	return slices.Concat([]string{"-W", "-D", "-S", s.listener()}, s.files())
}

// listener is the master's listener. Only root may ask it.
func (s *settings) listener() string { return s.socket + ",mode,600" }

// files are the arguments that a check shares with a launch.
func (s *settings) files() []string {
	file := s.copy
	if s.directory() {
		file = s.conffile
	}
	return append([]string{"-f", file}, s.options...)
}

// directory reports whether haproxy is to read a directory by itself.
func (s *settings) directory() bool {
	info, err := os.Stat(s.conffile)
	return s.source == "conffile" && err == nil && info.IsDir()
}

// installed returns the configuration that was copied for what runs.
func (s *settings) installed() string {
	b, err := os.ReadFile(s.copy)
	if err != nil {
		return ""
	}
	return string(b)
}

// wanted returns what the copy of a configuration is to be.
func (s *settings) wanted(text string) string {
	text, s.added = s.carrying(text)
	return text
}

// install makes text the copy that the next launch or reload reads. It may hold
// passwords.
func (s *settings) install(text string) error {
	if err := os.MkdirAll(filepath.Dir(s.copy), 0o700); err != nil {
		return err
	}
	if text == "" { // a directory is not copied
		if err := os.Remove(s.copy); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.WriteFile(s.copy+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(s.copy+".new", s.copy)
}
