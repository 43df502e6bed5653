package simulation

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/consensus"
	"quorate/cluster/node"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A machine is one simulated host: its disk, its clock, its kernel, and the
// agent process that runs on it, if any.
type machine struct {
	world  *world
	id     string
	role   pb.Role
	kernel *kernel
	disk   *disk
	clock  *watch
	boots  int

	// Held by who starts the agent: a lock whose wait lets virtual time go on.
	starting chan struct{}

	mu       sync.Mutex
	process  *process
	frozen   chan struct{} // closed at the thaw; nil: not frozen
	ambush   ambush
	slowDisk bool
	dark     bool          // it has no power
	diskBack chan struct{} // closed when the disk does not hang any more; nil: it does not
	stale    time.Duration // clock before which it may serve what it served before a pause
}

func newMachine(w *world, id string, role pb.Role) *machine {
	m := &machine{world: w, id: id, role: role, starting: make(chan struct{}, 1)}
	m.clock = &watch{epoch: w.epoch, rate: 1 + w.drift(), offset: w.fate.between(0, time.Hour)}
	m.kernel, m.disk = newKernel(m), newDisk()
	return m
}

// An ambush stops a machine, or one of its threads, before a chosen step.
type ambush struct {
	step  string // empty: none is laid
	d     time.Duration
	alone bool      // the thread that takes the step stops, and the others go on
	until time.Time // so long every thread that takes it stops; zero: only the first
}

// A process is one run of the agent.
type process struct {
	machine  *machine
	disk     *disk
	core     *node.Core
	store    *state.Store
	streams  atomic.Pointer[streams]
	guard    *guard
	warden   *warden
	contacts *contacts
	audit    audit
	nonce    uint64
	cancel   context.CancelFunc
	ended    chan struct{} // closed when it is killed
	run      sync.WaitGroup
}

func (p *process) dead() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// running returns the agent process; nil when there is none.
func (m *machine) running() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

// gate is passed before every step that a process takes: a frozen machine
// stands still here until it thaws, and an ambush laid at this step is sprung.
// No caller holds a mutex that others want: in a bubble, time stands still
// while anybody waits for one.
func (m *machine) gate(p *process, step string) {
	if stall := m.spring(step); stall > 0 {
		m.world.sleep(stall)
	}
	m.mu.Lock()
	frozen := m.frozen
	m.mu.Unlock()
	if frozen == nil {
		return
	}
	select {
	case <-frozen:
	case <-p.ended:
	}
}

// spring freezes the machine if an ambush was laid at this step, or returns for
// how long the one thread that takes it stops.
func (m *machine) spring(step string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.ambush
	if a.step != step || m.frozen != nil {
		return 0
	}
	if !time.Now().Before(a.until) {
		m.ambush = ambush{}
	}
	if !a.alone {
		m.freezeFor(a.d, "before "+step)
		return 0
	}
	m.world.note("%s: one thread stops for %v before %s", m.id, a.d, step)
	return a.d
}

// freezeFor stops the machine's processes, not its kernel. m.mu is held.
func (m *machine) freezeFor(d time.Duration, why string) {
	thaw := make(chan struct{})
	m.frozen = thaw
	m.world.note("%s freezes for %v %s", m.id, d, why)
	m.world.tasks.Go(func() {
		m.world.sleep(d)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.world.note("%s thaws", m.id)
		m.frozen = nil
		close(thaw)
	})
}

// stopped reports whether nothing on the machine runs at the moment.
func (m *machine) stopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.frozen != nil
}

func (m *machine) freeze(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen == nil {
		m.freezeFor(d, "")
	}
}

// pause stops the whole machine for a while, its clock and its kernel too, as a
// virtual machine's host may. When it goes on it does not know of it.
func (m *machine) pause(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen != nil {
		return
	}
	m.freezeFor(d, "with its clock")
	m.clock.stop()
	thawed := m.frozen
	m.world.tasks.Go(func() {
		<-thawed
		m.clock.run()
		m.resumed()
	})
}

// resumed begins the time in which the machine serves by a lease that was over
// while it stood still: until the end of the newest beat's before the pause.
func (m *machine) resumed() {
	m.mu.Lock()
	m.stale = m.clock.Now() + max(leaseLength, m.world.leaseOf(m.id))
	m.mu.Unlock()
	for _, id := range m.world.guarded() {
		m.world.judge(id)
	}
}

// excused reports whether the machine may serve beside another now: nothing in
// it can know that its clock stood still (lease protocol, H9).
func (m *machine) excused() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock.Now() < m.stale
}

func (m *machine) lay(a ambush) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ambush = a
}

// start runs the agent on what the disk holds, unless it runs already. On a
// frozen machine that takes as long as the freeze.
func (m *machine) start() {
	m.starting <- struct{}{}
	defer func() { <-m.starting }()
	if m.running() != nil {
		return
	}
	m.world.note("%s starts", m.id)
	m.boots++
	p := &process{machine: m, disk: m.disk, store: state.New(), contacts: newContacts(), nonce: uint64(m.boots), ended: make(chan struct{})}
	p.store.Observe(p.attend)
	p.guard = newGuard(p)
	p.warden = newWarden(p)
	core, err := node.StartCore(m.coreConfig(p))
	if err != nil {
		m.world.violate("%s does not start: %v", m.id, err)
		return
	}
	p.core = core
	ctx, cancel := context.WithCancel(m.world.ctx)
	p.cancel = cancel
	m.mu.Lock()
	m.process = p
	m.mu.Unlock()
	m.setDark(false)
	m.world.network.setDown(m.id, false)
	p.run.Go(func() {
		err := core.Run(ctx)
		var lost *node.DivergedError
		switch {
		case err == nil, ctx.Err() != nil, p.dead():
		case errors.As(err, &lost):
			m.world.tasks.Go(func() { m.giveWay(lost) })
		default:
			m.world.violate("S7: the core of %s ended: %v", m.id, err)
		}
	})
}

