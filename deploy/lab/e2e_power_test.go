package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate/deploy/lab/vm"
	pb "quorate/proto/quorate/v1"
)

// controller is where the BMC of the emulated node is.
const controller = "10.77.0.61"

// newPowerScene is a cluster of which one node is an emulated machine behind a BMC,
// with a disk that outlives its power. It owns the address, which needs its fencing.
func newPowerScene(t *testing.T) *vmScene {
	t.Helper()
	s := emulate(t, func(i vm.Image, h vm.Host, dir string) ([]string, error) {
		simulator, err := vm.FindSimulator(filepath.Join("..", "..", ".build", "openipmi"))
		if err != nil {
			return nil, err
		}
		h.Disk = filepath.Join(dir, "disk")
		if err := vm.MakeDisk(t.Context(), h.Disk); err != nil {
			return nil, err
		}
		return i.CommandBehind(vm.BMC{Simulator: simulator, Address: controller + "/24", User: "admin", Password: "topsecret"}, h, dir)
	}, emulated)[0]
	s.found("wan") // an emulated machine is slow
	s.play(`
		lvsm# printf topsecret > $SHARED/secret
		lvsm# quorate stonith create bmc fence_ipmilan ip=` + controller + ` username=admin password=@$SHARED/secret lanplus=1 cipher=3 power_timeout=10 pcmk_host_list=vm1 pcmk_off_timeout=10s pcmk_off_retries=1 pcmk_status_timeout=5s pcmk_monitor_timeout=5s pcmk_monitor_retries=1 op monitor interval=5s
		lvsm# quorate resource meta VirtualIP fencing=power
		lvsm# quorate stonith test bmc || true`)
	s.eventually("lvss", "quorate stonith", "works, tested by")
	return s
}

// fences is how often the machine is fenced in each way; 0: once, and in one way.
func fences() int {
	n, _ := strconv.Atoi(os.Getenv("LAB_FENCES"))
	return n
}

// TestE2EPowerOfAMachine lets a real machine, as far as qemu is one, stand still
// while it owns the address: its BMC switches it off, which is seen, the address
// starts elsewhere only then, and the machine boots and is a clean member again. With
// a first level that fails the second does it; with the BMC out of reach nothing starts
// until an operator's word. LAB_FENCES says how often each is tried; without it the
// first is, once.
func TestE2EPowerOfAMachine(t *testing.T) {
	t.Run("frozen", func(t *testing.T) {
		s := newPowerScene(t)
		for n := range max(fences(), 1) {
			s.fencedFrozen(n, "")
		}
	})
	if fences() == 0 {
		return
	}
	t.Run("a level fails", func(t *testing.T) {
		s := newPowerScene(t)
		s.play(`
			lvsm# quorate stonith create wrong fence_ipmilan ip=10.77.0.62 username=admin password=@$SHARED/secret lanplus=1 pcmk_host_list=vm1 pcmk_off_timeout=3s pcmk_status_timeout=2s pcmk_off_retries=1 op monitor interval=1h
			lvsm# quorate stonith level add 1 vm1 wrong
			lvsm# quorate stonith level add 2 vm1 bmc`)
		for n := range fences() {
			s.fencedFrozen(n, "by level 2")
		}
	})
	t.Run("no device answers", func(t *testing.T) {
		s := newPowerScene(t)
		for n := range fences() {
			s.confirmedFrozen(n)
		}
	})
}

