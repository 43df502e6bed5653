package simulation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// bmc is the one fencing device of a powered world: it switches every machine, and
// is reached from all of them whatever becomes of the network.
const bmc = "bmc"

// A powerType is the type of the device, as a process of a machine uses it.
type powerType struct{ process *process }

var (
	_ fencing.Type    = powerType{}
	_ fencing.Catalog = powerType{}
)

// Find implements fencing.Catalog.
func (t powerType) Find(name string) (fencing.Type, error) {
	if name != "fence_simulated" {
		return nil, fmt.Errorf("no type %q", name)
	}
	return t, nil
}

// Installed implements fencing.Catalog.
func (t powerType) Installed() []string { return []string{"fence_simulated"} }

// Missing implements fencing.Type.
func (t powerType) Missing() error { return nil }

// Describe implements fencing.Type.
func (t powerType) Describe(context.Context) (*pb.AgentMetadata, *pb.DeviceTraits, error) {
	return &pb.AgentMetadata{Name: "fence_simulated"}, powerTraits, nil
}

var powerTraits = &pb.DeviceTraits{Status: true, On: true}

// whims are how a device answers until the repair: it works mostly, fails, hangs, or
// says that it has done what it has not.
func (w *world) whim() string {
	switch n := w.power.draw(20); {
	case w.repaired.Load() || n < 14:
		return "works"
	case n < 17:
		return "fails"
	case n < 19:
		return "lies"
	default:
		return "hangs"
	}
}

// longestUse is how long a use of the device can have been on its way.
const longestUse = 3 * time.Second

var errDevice = errors.New("the simulated device failed")

// Run implements fencing.Type.
func (t powerType) Run(ctx context.Context, _ *pb.FencingDevice, action string, to fencing.Target) (fencing.Answer, error) {
	w := t.process.machine.world
	took, whim := w.power.between(20*time.Millisecond, 400*time.Millisecond), w.whim()
	t.process.machine.gate(t.process, "fence")
	if whim == "hangs" {
		took = time.Hour
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return fencing.Answer{}, ctx.Err()
	case <-t.process.ended:
		return fencing.Answer{}, errDead
	}
	if whim == "fails" {
		return fencing.Answer{}, errDevice
	}
	target := w.machines[to.Plug]
	switch action {
	case fencing.Status:
		return fencing.Answer{Power: target.power()}, nil // of that it does not lie: nothing could help
	case fencing.Off, fencing.On:
		w.note("%s switches %s %s: it %s", t.process.machine.id, to.Plug, action, whim)
		if whim == "works" && action == fencing.Off {
			target.cutPower()
		} else if whim == "works" {
			target.powerUp()
		}
	}
	return fencing.Answer{}, nil
}

// power is whether the machine is on.
func (m *machine) power() fencing.Power {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dark {
		return fencing.PowerOff
	}
	return fencing.PowerOn
}

// cutPower ends all that runs on the machine, if its agent runs or not.
func (m *machine) cutPower() {
	m.kill(true)
	m.kernel.powerOff()
	m.setDark(true)
}

// powerUp boots the machine, if it is off.
func (m *machine) powerUp() {
	if m.power() == fencing.PowerOff {
		m.world.later(m.world.noise.between(50*time.Millisecond, time.Second), m.start)
	}
}

func (m *machine) setDark(dark bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dark = dark
}

// device makes the fencing device, and has the process without guard need it.
func (w *world) device() []*pb.Edit {
	if !w.powered {
		return nil
	}
	return []*pb.Edit{
		{Kind: &pb.Edit_CreateDevice{CreateDevice: &pb.CreateDevice{Device: &pb.FencingDevice{
			Id: bmc, Type: "fence_simulated", Traits: powerTraits,
			Parameters: map[string]string{
				"pcmk_host_list": strings.Join(w.names, " "), "pcmk_off_timeout": "2s", "pcmk_on_timeout": "2s", "pcmk_status_timeout": "1s",
			},
			Operations: []*pb.OperationSpec{{Name: fencing.Monitor, Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(2 * time.Second)}},
		}}}},
		{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: service, SetMeta: map[string]string{"fencing": "power"}}}},
	}
}
