package health

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	pb "quorate/proto/quorate/v1"
)

// A record says what a resource that runs here has said of the node. It outlives the
// agent's process, which a restart of the agent ends, and not the boot.
type record struct {
	Attribute string `json:"attribute"`
	Value     string `json:"value"`
}

func (a *Agent) place(r *pb.Resource) string {
	return filepath.Join(a.runDir, "health", url.PathEscape(r.GetId())+".json")
}

// read returns the record of a resource; nil: it does not run.
func (a *Agent) read(r *pb.Resource) (*record, error) {
	data, err := os.ReadFile(a.place(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // it does not run
	}
	if err != nil {
		return nil, err
	}
	found := &record{}
	return found, json.Unmarshal(data, found)
}

func (a *Agent) write(r *pb.Resource, of record) error {
	data, err := json.Marshal(of)
	if err != nil {
		return err
	}
	path := a.place(r)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (a *Agent) remove(r *pb.Resource) error {
	if err := os.Remove(a.place(r)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