func (m *machine) coreConfig(p *process) node.CoreConfig {
	return node.CoreConfig{
		ID: m.id, Nonce: p.nonce, BootID: m.kernel.bootID(), Version: "simulated", Store: p.store,
		Transport: func(ready <-chan struct{}) consensus.Transport { return newStreams(p, ready) }, Timing: consensus.LAN,
		Stores:  consensus.Stores{Log: diskLog{p}, Stable: diskStable{p}, Snapshots: diskSnapshots{p}},
		Network: beats{p}, Clock: m.clock, Marks: marks{p}, Guard: doubleGuard{p.guard, p.warden}, Warden: p.warden, Lease: leaseLength,
		Reach: m.world.reach(p), Peers: calls{p}, Agents: p, Devices: powerType{p}, Log: slog.New(journal{machine: m}),
	}
}

// kill ends the agent at once, and with powerOff all that runs on the machine.
func (m *machine) kill(powerOff bool) {
	m.mu.Lock()
	p := m.process
	m.process = nil
	m.mu.Unlock()
	if p == nil {
		return
	}
	m.world.note("%s killed, power off %v", m.id, powerOff)
	m.world.network.setDown(m.id, true)
	m.disk = m.disk.left(powerOff, m.world.noise.chance(0.5))
	close(p.ended)
	p.cancel()
	if powerOff {
		m.kernel.powerOff()
		m.setDark(true)
	}
	m.world.tasks.Go(p.run.Wait)
}

// beats carries the lease's datagrams.
type beats struct{ process *process }

// Send implements lease.Network.
func (b beats) Send(to string, d *pb.LeaseDatagram) error {
	from := b.process.machine
	w, what := from.world, datagram(d)
	from.gate(b.process, what)
	if b.process.dead() {
		return errDead
	}
	for _, h := range w.network.datagram(from.id, to) {
		w.after(h.took, func() { w.machines[to].receive(h, d) })
	}
	from.gate(b.process, what+" sent")
	return nil
}

// datagram names what a datagram of the lease protocol is.
func datagram(d *pb.LeaseDatagram) string {
	switch d.Body.(type) {
	case *pb.LeaseDatagram_Beat:
		return "beat"
	case *pb.LeaseDatagram_Ack:
		return "ack"
	case *pb.LeaseDatagram_Inquiry:
		return "inquiry"
	default:
		return "answer"
	}
}

// receive hands a datagram that has arrived to the agent, if one runs.
func (m *machine) receive(h hop, d *pb.LeaseDatagram) {
	p := m.running()
	if p == nil || !m.world.network.open(h.link) {
		return
	}
	m.gate(p, "receive")
	if p.dead() {
		return
	}
	p.contacts.received(p, d)
	p.core.Receive(h.from, d)
}

// giveWay ends a process whose log gave way to another's, and starts one without
// a log. Its testimonies stay.
func (m *machine) giveWay(lost *node.DivergedError) {
	m.world.note("%s: %v", m.id, lost)
	m.world.judgeHealing(m.id, lost)
	m.kill(false)
	m.disk = &disk{log: raft.NewInmemStore(), marks: m.disk.marks}
	m.start()
}

// calls reaches other members' agents.
type calls struct{ process *process }

func (c calls) Execute(ctx context.Context, to string, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	return reach(ctx, c.process, to, func(target *process) (*pb.ExecuteResponse, error) { return target.core.Execute(ctx, r) })
}

func (c calls) Operate(ctx context.Context, to string, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	return reach(ctx, c.process, to, func(target *process) (*pb.OperateResponse, error) { return target.core.Operate(ctx, r) })
}

func (c calls) Propose(ctx context.Context, to string, r *pb.ProposeRequest) (*pb.ProposeResponse, error) {
	return reach(ctx, c.process, to, func(target *process) (*pb.ProposeResponse, error) {
		applied, err := target.core.ProposeAsLeader(ctx, r.Command)
		if err != nil {
			return nil, err
		}
		return &pb.ProposeResponse{Index: applied.Index, Operations: applied.Operations}, nil
	})
}

func (c calls) Meet(ctx context.Context, to string, r *pb.MeetRequest) (*pb.MeetResponse, error) {
	c.process.machine.world.note("%s asks %s to meet", c.process.machine.id, to)
	return reach(ctx, c.process, to, func(target *process) (*pb.MeetResponse, error) {
		answer, err := target.core.Meet(r)
		target.machine.world.note("%s meets %s: %s goes on (%v)", to, c.process.machine.id, answer.GetWinner(), err)
		return answer, err
	})
}

// reach asks another machine's agent until ctx ends.
func reach[R any](ctx context.Context, caller *process, to string, f func(target *process) (R, error)) (R, error) {
	var none R
	answer, err := ask(caller, to, nil, ctx.Done(), func(target *process) (any, error) { return f(target) })
	if err != nil {
		return none, err
	}
	return answer.(R), nil
}
