package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// machinesFile is the keepalived.conf of the tutorial in which two machines are all
// there is: each is director and web server. It is without the redirect of the packet
// filter that the tutorial has its scripts set on the one that is not the director.
const machinesFile = `global_defs {
    router_id NAME
    lvs_sync_daemon eth0 VI_1
}

vrrp_instance VI_1 {
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 51
    priority PRIORITY
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        VIP
    }
}

virtual_server VIP 80 {
    delay_loop 3
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server LVSM 80 {
        weight 1
        HTTP_GET {
            url {
                path /alive.html
                digest DIGEST
            }
            connect_timeout 3
            retry 0
        }
    }
    real_server LVSS 80 {
        weight 1
        HTTP_GET {
            url {
                path /alive.html
                digest DIGEST
            }
            connect_timeout 3
            retry 0
        }
    }
}
`

// machinesChange is how long the file's checks may take to notice something, gone or
// back: delay_loop and connect_timeout.
const machinesChange = (3 + 3) * time.Second

// machinesDirector is the resource that the file's virtual server becomes.
const machinesDirector = "VI_1-director"

// playMachines is the tutorial's pair of machines, each of which balances and serves.
func playMachines(ctx context.Context, s *stage) (err error) {
	s.webs = []string{"lvsm", "lvss"}
	s.running = map[string]context.CancelFunc{}
	defer func() { s.webs, s.running = webServers, nil }()
	for _, host := range s.webs {
		if err := s.serve(ctx, host); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.unserve(ctx, host)) }()
	}
	files, err := s.machinesFiles(ctx)
	if err != nil {
		return err
	}
	err = s.script(ctx,
		"quorate config import --format keepalived "+files+" --dry-run",
		"quorate config import --format keepalived "+files+" --wait=60",
	)
	if err != nil {
		return err
	}
	for _, do := range []func(context.Context) error{s.bothServe, s.machineStops, s.machineMoves, s.machineDies} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// machinesFiles writes the files of both machines where all hosts see them.
func (s *stage) machinesFiles(ctx context.Context) (string, error) {
	digest, err := s.types(ctx, ClientName, "quorate genhash -s "+s.address("lvsm")+" -p 80 -u /alive.html")
	if err != nil {
		return "", err
	}
	var words []string
	for host, priority := range map[string]string{"lvsm": "101", "lvss": "100"} {
		text := strings.NewReplacer("VIP", VIP.String(), "LVSM", s.address("lvsm"), "LVSS", s.address("lvss"),
			"DIGEST", strings.TrimSpace(digest), "NAME", host, "PRIORITY", priority).Replace(machinesFile)
		path := filepath.Join(s.Shared(), host+".conf")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
		words = append(words, host+"="+path)
	}
	return strings.Join(words, " "), nil
}

// serve runs a web server on a node, beside its agent, and waits until it answers.
func (s *stage) serve(ctx context.Context, host string) error {
	s.typed(host, "quorate lab web :80 &")
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	s.started.Go(func() {
		defer close(ended)
		_ = s.Exec(running, host, Command{Args: []string{"quorate", "lab", "web", ":80"}}) // it is killed, or loses its power
	})
	s.running[host] = func() {
		stop()
		<-ended
	}
	return await(ctx, "the web server of "+host, func() error {
		_, err := s.Output(ctx, ClientName, "curl", "-sf", "-m", "5", "http://"+s.address(host)+"/alive.html")
		return err
	})
}

// unserve ends it, and waits until it does not answer.
func (s *stage) unserve(ctx context.Context, host string) error {
	stop, running := s.running[host]
	if !running {
		return nil
	}
	s.typed(host, "kill %1")
	stop()
	delete(s.running, host)
	return await(ctx, "the end of the web server of "+host, func() error {
		if _, err := s.Output(ctx, ClientName, "curl", "-sf", "-m", "5", "http://"+s.address(host)+"/alive.html"); err == nil {
			return errors.New("it answers")
		}
		return nil
	})
}

// bothServe finds out who the director is, that the other has nothing to balance,
// and that both serve half of what the clients ask for.
func (s *stage) bothServe(ctx context.Context) error {
	director, other, err := s.machines(ctx)
	if err != nil {
		return err
	}
	for _, host := range s.webs {
		if err := s.listed(ctx, director, host, true); err != nil {
			return err
		}
	}
	rows, err := s.table(ctx, other)
	if err != nil {
		return err
	}
	s.promised(other+", the other: real servers in its table", float64(len(rows)), "", "0", len(rows) == 0)
	if err := s.reached(ctx); err != nil {
		return err
	}
	return s.balanced(ctx, director+" is the director", map[string]float64{"lvsm": 50, "lvss": 50}, 2)
}

