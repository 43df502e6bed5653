package node

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/consensus"
	"quorate/cluster/lease"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A Profile is how fast a cluster is: all of its timers, which depend on each
// other and so are chosen together, and nothing else.
type Profile struct {
	Name  string
	Lease time.Duration
	Beat  time.Duration // between beats: six to a lease, so that three in a row may be lost
	Raft  consensus.Timing
}

// profiles are all there are. docs/timing.md says what they cost.
var profiles = []Profile{
	{"fast", 120 * time.Millisecond, 20 * time.Millisecond, consensus.Fast},
	{"lan", 400 * time.Millisecond, 65 * time.Millisecond, consensus.LAN},
	{"wan", 2 * time.Second, 330 * time.Millisecond, consensus.WAN},
}

// profileByName returns a profile; one that this build does not know is lan.
func profileByName(name string) Profile {
	lan := profiles[1]
	for _, p := range profiles {
		if p.Name == name {
			return p
		}
	}
	return lan
}

// profileOf returns the name of the profile that has leases of a length; empty:
// none has, as while a node restarts.
func profileOf(length time.Duration) string {
	for _, p := range profiles {
		if p.Lease == length {
			return p.Name
		}
	}
	return ""
}

// What a failover takes beside the waiting, measured with power-offs in the lab.
const (
	afterGone   = 10 * time.Millisecond // questions and answers, commits, the address
	afterLeader = 36 * time.Millisecond // the election's end, and the new leader's beginning
)

// failover is how long a client of an address waits, as a rule, from the power-off
// of its owner to the next answer. If the owner led, the silence and the election
// take their time beside each other. A follower misses its leader after one to
// three heartbeat timeouts, as raft looks only now and then; the first of two does
// so mostly within the silence, and seldom much later.
func (p Profile) failover(ownerLed bool) time.Duration {
	found := lease.Threshold(p.Lease) - p.Beat/2
	if ownerLed {
		found += p.Raft.Heartbeat/8 + afterLeader
	}
	return found + afterGone
}

// A profileFile remembers which profile is set for the cluster, since the
// replicated state is not there yet when raft is started.
type profileFile struct {
	path   string
	logger *slog.Logger

	mu   sync.Mutex
	name string  // as set
	runs Profile // since this node's part in the cluster began
}

// openProfile reads the file; none, or one that cannot be read, means lan.
func openProfile(path string, logger *slog.Logger) *profileFile {
	f := &profileFile{path: path, logger: logger, name: profileByName("").Name}
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		f.name = strings.TrimSpace(string(data))
	case !errors.Is(err, fs.ErrNotExist):
		logger.Warn("stored timing profile is unreadable", "err", err)
	}
	return f
}

// run is the profile to run from now on.
func (f *profileFile) run() Profile {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs = profileByName(f.name)
	return f.runs
}

func (f *profileFile) running() Profile {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.runs
}

// learn stores what is set.
func (f *profileFile) learn(name string) {
	f.mu.Lock()
	known := f.name
	f.name = name
	f.mu.Unlock()
	if name == known {
		return
	}
	if err := replaceFile(f.path, []byte(name+"\n")); err != nil {
		f.logger.Warn("timing profile not stored", "err", err)
	}
}

// replaceFile writes a file anew, durably.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// timing says how fast the cluster is, for people.
func timing(running Profile, s *pb.State) *pb.TimingStatus {
	t := &pb.TimingStatus{
		Profile: running.Name, Configured: state.Property(s, "profile"),
		Failover:         durationpb.New(running.failover(false)),
		FailoverOfLeader: durationpb.New(running.failover(true)),
	}
	for _, n := range s.GetNodes() {
		runs := profileOf(n.Lease.AsDuration())
		if n.Admission == pb.Admission_ADMISSION_ADMITTED && runs != "" && runs != t.Configured {
			t.Others = append(t.Others, fmt.Sprintf("%s runs %s", n.Name, runs))
		}
	}
	return t
}
