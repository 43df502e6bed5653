package sysctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kernel is a store whose settings are plain files.
func kernel(t *testing.T, values map[string]string) *Store {
	t.Helper()
	s := &Store{dir: t.TempDir(), root: t.TempDir()}
	for name, value := range values {
		if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		s.is(t, name, value)
	}
	return s
}

// is sets a value by another hand.
func (s *Store) is(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *Store) want(t *testing.T, when, name, value string) {
	t.Helper()
	if got, err := s.Read(name); err != nil || got != value {
		t.Errorf("%s: %s = %q, %v; want %q", when, name, got, err, value)
	}
}

func (s *Store) set(t *testing.T, owner string, wanted map[string]string) {
	t.Helper()
	if err := s.Set(owner, wanted); err != nil {
		t.Fatalf("%s wants %v: %v", owner, wanted, err)
	}
}

const (
	forward   = "net.ipv4.ip_forward"
	threshold = "net.ipv4.vs.sync_threshold"
)

func TestTheLastOwnerRestores(t *testing.T) {
	s := kernel(t, map[string]string{forward: "0"})
	on := map[string]string{forward: "1"}
	s.set(t, "a", on)
	s.set(t, "b", on)
	s.set(t, "a", on) // again
	s.set(t, "a", nil)
	s.want(t, "one owner left", forward, "1")
	s.set(t, "b", nil)
	s.want(t, "no owner left", forward, "0")
	if held, err := s.Held(); err != nil || len(held) != 0 {
		t.Errorf("held: %v, %v; want nothing", held, err)
	}
}

func TestWhatWasThereIsKnownToALaterProcess(t *testing.T) {
	s := kernel(t, map[string]string{threshold: "3\t50"})
	s.set(t, "web", map[string]string{threshold: "3 0"})
	later := &Store{dir: s.dir, root: s.root}
	if got := later.Describe("web"); got != "vs.sync_threshold=3 0" {
		t.Errorf("described as %q", got)
	}
	later.set(t, "web", map[string]string{threshold: "3 0"})
	later.set(t, "web", nil)
	s.want(t, "restored", threshold, "3 50")
}

// The process ended between the note and the change, or before it had restored.
func TestAnInterruptedChangeIsFinishedByTheNext(t *testing.T) {
	s := kernel(t, map[string]string{forward: "0", threshold: "3 50"})
	s.set(t, "web", map[string]string{forward: "1"})
	s.is(t, forward, "0") // as if it had never been written
	s.set(t, "web", map[string]string{forward: "1"})
	s.want(t, "written by the next", forward, "1")
	held, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	held.disown("web", nil)
	if err := s.save(held); err != nil {
		t.Fatal(err)
	}
	s.set(t, "other", map[string]string{threshold: "3 0"})
	s.want(t, "restored by another's change", forward, "0")
}

func TestWhatAnotherHandChangedIsLeftToIt(t *testing.T) {
	s := kernel(t, map[string]string{"net.ipv4.conf.all.rp_filter": "0"})
	s.set(t, "web", map[string]string{"net.ipv4.conf.all.rp_filter": "2"})
	s.is(t, "net.ipv4.conf.all.rp_filter", "1")
	if drifted, err := s.Drifted("web"); err != nil || len(drifted) != 1 {
		t.Errorf("drifted: %v, %v; want the one", drifted, err)
	}
	s.set(t, "web", nil)
	s.want(t, "after the release", "net.ipv4.conf.all.rp_filter", "1")
}

func TestOwnersThatWantDifferentThingsAreToldOfEachOther(t *testing.T) {
	s := kernel(t, map[string]string{threshold: "3 50", forward: "0"})
	s.set(t, "web", map[string]string{threshold: "3 0"})
	err := s.Set("mail", map[string]string{threshold: "1 0", forward: "1"})
	if err == nil || !strings.Contains(err.Error(), "the resource web on this node needs it to be 3 0") {
		t.Errorf("error: %v; want the other owner named", err)
	}
	s.want(t, "refused", forward, "0")
	s.set(t, "web", map[string]string{threshold: "1 0"}) // its own change of mind is none
	s.want(t, "changed", threshold, "1 0")
}

func TestASettingThatIsGoneNeedsNoRestoring(t *testing.T) {
	const name = "net.ipv4.conf.eth0/5.arp_ignore"
	s := kernel(t, map[string]string{name: "0"})
	if want := filepath.Join(s.root, "net/ipv4/conf/eth0.5/arp_ignore"); s.path(name) != want {
		t.Errorf("path %s, want %s", s.path(name), want)
	}
	s.set(t, "web", map[string]string{name: "1"})
	if err := os.RemoveAll(s.root); err != nil {
		t.Fatal(err)
	}
	s.set(t, "web", nil)
	if err := s.Set("web", map[string]string{name: "1"}); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a setting that is not there: %v; want an error that names it", err)
	}
}

func TestWhatAnEarlierBuildNotedIsAdopted(t *testing.T) {
	s := kernel(t, map[string]string{forward: "1"})
	if err := s.Adopt("web", map[string]string{forward: "0"}); err != nil {
		t.Fatal(err)
	}
	s.set(t, "web", nil)
	s.want(t, "restored", forward, "0")
}