// fencedFrozen stops the machine with its clock, and waits until it is back.
func (s *vmScene) fencedFrozen(n int, level string) {
	s.Helper()
	began := now()
	if err := s.monitor.Pause(); err != nil {
		s.Fatal(err)
	}
	s.goesFrom(emulated)
	took := now() - began
	f := s.newestFencing()
	off := f.GetOffAt().AsTime()
	if f.GetOffAt() == nil || !strings.Contains(f.GetBy(), "bmc, by") {
		s.Fatalf("the address has another owner, and the machine was not fenced: %v", f)
	}
	if started := s.started(); started.Before(off) {
		s.Errorf("the address started elsewhere at %v, before the machine was off at %v", started, off)
	}
	s.comesBack()
	s.Logf("run %d %s: asked for after %v, off for certain %v later, the address ran elsewhere after %v, the machine was back after %v",
		n+1, level, (took - s.started().Sub(f.GetAskedAt().AsTime())).Round(time.Millisecond), off.Sub(f.GetAskedAt().AsTime()).Round(time.Millisecond),
		took.Round(time.Millisecond), (now() - began).Round(100*time.Millisecond))
	s.play(`lvsm# quorate stonith history cleanup`)
	s.moveHome()
}

// confirmedFrozen takes the BMC away and stops the machine: nothing starts until an
// operator, who has pulled the plug, says so.
func (s *vmScene) confirmedFrozen(n int) {
	s.Helper()
	s.play(`vm1# ip addr del ` + controller + `/24 dev br0`)
	s.eventually("lvss", "quorate status", "fencing device bmc does not work")
	began := now()
	if err := s.monitor.Pause(); err != nil {
		s.Fatal(err)
	}
	s.eventually("lvss", "quorate status", "VirtualIP waits until vm1 is off for certain (fencing=power): vm1 could not be fenced")
	if owner := s.ownerOf("lvss"); owner != emulated && owner != "" {
		s.Fatalf("the address runs on %s, and nobody knows that the machine is off", owner)
	}
	s.play(`
		vm1# cd ` + s.dir + ` && ./chassis set power 0
		lvss# quorate stonith history show vm1`)
	told, confirmed := now()-began, now()
	s.play(`lvss# quorate stonith confirm vm1 --force --wait`)
	s.goesFrom(emulated)
	released := now() - confirmed
	s.play(`
		vm1# ip addr add ` + controller + `/24 dev br0
		lvsm# ipmitool -I lanplus -C 3 -H ` + controller + ` -U admin -f $SHARED/secret chassis power on`)
	s.comesBack()
	s.Logf("run %d: status told why nothing started after %v; the address ran elsewhere %v after the confirmation, the machine was back after %v",
		n+1, told.Round(100*time.Millisecond), released.Round(time.Millisecond), (now() - began).Round(100*time.Millisecond))
	s.play(`lvsm# quorate stonith history cleanup`)
	s.moveHome()
}

// comesBack waits until the machine has booted and is a member in good standing.
func (s *vmScene) comesBack() {
	s.Helper()
	_ = s.monitor.Close()
	_ = s.console.Close()
	s.connect()
	err := await(s.Context(), s.name+" to be back", func() error {
		v, err := s.cluster.View(s.Context(), "lvsm")
		if err != nil {
			return err
		}
		for _, n := range v.GetState().GetNodes() {
			if n.GetName() == s.name && (n.GetAdmission() != pb.Admission_ADMISSION_ADMITTED || n.GetFencedAt() != nil) {
				return fmt.Errorf("it is %v, fenced at %v", n.GetAdmission(), n.GetFencedAt())
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// newest is the view of the node beside the machine that has seen most, as goesFrom has it.
func (s *vmScene) newest() View {
	s.Helper()
	v, err := s.cluster.newest(s.Context(), s.name)
	if err != nil {
		s.Fatal(err)
	}
	return v
}

func (s *vmScene) newestFencing() *pb.Fencing {
	s.Helper()
	v := s.newest()
	list := v.GetState().GetFencings()
	if len(list) == 0 {
		s.Fatal("nothing was fenced")
	}
	return list[len(list)-1]
}

// started is when the address has run where it is now.
func (s *vmScene) started() time.Time {
	s.Helper()
	v := s.newest()
	var at time.Time
	for _, i := range v.GetState().GetInstances() {
		if i.GetResource() == vipResource && i.GetState() == pb.InstanceState_INSTANCE_STATE_RUNNING && i.GetSince().AsTime().After(at) {
			at = i.GetSince().AsTime()
		}
	}
	return at
}
