package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// powered are the commands that give a cluster one device that switches every node,
// and has all need it. While the file $SHARED/broken exists the device does nothing.
const powered = `
	lvsm# quorate stonith create bmc fence_lab password=topsecret broken=$SHARED/broken pcmk_host_list="%s" op monitor interval=2s
	lvsm# quorate property set fencing=power`

// TestE2EPowerFencing freezes the agent of the owner: it is switched off, the
// address starts elsewhere once that is certain, and the node returns as a clean
// member. While the device does not answer nothing starts, status says why, and an
// operator's word releases it.
func TestE2EPowerFencing(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	s.play(fmt.Sprintf(powered, "lvsm lvss web1"))
	s.eventually("lvss", "quorate stonith", "works, tested by")
	s.play(`
		lvss# quorate stonith config
		says password=secret:stonith/bmc/password
		lvss# quorate stonith test bmc
		says lvsm: reaches bmc
		all on lvsm`)

	c := s.client("")
	s.play(`freeze lvsm`)
	s.goesFrom("lvsm")
	s.eventually("lvss", "quorate stonith history show lvsm", "was off for certain (bmc, by")
	s.rejoins("lvsm")
	s.play(`
		lvss# quorate events -n 0
		says lvsm is to be fenced: it is gone, and VirtualIP may still run there
		says lvsm is off for certain
		says lvsm was switched on again
		never says topsecret
		lvss# quorate config export -o json
		never says topsecret
		lvss# quorate config export --secrets
		says topsecret`)
	c.ends(s.ownerOf("lvss"))
	s.fencedTwice("lvsm")

	owner := s.ownerOf("lvss")
	other := map[bool]string{true: "lvss", false: "lvsm"}[owner == "lvsm"]
	s.play(`lvsm# touch $SHARED/broken`)
	s.eventually(other, "quorate status", "fencing device bmc does not work: the device does not answer")
	s.play("power-off " + owner)
	s.eventually(other, "quorate status", "VirtualIP waits until "+owner+" is off for certain (fencing=power): "+owner+" could not be fenced")
	s.play(other + `# quorate stonith history
		says the device does not answer`)
	if now := s.ownerOf(other); now != owner && now != "" {
		t.Errorf("VirtualIP runs on %s although %s was not fenced", now, owner)
	}
	s.play(other + "# quorate stonith confirm " + owner + " --force --wait")
	s.goesFrom(owner)
}

// fencedTwice has a node fenced that was fenced a moment ago: it comes back, and hosts
// nothing until somebody has looked.
func (s *scene) fencedTwice(node string) {
	s.Helper()
	s.play(`
		lvss# quorate resource move VirtualIP ` + node + ` --wait=20
		all on ` + node + `
		freeze ` + node)
	s.goesFrom(node)
	s.eventually("lvss", "quorate status", "node "+node+" was fenced twice within ten minutes and hosts nothing")
	s.rejoins(node)
	s.play(`
		lvss# quorate why VirtualIP
		says ` + node + ` was fenced twice within ten minutes and waits for an operator
		lvss# quorate stonith history cleanup ` + node + `
		lvss# quorate status
		never says fenced twice`)
}

// goesFrom waits until the address has another owner, as the others see it.
func (s *scene) goesFrom(old string) {
	s.Helper()
	if _, err := s.cluster.AwaitOwner(s.Context(), vipResource, old, func(owner string) bool { return owner != old }); err != nil {
		s.Fatal(err)
	}
}

// ownerOf is who has the address, by the word of a node.
func (s *scene) ownerOf(ask string) string {
	s.Helper()
	v, err := s.cluster.View(s.Context(), ask)
	if err != nil {
		s.Fatal(err)
	}
	return v.Owners[vipResource]
}

