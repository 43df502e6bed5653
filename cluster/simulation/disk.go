package simulation

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// A disk is what a machine keeps without power. Every write is synced, and
// takes a while.
type disk struct {
	mu      sync.Mutex
	image   *image // Raft's newest snapshot
	log     *raft.InmemStore
	marks   map[string]uint64
	writing []*change // under way, in their order
	synced  *disk     // what the power cut leaves, if writes are confirmed before; else nil
}

// A change is one write, which happens whole or not at all.
type change struct{ to func(d *disk) error }

func newDisk() *disk {
	return &disk{log: raft.NewInmemStore(), marks: map[string]uint64{}}
}

// left is the disk as a process finds it that starts after another was killed.
// What the killed one writes from now on, nobody reads. Its last writes were
// confirmed to nobody: they may have happened, or not.
func (d *disk) left(powerOff, written bool) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	if powerOff && d.synced != nil {
		return d.synced.clone()
	}
	c := d.clone()
	if written {
		for _, w := range d.writing {
			_ = w.to(c) // as it would have ended
		}
	}
	return c
}

// clone copies the disk. d.mu is held.
func (d *disk) clone() *disk {
	c := newDisk()
	c.marks = maps.Clone(d.marks)
	c.image = d.image
	first, _ := d.log.FirstIndex()
	last, _ := d.log.LastIndex()
	entries := make([]*raft.Log, 0, last-first+1)
	for i := first; i <= last && i > 0; i++ {
		entry := &raft.Log{}
		if err := d.log.GetLog(i, entry); err == nil {
			entries = append(entries, entry)
		}
	}
	_ = c.log.StoreLogs(entries)                                  // never fails
	for _, key := range []string{"CurrentTerm", "LastVoteTerm"} { // Raft's own names
		if v, err := d.log.GetUint64([]byte(key)); err == nil {
			_ = c.log.SetUint64([]byte(key), v)
		}
	}
	if v, err := d.log.Get([]byte("LastVoteCand")); err == nil {
		_ = c.log.Set([]byte("LastVoteCand"), v)
	}
	return c
}

// write makes a change as a synced write of a process.
func (p *process) write(what string, to func(d *disk) error) error {
	p.machine.gate(p, what)
	c := &change{to}
	p.disk.begin(c)
	p.machine.world.sleep(p.machine.syncTime())
	p.awaitDisk()
	p.machine.gate(p, what+" done")
	return p.disk.finish(c)
}

func (d *disk) begin(c *change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writing = append(d.writing, c)
}

func (d *disk) finish(c *change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writing = slices.DeleteFunc(d.writing, func(w *change) bool { return w == c })
	return c.to(d)
}

// syncTime is how long a synced write takes: seldom much longer than usual,
// unless the disk is having a bad time.
func (m *machine) syncTime() time.Duration {
	m.mu.Lock()
	slow := m.slowDisk
	m.mu.Unlock()
	if slow || m.world.noise.chance(0.01) {
		return m.world.noise.between(10*time.Millisecond, 200*time.Millisecond)
	}
	return m.world.noise.between(200*time.Microsecond, 2*time.Millisecond)
}

func (m *machine) setSlowDisk(slow bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slowDisk = slow
}

// awaitDisk waits for as long as the disk hangs, or until the process is killed.
func (p *process) awaitDisk() {
	m := p.machine
	m.mu.Lock()
	back := m.diskBack
	m.mu.Unlock()
	if back == nil {
		return
	}
	select {
	case <-back:
	case <-p.ended:
	}
}

// setDiskHangs lets all writes wait, or go on.
func (m *machine) setDiskHangs(hangs bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case hangs && m.diskBack == nil:
		m.diskBack = make(chan struct{})
	case !hangs && m.diskBack != nil:
		close(m.diskBack)
		m.diskBack = nil
	}
}

// diskLog is Raft's log on the disk.
type diskLog struct{ *process }

func (l diskLog) FirstIndex() (uint64, error)              { return l.disk.log.FirstIndex() }
func (l diskLog) LastIndex() (uint64, error)               { return l.disk.log.LastIndex() }
func (l diskLog) GetLog(index uint64, log *raft.Log) error { return l.disk.log.GetLog(index, log) }
func (l diskLog) StoreLog(log *raft.Log) error             { return l.StoreLogs([]*raft.Log{log}) }
func (l diskLog) StoreLogs(logs []*raft.Log) error {
	return l.write("log", func(d *disk) error { return d.log.StoreLogs(logs) })
}
func (l diskLog) DeleteRange(first, last uint64) error {
	return l.write("log", func(d *disk) error { return d.log.DeleteRange(first, last) })
}

// diskStable is Raft's vote and term on the disk.
type diskStable struct{ *process }

func (s diskStable) Get(key []byte) ([]byte, error)       { return s.disk.log.Get(key) }
func (s diskStable) GetUint64(key []byte) (uint64, error) { return s.disk.log.GetUint64(key) }
func (s diskStable) Set(key, value []byte) error {
	return s.write("vote", func(d *disk) error { return d.log.Set(key, value) })
}
func (s diskStable) SetUint64(key []byte, value uint64) error {
	return s.write("vote", func(d *disk) error { return d.log.SetUint64(key, value) })
}

// marks are the lease's durable testimonies.
type marks struct{ *process }

// Load implements lease.Marks.
func (k marks) Load() (map[string]uint64, error) {
	k.disk.mu.Lock()
	defer k.disk.mu.Unlock()
	return maps.Clone(k.disk.marks), nil
}

// Save implements lease.Marks.
func (k marks) Save(id string, epoch uint64) error {
	return k.write("testimony", func(d *disk) error {
		d.marks[id] = max(d.marks[id], epoch)
		return nil
	})
}