// machines tells which is the director, when nothing is left to do.
func (s *stage) machines(ctx context.Context) (director, other string, err error) {
	v, err := s.cluster.Settled(ctx)
	if err != nil {
		return "", "", err
	}
	if v.Owners[machinesDirector] == "lvsm" {
		return "lvsm", "lvss", nil
	}
	return "lvss", "lvsm", nil
}

// reached waits until both have answered through the address: a real server that was
// the owner serves once it has heard the next one.
func (s *stage) reached(ctx context.Context) error {
	return await(ctx, "both machines to answer through the address", func() error {
		seen := map[string]bool{}
		for range 4 {
			text, err := s.Output(ctx, ClientName, "curl", "-sf", "-m", "2", page("/"))
			if err != nil {
				return err
			}
			seen[strings.TrimSpace(text)] = true
		}
		if len(seen) != len(s.webs) {
			return fmt.Errorf("only %v", seen)
		}
		return nil
	})
}

// machineStops stops the web server of each machine, the director and the other.
func (s *stage) machineStops(ctx context.Context) error {
	director, other, err := s.machines(ctx)
	if err != nil {
		return err
	}
	for _, host := range []string{director, other} {
		if err := s.absent(ctx, director, host, machinesChange, machinesChange); err != nil {
			return err
		}
	}
	return nil
}

// machineMoves gives the address to the other machine while a client visits.
func (s *stage) machineMoves(ctx context.Context) error {
	_, other, err := s.machines(ctx)
	if err != nil {
		return err
	}
	visits, err := s.Visit(ctx, page("/"), visitEvery)
	if err != nil {
		return err
	}
	err = s.script(ctx, "quorate resource move VI_1 "+other+" --wait=60")
	if err == nil {
		err = pause(ctx, slow(calm))
	}
	list, stopErr := visits.Stop()
	if err = errors.Join(err, stopErr); err != nil {
		return err
	}
	failed := 0
	for _, v := range list {
		if v.Problem != "" {
			failed++
			s.say("   %s", v.Problem)
		}
	}
	s.promised("move: visits that failed", float64(failed), "", "0", failed == 0)
	s.measured("move: visits", float64(len(list)), "")
	if err := s.script(ctx, "quorate resource clear VI_1 --wait=60"); err != nil {
		return err
	}
	return s.bothServe(ctx)
}

// machineDies takes the director's power while a client visits, and gives it back.
func (s *stage) machineDies(ctx context.Context) error {
	director, other, err := s.machines(ctx)
	if err != nil {
		return err
	}
	visits, err := s.Visit(ctx, page("/"), visitEvery)
	if err != nil {
		return err
	}
	left, err := s.dies(ctx, director, other)
	list, stopErr := visits.Stop()
	if err = errors.Join(err, stopErr); err != nil {
		return err
	}
	before, after := 0, 0
	for _, v := range list {
		switch {
		case v.Problem == "":
		case v.From < left:
			before++
		default:
			after++
			s.say("   %v after it had left: %s", v.From-left, v.Problem)
		}
	}
	s.measured("power-off: visits", float64(len(list)), "")
	s.measured("power-off: visits that failed before the dead machine had left the table", float64(before), "")
	s.promised("power-off: visits that failed after it had left, and when it came back", float64(after), "", "0", after == 0)
	return s.bothServe(ctx)
}

// dies has a machine without power until the other balances without it, and waits for
// its return as a real server. It tells when it had left the table.
func (s *stage) dies(ctx context.Context, director, other string) (left time.Duration, err error) {
	off := now()
	if err := s.fault(ctx, PowerOff, director); err != nil {
		return 0, err
	}
	s.running[director]()
	delete(s.running, director)
	if _, err := s.cluster.AwaitOwner(ctx, machinesDirector, director, func(owner string) bool { return owner == other }); err != nil {
		return 0, err
	}
	s.measured("power-off: the other is the director after", (now() - off).Seconds(), "s")
	if err := s.listed(ctx, other, director, false); err != nil {
		return 0, err
	}
	left = now()
	s.measured("power-off: the dead machine is out of its table after", (left - off).Seconds(), "s")
	if err := pause(ctx, slow(calm)); err != nil {
		return 0, err
	}
	if err := s.fault(ctx, Heal, director); err != nil {
		return 0, err
	}
	if err := s.serve(ctx, director); err != nil {
		return 0, err
	}
	if _, err := s.cluster.Settled(ctx); err != nil {
		return 0, err
	}
	return left, s.listed(ctx, other, director, true)
}