// rejoins waits until a node is back at work.
func (s *scene) rejoins(node string) {
	s.Helper()
	err := await(s.Context(), node+" is back", func() error {
		_, err := s.cluster.Settled(s.Context())
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}

// TestE2ELevelsAndAFenceThatIsAskedFor fences by hand, with a device that fails and
// another behind it, and types what must be refused.
func TestE2ELevelsAndAFenceThatIsAskedFor(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	s.play(`
		lvsm# touch $SHARED/broken
		lvsm# quorate stonith create first fence_lab broken=$SHARED/broken pcmk_host_list="lvsm lvss web1"
		lvsm# quorate stonith create second fence_lab pcmk_host_check=dynamic-list
		lvsm# quorate stonith level add 1 lvss first
		lvsm# quorate stonith level add 2 lvss second
		lvsm# quorate stonith level verify
		lvsm# quorate stonith fence lvss
		says for certain (second, by`)
	s.rejoins("lvss")
	s.play(`
		lvsm# quorate stonith history show lvss
		says level 1, off by first
		says level 2, off by second
		lvsm# quorate stonith level clear
		lvsm# rm $SHARED/broken
		lvsm# quorate property set fencing=power`)
	for command, want := range map[string]string{
		"quorate stonith create third fence_lba pcmk_host_list=lvss":            "did you mean fence_lab",
		"quorate stonith create third fence_ipmilan ip=10.0.0.9 username=admin": "has no target",
		"quorate stonith create third fence_lab plugg=1 pcmk_host_map=lvss":     "is no pair of a node and a plug",
		"quorate stonith update first pcmk_off_timeout=long":                    "is not a time",
		"quorate stonith delete first second":                                   "nothing could fence lvsm, and VirtualIP needs that",
		"quorate stonith disable first second":                                  "with second disabled nothing could fence lvsm, and VirtualIP needs that",
		"quorate stonith fence nobody":                                          "there is no node",
		"quorate stonith confirm lvss --force":                                  "is a member in good standing, and not off",
	} {
		if said := s.fails(2, "lvsm", command); command != "" && !strings.Contains(said, want) && said != "" {
			t.Errorf("%s said %q, want %q", command, said, want)
		}
	}
}

// TestE2EFenceRace cuts two nodes of a pair apart that each have a device for the
// other: exactly one survives, and serves. LAB_RACES says how often; the full figures
// of docs/fencing.md are of 20.
func TestE2EFenceRace(t *testing.T) {
	s := newScene(t, "lvsm", "lvss")
	s.formAs(Pair)
	s.play(fmt.Sprintf(powered, "lvsm lvss"))
	s.eventually("lvss", "quorate stonith", "works, tested by")
	s.play(`lvsm# quorate property set priority-fencing-delay=1s`)
	var took []time.Duration
	favoured := 0
	for range races() {
		owner := s.ownerOf("lvsm")
		survivor, d, err := s.race()
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, d)
		if survivor == owner {
			favoured++
		}
		t.Logf("%s survived, and served after %v", survivor, d)
		s.play(`lvsm# quorate stonith history cleanup`)
	}
	slices.Sort(took)
	t.Logf("%d races: one survived each, %d times the one that ran the address; served again after %v in the median, %v at most",
		len(took), favoured, took[len(took)/2], took[len(took)-1])
}

// races is how often the two are cut apart.
func races() int {
	if n, err := strconv.Atoi(os.Getenv("LAB_RACES")); err == nil && n > 0 {
		return n
	}
	return 2
}

// race cuts the two apart, and returns who survived and how long it took until it
// served.
func (s *scene) race() (survivor string, took time.Duration, err error) {
	s.Helper()
	began := now()
	if _, err := s.Strike(s.Context(), Trouble{Fault: Cut, Host: "lvss"}); err != nil {
		return "", 0, err
	}
	err = await(s.Context(), "one survives", func() error {
		hosts, err := s.Status(s.Context())
		if err != nil {
			return err
		}
		on := slices.DeleteFunc([]string{"lvsm", "lvss"}, func(n string) bool {
			return slices.ContainsFunc(hosts, func(h HostStatus) bool { return h.Name == n && !h.Power })
		})
		switch {
		case len(on) == 0:
			return errors.New("both are off")
		case len(on) == 2 && survivor == "":
			return errors.New("both are on")
		case len(on) == 1:
			survivor = on[0]
		}
		return nil
	})
	if err != nil {
		return "", 0, err
	}
	took, err = s.goesOnAlone(survivor, began)
	if err != nil {
		return survivor, took, err
	}
	if _, err := s.Strike(s.Context(), Trouble{Fault: Heal, Host: "lvss"}); err != nil {
		return survivor, took, err
	}
	return survivor, took, s.bothBack()
}

// goesOnAlone waits until a node serves the address without the other one, which took so
// long, and then until the fencing of that has ended: it is on again.
func (s *scene) goesOnAlone(node string, began time.Duration) (took time.Duration, err error) {
	s.Helper()
	err = await(s.Context(), node+" to serve alone, and the end of its peer's fencing", func() error {
		v, err := s.cluster.View(s.Context(), node)
		if err != nil {
			return err
		}
		phase, fencings := v.GetPair().GetPhase(), v.GetState().GetFencings()
		ended := len(fencings) == 1 && state.Ended(fencings[0])
		if alone := phase == pb.PairPhase_PAIR_PHASE_ALONE; took == 0 && (!alone && !ended || v.Owners[vipResource] != node) {
			return fmt.Errorf("its phase is %v, and the address on %q", phase, v.Owners[vipResource])
		}
		if took == 0 {
			took = now() - began
		}
		if !ended { // the peer may be back before that
			return fmt.Errorf("it knows of the fencings %v", fencings)
		}
		return nil
	})
	return took, err
}

// bothBack waits until the two hear each other again.
func (s *scene) bothBack() error {
	if _, err := s.cluster.Settled(s.Context()); err != nil {
		return err
	}
	s.together("lvsm", "lvss")
	return nil
}
