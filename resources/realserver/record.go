package realserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// A record says what a resource has changed on this node, so that a stop undoes
// it, whatever the parameters say by then and whichever process began it. It is
// written before what it says is done. The kernel's settings have one of their own.
type record struct {
	Addresses []netip.Addr `json:"addresses"`
	Tunnels   []string     `json:"tunnels"` // that were down, or without an address
}

func (a *Agent) place(r *pb.Resource) string {
	return filepath.Join(a.runDir, "realserver", url.PathEscape(r.GetId())+".json")
}

func readRecord(path string) (record, error) {
	var r record
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

// own adds addresses to those of the record.
func (r *record) own(addrs []netip.Addr) {
	for _, addr := range addrs {
		if !slices.Contains(r.Addresses, addr) {
			r.Addresses = append(r.Addresses, addr)
		}
	}
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
