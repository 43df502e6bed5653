package ipvs

import (
	"fmt"
	"os"
	"time"
)

// An edition is a file as it was read, as far as its folder tells.
type edition struct {
	path     string // empty: changes of it are not taken over
	modified time.Time
	size     int64
	info     os.FileInfo // tells a file from one that took its place; nil: it was not there
}

func editionOf(path string) edition {
	info, err := os.Stat(path)
	if path == "" || err != nil {
		return edition{path: path}
	}
	return edition{path, info.ModTime(), info.Size(), info}
}

// edited reports whether the file has changed since.
func (e edition) edited() (now edition, changed bool) {
	if e.path == "" {
		return e, false
	}
	now = editionOf(e.path)
	same := now.size == e.size && now.modified.Equal(e.modified) && (now.info == nil) == (e.info == nil) &&
		(now.info == nil || os.SameFile(now.info, e.info))
	return now, !same
}

// takeEdit takes over a file that was changed, if its configuration asks for that
// (ldirectord's autoreload). One that cannot be read changes nothing, and is read
// again when it has changed again. h.mu is held.
func (a *Agent) takeEdit(h *hold) error {
	now, changed := h.edition.edited()
	if !changed {
		return nil
	}
	r := h.r
	h.edition = now
	s, err := a.parse(r)
	if err != nil {
		return err
	}
	if err := a.claim(r, s.config.Keys()); err != nil {
		return err
	}
	k, err := openKernel()
	if err != nil {
		return err
	}
	defer k.close()
	if err := a.take(k, h, r, s, false); err != nil {
		return fmt.Errorf("take over %s: %w", now.path, err)
	}
	a.log.Info("the changed file is in force", "resource", r.GetId(), "file", now.path)
	return nil
}
