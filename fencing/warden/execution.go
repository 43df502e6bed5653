package warden

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"quorate/cluster/clock"
)

// An execution kills what is due, on a thread of its own: to look at a process that
// hangs in the kernel may hang, and the watchdog must be fed, or not, meanwhile.
type execution struct {
	hunter *hunter
	clock  clock.Raw
	event  int // an eventfd: it has finished, or somebody wakes the warden
	state  atomic.Int32
	orders chan struct{} // closed at the end
	work   sync.WaitGroup

	// The warden's while it is idle or finished, the thread's own while it is busy.
	records []record
	arena   []byte // names and marks of records
	killed  int
	began   time.Duration
	took    time.Duration
	names   []byte // of the resources that were killed
}

const (
	executionIdle int32 = iota
	executionBusy
	executionFinished
)

// patience bounds one execution: then the warden looks again what is due.
const patience = time.Second

func newExecution(self int) (*execution, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make an event: %w", err)
	}
	x := &execution{
		hunter: newHunter(self), event: event, orders: make(chan struct{}, 1),
		records: make([]record, 0, maxRecords), arena: make([]byte, 0, slotSize), names: make([]byte, 0, textSize),
	}
	x.hunter.netlink, _ = openNetlink() // where it is refused, addresses are left to the guard
	return x, nil
}

func (x *execution) busy() bool     { return x.state.Load() == executionBusy }
func (x *execution) finished() bool { return x.state.Load() == executionFinished }
func (x *execution) reset()         { x.state.Store(executionIdle) }

// spare names the agent, which is never killed.
func (x *execution) spare(pid int) { x.hunter.agent.Store(int64(pid)) }

// begin has the records killed that are due.
func (x *execution) begin(records []record, deadline time.Duration, able bool, now time.Duration) {
	x.records, x.arena, x.names, x.killed = x.records[:0], x.arena[:0], x.names[:0], 0
	for i := range records {
		r := &records[i]
		if r.done || r.kind == None || now < r.due(deadline, able) {
			continue
		}
		copied := *r
		copied.name, copied.mark = x.keep(r.name), x.keep(r.mark)
		x.records = append(x.records, copied)
	}
	x.began = now
	x.state.Store(executionBusy)
	x.orders <- struct{}{}
}

// keep copies a text: the warden may read another list meanwhile.
func (x *execution) keep(text []byte) []byte {
	from := len(x.arena)
	x.arena = append(x.arena, text...)
	return x.arena[from:len(x.arena):len(x.arena)]
}

// start has a goroutine execute until end.
func (x *execution) start() {
	x.work.Go(func() {
		for range x.orders {
			x.execute()
			x.state.Store(executionFinished)
			x.wake()
		}
	})
}

func (x *execution) end() {
	close(x.orders)
	x.work.Wait()
}

// execute looks for what is to be killed until nothing is found any more.
func (x *execution) execute() {
	for first := true; ; first = false {
		found := x.hunter.hunt(x.records)
		if first {
			x.killed = found
			x.note()
		}
		x.took = x.clock.Now() - x.began
		if found == 0 || x.took > patience {
			return
		}
		rest := unix.NsecToTimespec(int64(huntPause))
		_ = unix.Nanosleep(&rest, nil)
	}
}

// note writes down whose processes were found.
func (x *execution) note() {
	for i := range x.records {
		r := &x.records[i]
		if r.done || len(x.names)+len(r.name)+2 > cap(x.names) {
			continue
		}
		if len(x.names) > 0 {
			x.names = append(x.names, ", "...)
		}
		x.names = append(x.names, r.name...)
	}
}

// wake ends the warden's wait.
func (x *execution) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(x.event, one[:]) // full: it is awake
}

func (x *execution) heard() {
	var count [8]byte
	_, _ = unix.Read(x.event, count[:])
}
