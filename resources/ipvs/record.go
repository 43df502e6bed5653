package ipvs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A record says what a resource has changed on this node, so that a stop undoes
// it, whatever the parameters say by then and whichever process began it. It is
// written before what it says is done, and lives as long as the boot.
type record struct {
	Services []Key             `json:"services"`
	Sysctls  map[string]string `json:"sysctls"` // what was there before, by name
}

func readRecord(path string) (record, error) {
	r := record{Sysctls: map[string]string{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (r record) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func removeRecord(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// own adds services to those of the record.
func (r *record) own(keys []Key) {
	for _, k := range keys {
		if !slices.Contains(r.Services, k) {
			r.Services = append(r.Services, k)
		}
	}
	slices.SortFunc(r.Services, compareKeys)
}

// tune sets what is wanted of the kernel and restores what no longer is. What it
// found is in the record before it is changed.
func (r *record) tune(wanted map[string]string, path string) error {
	var err error
	for _, name := range slices.Sorted(maps.Keys(r.Sysctls)) {
		if _, ok := wanted[name]; !ok {
			err = errors.Join(err, writeSysctl(name, r.Sysctls[name]))
			delete(r.Sysctls, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		before, readErr := readSysctl(name)
		if readErr != nil {
			err = errors.Join(err, readErr)
			continue
		}
		if _, noted := r.Sysctls[name]; !noted && before != wanted[name] {
			r.Sysctls[name] = before
		}
	}
	if err = errors.Join(err, r.write(path)); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if now, readErr := readSysctl(name); readErr == nil && now == wanted[name] {
			continue
		}
		err = errors.Join(err, writeSysctl(name, wanted[name]))
	}
	return err
}
