// Package sysctl owns settings of the kernel for resources, while they run.
//
// A setting that several resources of a node want is set once, and restored when
// the last of them is done with it. What was there before, and who wants what, is
// in a file of the run directory before anything is changed, so that it is
// restored whichever process began and however that ended. A setting that
// another hand has changed meanwhile is left as that hand wants it.
//
// What is set where, and why, the agents say.
package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Store is the settings that resources of this node, in this network
// namespace, own. Its methods may be called at the same time, also by several
// processes.
type Store struct {
	dir  string // of the file
	root string // of the kernel's files
}

// In returns the store of a run directory.
func In(runDir string) *Store { return &Store{dir: runDir, root: "/proc/sys"} }

// A Setting is owned.
type Setting struct {
	Name   string   `json:"-"`      // net.ipv4.ip_forward
	Before string   `json:"before"` // what it was
	Value  string   `json:"value"`  // what its owners want
	Owners []string `json:"owners"` // resource ids; none: it is still to be restored
}

func (s *Setting) ownedBy(owner string) bool { return slices.Contains(s.Owners, owner) }

// Set makes wanted, by name, all that an owner wants: what it wanted before and
// wants no more is restored, unless another owner wants it. An owner that wants
// something else than another is refused, and changes nothing.
func (s *Store) Set(owner string, wanted map[string]string) error {
	return s.locked(func(held settings) error {
		if err := held.agree(owner, wanted); err != nil {
			return err
		}
		err := s.note(held, owner, wanted)
		return errors.Join(err, s.write(held, owner), s.restore(held))
	})
}

// Adopt notes what an owner has changed without the store: what was before that,
// by name.
func (s *Store) Adopt(owner string, before map[string]string) error {
	return s.locked(func(held settings) error {
		for name, value := range before {
			if now, err := s.Read(name); err == nil {
				held.own(name, owner, now, value)
			}
		}
		return s.save(held)
	})
}

// Held lists what is owned, by name.
func (s *Store) Held() ([]Setting, error) {
	held, err := s.load()
	if err != nil {
		return nil, err
	}
	var list []Setting
	for _, name := range slices.Sorted(maps.Keys(held)) {
		list = append(list, *held[name])
	}
	return list, nil
}

// Drifted lists what an owner wants and is not so, by name: another hand has
// changed it.
func (s *Store) Drifted(owner string) ([]string, error) {
	all, err := s.Held()
	var names []string
	for _, h := range all {
		if now, readErr := s.Read(h.Name); h.ownedBy(owner) && (readErr != nil || now != h.Value) {
			names = append(names, h.Name)
		}
	}
	return names, err
}

// Describe says in a few words what an owner has set:
// "ip_forward=1, conf.all.arp_ignore=1".
func (s *Store) Describe(owner string) string {
	all, err := s.Held()
	if err != nil {
		return ""
	}
	var words []string
	for _, h := range all {
		if h.ownedBy(owner) {
			words = append(words, strings.TrimPrefix(h.Name, "net.ipv4.")+"="+h.Value)
		}
	}
	return strings.Join(words, ", ")
}

// Read returns the present value of a setting, its words with single blanks.
func (s *Store) Read(name string) (string, error) {
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return strings.Join(strings.Fields(string(b)), " "), nil
}

func (s *Store) put(name, value string) error {
	if err := os.WriteFile(s.path(name), []byte(value), 0); err != nil {
		return fmt.Errorf("set %s to %s: %w", name, value, err)
	}
	return nil
}

// path is the kernel's file. A dot in an interface's name is written as a slash,
// as sysctl(8) does: net.ipv4.conf.eth0/5.arp_ignore.
func (s *Store) path(name string) string {
	swap := func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}
	return filepath.Join(s.root, strings.Map(swap, name))
}

// note writes into the file what an owner wants, with what is there now.
func (s *Store) note(held settings, owner string, wanted map[string]string) error {
	held.disown(owner, wanted)
	var err error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		now, readErr := s.Read(name)
		if readErr != nil {
			err = errors.Join(err, readErr)
			continue
		}
		held.own(name, owner, wanted[name], now)
	}
	return errors.Join(err, s.save(held))
}

// write sets what an owner wants and is not so.
func (s *Store) write(held settings, owner string) error {
	var err error
	for _, name := range slices.Sorted(maps.Keys(held)) {
		h := held[name]
		if now, readErr := s.Read(name); !h.ownedBy(owner) || readErr == nil && now == h.Value {
			continue
		}
		err = errors.Join(err, s.put(name, h.Value))
	}
	return err
}

// restore puts back what nobody wants any more, and forgets it. What is gone, as
// the settings of an interface that went, needs none.
func (s *Store) restore(held settings) error {
	var err error
	changed := false
	for _, name := range slices.Sorted(maps.Keys(held)) {
		h := held[name]
		if len(h.Owners) > 0 {
			continue
		}
		if now, readErr := s.Read(name); readErr == nil && now == h.Value && now != h.Before {
			if failed := s.put(name, h.Before); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
				err = errors.Join(err, failed)
				continue
			}
		}
		delete(held, name)
		changed = true
	}
	if !changed {
		return err
	}
	return errors.Join(err, s.save(held))
}
