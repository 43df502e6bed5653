package ipvs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A record says what a resource has changed on this node, so that a stop undoes
// it, whatever the parameters say by then and whichever process began it. It is
// written before what it says is done, and lives as long as the boot.
type record struct {
	Services []Key             `json:"services"`
	Sysctls  map[string]string `json:"sysctls,omitempty"` // of an earlier build: what was there before, by name
}

func readRecord(path string) (record, error) {
	r := record{}
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
