package consensus

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	pb "quorate/proto/quorate/v1"
)

const patience = 400 * time.Millisecond

// A faulty store is in memory. Its writes wait, or fail, while the test says so.
type faulty struct {
	*raft.InmemStore

	mu   sync.Mutex
	err  error
	back chan struct{} // closed while all is well
}

func newFaulty() *faulty {
	f := &faulty{InmemStore: raft.NewInmemStore(), back: make(chan struct{})}
	close(f.back)
	return f
}

func (f *faulty) hang() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.back = make(chan struct{})
}

func (f *faulty) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *faulty) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = nil
	select {
	case <-f.back:
	default:
		close(f.back)
	}
}

func (f *faulty) wait() error {
	f.mu.Lock()
	back := f.back
	f.mu.Unlock()
	<-back
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *faulty) StoreLog(l *raft.Log) error { return f.StoreLogs([]*raft.Log{l}) }

func (f *faulty) StoreLogs(logs []*raft.Log) error {
	if err := f.wait(); err != nil {
		return err
	}
	return f.InmemStore.StoreLogs(logs)
}

func (f *faulty) Set(key, value []byte) error {
	if err := f.wait(); err != nil {
		return err
	}
	return f.InmemStore.Set(key, value)
}

func (f *faulty) SetUint64(key []byte, value uint64) error {
	if err := f.wait(); err != nil {
		return err
	}
	return f.InmemStore.SetUint64(key, value)
}

// troubles are what may ail a disk.
var troubles = map[string]func(*faulty){
	"hangs":          (*faulty).hang,
	"is full":        func(f *faulty) { f.fail(syscall.ENOSPC) },
	"has I/O errors": func(f *faulty) { f.fail(syscall.EIO) },
}

func TestALeaderWhoseDiskHangsIsReplacedAndComesBackAsAFollower(t *testing.T) {
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			onTrio(t, idle, func(c *trio) {
				old := c.waitLeader()
				time.Sleep(time.Second)
				trouble(c.disks[old.id])
				began := time.Now()
				waiting, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
				defer cancel()
				var asked sync.WaitGroup
				asked.Go(func() {
					if _, err := old.Propose(waiting, &pb.Command{}); !errors.Is(err, ErrUnknown) {
						c.t.Errorf("a command under way when the disk hung: got %v, want that it is unknown", err)
					}
				})
				asked.Go(func() {
					time.Sleep(10 * time.Millisecond)
					var other *NotLeaderError
					if _, err := old.Propose(waiting, &pb.Command{}); !errors.As(err, &other) {
						c.t.Errorf("a command that came when the disk hung: got %v, want that it was not taken", err)
					}
				})
				next := c.waitOther(old)
				if took := time.Since(began); took > patience+LAN.Heartbeat {
					c.t.Errorf("replaced after %v", took)
				}
				time.Sleep(time.Second)
				if id, ok := old.Leader(); !ok || id != next.id {
					c.t.Errorf("the old leader takes %q for the leader (%v), want %s", id, ok, next.id)
				}
				var other *NotLeaderError
				if _, err := old.Propose(waiting, &pb.Command{}); !errors.As(err, &other) || other.Leader != next.id {
					c.t.Errorf("a command for the old leader: got %v, want a pointer to %s", err, next.id)
				}
				if _, err := next.Propose(waiting, &pb.Command{}); err != nil {
					c.t.Errorf("a command for the new leader: %v", err)
				}
				time.Sleep(10 * time.Second)
				if old.Hang() == nil {
					c.t.Error("the old leader does not know that its disk hangs")
				}
				term := next.Term()
				c.disks[old.id].heal()
				time.Sleep(2 * time.Second)
				asked.Wait()
				if old.Hang() != nil || old.raft().State() != raft.Follower {
					c.t.Errorf("with the disk back: %v, hang %v", old.raft().State(), old.Hang())
				}
				if got := c.waitLeader(); got != next || got.Term() != term {
					c.t.Errorf("its return made %s the leader of term %d, want still %s of %d", got.id, got.Term(), next.id, term)
				}
				if got, want := c.fsms[old.id].count(), c.fsms[next.id].count(); got != want {
					c.t.Errorf("it has applied %d commands, want %d", got, want)
				}
			})
		})
	}
}

func TestALeaderThatDoesNotGetAnEntryAppliedIsReplaced(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		old := c.waitLeader()
		stuck := make(chan struct{})
		c.fsms[old.id].stuck.Store(&stuck)
		began := time.Now()
		waiting, cancel := context.WithTimeout(c.t.Context(), time.Second)
		defer cancel()
		_, _ = old.Propose(waiting, &pb.Command{})
		next := c.waitOther(old)
		if took := time.Since(began); took > time.Second+LAN.Heartbeat {
			c.t.Errorf("replaced after %v", took)
		}
		if old.Hang() == nil {
			c.t.Error("the old leader does not know what hangs")
		}
		time.Sleep(5 * time.Second)
		close(stuck)
		time.Sleep(time.Second)
		if got, want := c.fsms[old.id].count(), c.fsms[next.id].count(); got != want || old.Hang() != nil {
			c.t.Errorf("it has applied %d commands, want %d; hang %v", got, want, old.Hang())
		}
	})
}

func TestAFollowerWhoseDiskHangsNeitherLeadsNorDisturbs(t *testing.T) {
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			onTrio(t, idle, func(c *trio) {
				leader := c.waitLeader()
				time.Sleep(time.Second)
				ill := c.nodes["b"]
				if ill == leader {
					ill = c.nodes["c"]
				}
				term := leader.Term()
				trouble(c.disks[ill.id])
				for range 20 {
					if _, err := leader.Propose(c.t.Context(), &pb.Command{}); err != nil {
						c.t.Fatalf("with two of three disks: %v", err)
					}
					time.Sleep(time.Second)
				}
				if ill.Hang() == nil {
					c.t.Error("it does not know that its disk hangs")
				}
				if got := c.waitLeader(); got != leader || got.Term() != term {
					c.t.Errorf("%s leads in term %d, want still %s in %d", got.id, got.Term(), leader.id, term)
				}
				c.cut(leader.id) // the third alone is no majority
				time.Sleep(5 * time.Second)
				if ill.raft().State() == raft.Leader {
					c.t.Error("a node leads whose disk hangs")
				}
				c.connect(leader.id)
				c.disks[ill.id].heal()
				time.Sleep(3 * time.Second)
				c.waitLeader()
				if got, want := c.fsms[ill.id].count(), c.fsms[leader.id].count(); got != want {
					c.t.Errorf("it has applied %d commands, want %d", got, want)
				}
			})
		})
	}
}

func TestANodeWhoseDiskHangsStopsAllTheSame(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		old := c.waitLeader()
		c.disks[old.id].hang()
		waiting, cancel := context.WithTimeout(c.t.Context(), time.Second)
		defer cancel()
		_, _ = old.Propose(waiting, &pb.Command{})
		c.waitOther(old)
		began := time.Now()
		if err := old.Shutdown(); !errors.Is(err, errDiskHangs) {
			c.t.Errorf("got %v, want %v", err, errDiskHangs)
		}
		if took := time.Since(began); took > 2*shutdownPatience {
			c.t.Errorf("took %v", took)
		}
		c.disks[old.id].heal()
	})
}
