package haproxy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var _ resources.Contender = (*Agent)(nil)

// Contends implements [resources.Contender]. HAProxy binds its sockets so that
// another one of the same user can bind them as well (SO_REUSEPORT): two of them
// would each get a part of the connections, and nobody would say so.
func (a *Agent) Contends(r, other *pb.Resource) error {
	mine, err := parse(r, a.runDir)
	if err != nil {
		return nil //nolint:nilerr // what cannot be read binds nothing
	}
	theirs, err := parse(other, a.runDir)
	if err != nil {
		return nil //nolint:nilerr // likewise
	}
	b, c, found := overlap(mine.binds(), theirs.binds())
	if !found {
		return nil
	}
	e := &resources.ParameterError{
		Parameter: mine.source,
		Problem:   fmt.Sprintf("it binds %s (%s), and %s binds %s already (%s of its %s)", b, b.where(), other.GetId(), c, c.where(), theirs.source),
	}
	if b.file == "" {
		e.Lines = []int{b.line}
	}
	return e
}

// overlap returns the first two sockets, one of each list, that would take the same.
func overlap(mine, theirs []bind) (b, c bind, found bool) {
	for _, b := range mine {
		if i := slices.IndexFunc(theirs, b.overlaps); i >= 0 {
			return b, theirs[i], true
		}
	}
	return b, c, false
}

// binds returns the sockets of all that haproxy is told to read.
func (s *settings) binds() []bind {
	var all []bind
	if text, _, err := s.load(); err == nil {
		all = binds(text)
	}
	for _, file := range s.otherFiles() {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // haproxy will say so
		}
		for _, b := range binds(string(text)) {
			b.file = file
			all = append(all, b)
		}
	}
	return all
}

// otherFiles are those that haproxy reads as they are: of a directory those that
// end in .cfg (haproxy(1), -f), and those among the options.
func (s *settings) otherFiles() []string {
	var all []string
	given := []string{}
	if s.directory() {
		given = append(given, s.conffile)
	}
	for i, o := range s.options {
		if o == "-f" && i+1 < len(s.options) {
			given = append(given, s.options[i+1])
		}
	}
	for _, path := range given {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			inside, _ := filepath.Glob(filepath.Join(path, "*.cfg")) // sorted
			all = append(all, inside...)
			continue
		}
		all = append(all, path)
	}
	return all
}

// unopposed returns an error when a socket of the resource's is taken on this node:
// by another resource's haproxy, or by whoever listens there.
func (s *settings) unopposed() error {
	mine := s.binds()
	if err := s.rivalled(mine); err != nil {
		return err
	}
	taken, err := listening()
	if err != nil {
		return nil //nolint:nilerr // haproxy itself finds most of it when it binds
	}
	for _, b := range mine {
		for _, l := range taken {
			if b.space == "" && b.overlaps(l.bind) {
				return fmt.Errorf("%s (%s) is taken: %s listens on %s", b, b.where(), l.holder(), l.bind)
			}
		}
	}
	return nil
}

// rivalled compares with what runs here of other resources.
func (s *settings) rivalled(mine []bind) error {
	copies, err := filepath.Glob(filepath.Join(filepath.Dir(s.copy), "*.cfg"))
	if err != nil {
		return err
	}
	for _, path := range copies {
		other := beside(path)
		if other.id == s.id {
			continue
		}
		b, c, found := overlap(mine, binds(other.installed()))
		if !found {
			continue
		}
		if all, err := other.processes(); err == nil && len(all) > 0 {
			return fmt.Errorf("%s (%s) is taken: resource %s binds %s on this node", b, b.where(), other.id, c)
		}
	}
	return nil
}

// where says in which line of what the user wrote a socket is made.
func (b bind) where() string {
	if b.file != "" {
		return fmt.Sprintf("%s:%d", b.file, b.line)
	}
	return fmt.Sprintf("line %d", b.line)
}

// errUnseen is why it is not known who holds a socket.
var errUnseen = errors.New("no process that can be seen holds it")

// holder names who listens there.
func (l listener) holder() string {
	pid, err := l.process()
	if err != nil {
		return "another process"
	}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // empty for one that has just ended
	name := strings.TrimSpace(string(b))
	if name == "haproxy" {
		return fmt.Sprintf("another haproxy (process %d; the distribution's: systemctl disable --now haproxy)", pid)
	}
	return fmt.Sprintf("%s (process %d)", name, pid)
}
