package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"

	pb "quorate/proto/quorate/v1"
)

// A directory knows where members are reached. It is kept on disk, because the
// replicated state is not there yet when the members must find each other
// after all of them were down.
//
// What is wrong in it costs time, never safety: a connection counts only once
// the other end has proved its id.
type directory struct {
	path   string
	logger *slog.Logger

	writing sync.Mutex // held around mu: a disk that hangs keeps no reader waiting

	mu    sync.Mutex
	known map[string][]string // by node id
}

func openDirectory(path string, logger *slog.Logger) (*directory, error) {
	d := &directory{path: path, logger: logger, known: make(map[string][]string)}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the members' addresses: %w", err)
	}
	if err := json.Unmarshal(data, &d.known); err != nil {
		logger.Warn("stored member addresses are unreadable, starting without", "err", err)
		d.known = make(map[string][]string)
	}
	return d, nil
}

// Addresses returns where a member is reached, best first.
func (d *directory) Addresses(id string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[id]
}

// Others returns the ids of all members but one.
func (d *directory) Others(self string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for id := range d.known {
		if id != self {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Learn replaces what is known by what the cluster agrees on. An empty list
// teaches nothing.
func (d *directory) Learn(nodes []*pb.Node) {
	if len(nodes) == 0 {
		return
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	if !d.replace(nodes) {
		return
	}
	if err := d.save(); err != nil {
		d.logger.Warn("member addresses not stored", "err", err)
	}
}

// replace reports whether something is new.
func (d *directory) replace(nodes []*pb.Node) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.same(nodes) {
		return false
	}
	d.known = make(map[string][]string, len(nodes))
	for _, n := range nodes {
		d.known[n.Id] = slices.Clone(n.Addresses)
	}
	return true
}

func (d *directory) same(nodes []*pb.Node) bool {
	for _, n := range nodes {
		if !slices.Equal(d.known[n.Id], n.Addresses) {
			return false
		}
	}
	return len(nodes) == len(d.known)
}

// save writes the file anew, durably: after a power cut of all members it is
// how they find each other. d.writing is held.
func (d *directory) save() error {
	d.mu.Lock()
	data, err := json.MarshalIndent(d.known, "", "  ")
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return replaceFile(d.path, data)
}
