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

// tutorialFile is the ldirectord.cf of the tutorial, of two web servers.
const tutorialFile = `# The director pair of a tutorial.
checktimeout=10
checkinterval=2
autoreload=yes
logfile="/var/log/ldirectord.log"
quiescent=no

virtual=VIP:80
        real=WWW1:80 gate
        real=WWW2:80 gate
        fallback=127.0.0.1:80 gate
        service=http
        scheduler=wlc
        persistent=7200
        protocol=tcp
        checktype=negotiate
        request="alive.html"
        receive="I am alive"
        virtualhost=www.example.com
`

// How long the file's checks may take. What is well again counts at once: ldirectord
// knows no rise. The check that finds it comes after one that found it down.
const (
	tutorialInterval = 2 * time.Second
	tutorialTimeout  = 10 * time.Second
	tutorialLeave    = tutorialInterval + tutorialTimeout
	tutorialBack     = tutorialInterval + 2*tutorialTimeout
)

// playLdirectord is the tutorial's pair, by import and by the name of its OCF agent.
func playLdirectord(ctx context.Context, s *stage) error {
	if err := s.standIn(ctx, webServers...); err != nil {
		return err
	}
	file, err := s.ldirectordFile(nil)
	if err != nil {
		return err
	}
	s.say("\n-- by config import")
	err = s.script(ctx,
		"quorate config import --format ldirectord "+file+" --dry-run",
		"quorate config import --format ldirectord "+file+" --wait=60",
		"quorate constraint location lvs prefers lvsm=50",
	)
	if err == nil {
		err = s.tryPair(ctx, "imported", "director")
	}
	if err == nil && !s.Brief {
		err = s.failover(ctx, "director")
	}
	if err == nil {
		err = s.clear(ctx)
	}
	if err != nil {
		return err
	}
	s.say("\n-- by the name of the OCF agent")
	err = s.script(ctx,
		"pcs resource create Director ocf:heartbeat:ldirectord configfile="+file+" op monitor interval=20s --group lvs",
		"pcs resource create VIP ocf:heartbeat:IPaddr2 ip="+VIP.String()+" --group lvs --wait=60",
		"pcs constraint location lvs prefers lvsm=50",
	)
	if err == nil {
		err = s.goesHome(ctx, "Director")
	}
	if err == nil && !s.Brief {
		err = s.tryPair(ctx, "from its file", "Director")
	}
	if err == nil {
		err = s.edited(ctx, "lvsm")
	}
	return err
}

// edited changes the file, which autoreload has the director take over.
func (s *stage) edited(ctx context.Context, node string) error {
	began := now()
	if _, err := s.ldirectordFile(map[string]string{"scheduler=wlc": "scheduler=rr", "        persistent=7200\n": ""}); err != nil {
		return err
	}
	err := await(ctx, "the edited file to be in force", func() error {
		text, err := s.Output(ctx, node, "cat", "/proc/net/ip_vs")
		if err == nil && (!strings.Contains(text, " rr ") || strings.Contains(text, "persistent")) {
			err = errors.New(text)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.measured("edited file: in force after", (now() - began).Seconds(), "s")
	return s.balanced(ctx, "rr", map[string]float64{"www1": 50, "www2": 50}, 2)
}

// ldirectordFile writes the file where all hosts see it, with some words changed.
func (s *stage) ldirectordFile(words map[string]string) (string, error) {
	text := strings.NewReplacer("VIP", VIP.String(), "WWW1", s.address("www1"), "WWW2", s.address("www2")).Replace(tutorialFile)
	for from, to := range words {
		text = strings.ReplaceAll(text, from, to)
	}
	path := filepath.Join(s.Shared(), "ldirectord.cf")
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return "", err
	}
	return path, os.Rename(path+".new", path)
}

func (s *stage) address(host string) string {
	h, _ := s.Spec.Host(host)
	return h.Address().String()
}

// tryPair loads the pair, and takes a web server away and gives it back.
func (s *stage) tryPair(ctx context.Context, how, resource string) error {
	if err := s.goesHome(ctx, resource); err != nil {
		return err
	}
	for _, w := range webServers {
		if err := s.listed(ctx, "lvsm", w, true); err != nil {
			return err
		}
	}
	b, err := s.bench(ctx)
	if err != nil {
		return err
	}
	busy := "www1"
	if b.By["www2"] > b.By["www1"] {
		busy = "www2"
	}
	s.promised(how+", persistent: requests of a client that one server answered", float64(b.By[busy]), "", fmt.Sprint(s.Requests), b.By[busy] == s.Requests)
	s.promised(how+": requests that ab saw fail", float64(b.Failed), "", "0", b.Failed == 0)
	s.measured(how+": requests a second", b.Rate, "")
	return s.absent(ctx, "lvsm", busy, tutorialLeave, tutorialBack)
}

// failover takes the owner's power away and gives it back, while a client visits.
func (s *stage) failover(ctx context.Context, resource string) error {
	visits, err := s.Visit(ctx, page("/"), visitEvery)
	if err != nil {
		return err
	}
	err = s.lose(ctx, resource)
	list, stopErr := visits.Stop()
	if err = errors.Join(err, stopErr); err != nil {
		return err
	}
	failed, longest := 0, time.Duration(0)
	for _, v := range list {
		if longest = max(longest, v.To-v.From); v.Problem != "" {
			failed++
			s.say("   %s", v.Problem)
		}
	}
	s.measured("power-off and return: visits", float64(len(list)), "")
	s.measured("power-off and return: visits that failed", float64(failed), "")
	s.measured("power-off and return: the longest visit", longest.Seconds(), "s")
	return nil
}

// lose has lvsm without power until lvss runs a resource, and waits for its return.
func (s *stage) lose(ctx context.Context, resource string) error {
	if err := s.fault(ctx, PowerOff, "lvsm"); err != nil {
		return err
	}
	if _, err := s.cluster.AwaitOwner(ctx, resource, "lvsm", func(owner string) bool { return owner == "lvss" }); err != nil {
		return err
	}
	if err := s.fault(ctx, Heal, "lvsm"); err != nil {
		return err
	}
	if err := s.goesHome(ctx, resource); err != nil {
		return err
	}
	return pause(ctx, slow(calm))
}

// goesHome waits until a resource runs on the node that scenes prefer, and nothing is
// left to do.
func (s *stage) goesHome(ctx context.Context, resource string) error {
	if _, err := s.cluster.AwaitOwner(ctx, resource, "", func(owner string) bool { return owner == "lvsm" }); err != nil {
		return err
	}
	_, err := s.cluster.Settled(ctx)
	return err
}
