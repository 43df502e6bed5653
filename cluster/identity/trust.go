package identity

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// A TrustedKey is a machine that `cluster auth` vouched for. Its key may ask
// this node to describe and enrol itself.
type TrustedKey struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	Name        string      `json:"name"`
	Addresses   []string    `json:"addresses,omitempty"` // host:port
}

// Trust remembers keys, durably. A named machine has one key: an older one under
// the same name is forgotten.
func (i *Identity) Trust(keys ...TrustedKey) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	next := maps.Clone(i.trusted)
	if next == nil {
		next = map[Fingerprint]TrustedKey{}
	}
	for _, k := range keys {
		maps.DeleteFunc(next, func(_ Fingerprint, old TrustedKey) bool { return k.Name != "" && old.Name == k.Name })
		next[k.Fingerprint] = k
	}
	if err := writeJSON(i.path(trustFile), sortedKeys(next)); err != nil {
		return err
	}
	i.trusted = next
	return nil
}

// Trusted tells whether a key is trusted, and whose it is.
func (i *Identity) Trusted(f Fingerprint) (TrustedKey, bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	k, ok := i.trusted[f]
	return k, ok
}

// TrustedKeys lists all trusted keys by name.
func (i *Identity) TrustedKeys() []TrustedKey {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return sortedKeys(i.trusted)
}

func sortedKeys(keys map[Fingerprint]TrustedKey) []TrustedKey {
	return slices.SortedFunc(maps.Values(keys), func(a, b TrustedKey) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Fingerprint.String(), b.Fingerprint.String())
	})
}

func (i *Identity) loadTrusted() error {
	var keys []TrustedKey
	err := readJSON(i.path(trustFile), &keys)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	i.trusted = make(map[Fingerprint]TrustedKey, len(keys))
	for _, k := range keys {
		i.trusted[k.Fingerprint] = k
	}
	return nil
}
