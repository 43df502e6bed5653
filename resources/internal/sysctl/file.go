package sysctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// settings are what is in the file, by name.
type settings map[string]*Setting

// own notes that an owner wants a value, and what was there if nobody owned it.
func (s settings) own(name, owner, value, now string) {
	h, known := s[name]
	if !known {
		h = &Setting{Name: name, Before: now}
		s[name] = h
	}
	h.Value = value
	if !h.ownedBy(owner) {
		h.Owners = append(h.Owners, owner)
	}
}

// disown ends an owner's wishes but those to keep.
func (s settings) disown(owner string, keep map[string]string) {
	for name, h := range s {
		if _, kept := keep[name]; !kept {
			h.Owners = slices.DeleteFunc(h.Owners, func(o string) bool { return o == owner })
		}
	}
}

// agree finds a wish that is against another owner's.
func (s settings) agree(owner string, wanted map[string]string) error {
	for name, value := range wanted {
		h, known := s[name]
		if !known || h.Value == value {
			continue
		}
		for _, other := range h.Owners {
			if other != owner {
				return fmt.Errorf("set %s to %s: the resource %s on this node needs it to be %s", name, value, other, h.Value)
			}
		}
	}
	return nil
}

// locked calls f with what is in the file, while no other process does.
func (s *Store) locked(f func(settings) error) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, "sysctls.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which ends the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	held, err := s.load()
	if err != nil {
		return err
	}
	return f(held)
}

func (s *Store) file() string { return filepath.Join(s.dir, "sysctls.json") }

func (s *Store) load() (settings, error) {
	held := settings{}
	data, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return held, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &held); err != nil {
		return nil, fmt.Errorf("%s: %w", s.file(), err)
	}
	for name, h := range held {
		h.Name = name
	}
	return held, nil
}

func (s *Store) save(held settings) error {
	data, err := json.MarshalIndent(held, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file()+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(s.file()+".new", s.file())
}
