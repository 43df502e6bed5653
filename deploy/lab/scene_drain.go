package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// drainedFor is how long the downloads take that a drain waits for, on a machine that
// is not emulated.
const drainedFor = 10 * time.Second

// playDrain takes a real server out under open downloads and a client that visits all
// the time, gives it back, and takes the other one out for good.
func playDrain(ctx context.Context, s *stage) error {
	if err := s.standIn(ctx, webServers...); err != nil {
		return err
	}
	err := s.script(ctx,
		fmt.Sprintf(directorLine, VIP, s.address("www1"), s.address("www2"), ""),
		"quorate resource create VIP vip ip="+VIP.String()+" --group lvs --wait=60",
		"quorate constraint location lvs prefers lvsm=50",
	)
	if err == nil {
		err = s.goesHome(ctx, "Director")
	}
	if err == nil {
		err = s.drain(ctx, "www1")
	}
	if err == nil {
		err = s.enable(ctx, "www1")
	}
	if err == nil {
		err = s.drainForGood(ctx, "www2")
	}
	return err
}

// drain has a server drained that serves half of the downloads. It promises that none
// of the visits from then on is the server's, that no download breaks, and that the
// command tells how many are left.
func (s *stage) drain(ctx context.Context, server string) error {
	d, err := s.Download(ctx, page(fmt.Sprintf("/slow?seconds=%d", int(slow(drainedFor).Seconds()))), s.Connections)
	if err != nil {
		return err
	}
	defer func() { _ = d.Stop() }()
	opened, err := d.Settled(ctx, now(), slow(openTime))
	if err != nil {
		return err
	}
	s.promised("downloads opened", float64(opened), "", fmt.Sprint(s.Connections), opened == s.Connections)
	visits, err := s.Visit(ctx, page("/"), visitEvery)
	if err != nil {
		return err
	}
	began := now()
	said, drained, err := s.untilDrained(ctx, server)
	ended := now()
	list, stopErr := visits.Stop()
	if err = errors.Join(err, stopErr); err != nil {
		return err
	}
	s.visited(list, drained, server)
	alive, err := d.Settled(ctx, ended, slow(survivalFor))
	s.promised("downloads that were not broken", float64(alive), "", fmt.Sprint(s.Connections), alive == s.Connections)
	lines := strings.Count(said, "left\n")
	s.promised("times that the command told how many connections are left", float64(lines), "", "2 or more", lines >= 2)
	s.measured("from the command to the last connection's end", (ended - began).Seconds(), "s")
	return err
}

// untilDrained types the command, and returns what it said and when the server had no
// weight any more.
func (s *stage) untilDrained(ctx context.Context, server string) (said string, drained time.Duration, err error) {
	type outcome struct {
		said string
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		said, err := s.types(ctx, "lvss", "quorate server drain "+s.address(server)+" --deadline 10min")
		done <- outcome{said, err}
	}()
	err = s.weighs(ctx, "lvsm", server, 0)
	drained = now()
	o := <-done
	s.say("%s", o.said)
	return o.said, drained, errors.Join(err, o.err)
}

// weighs waits until a server has a weight in a node's table.
func (s *stage) weighs(ctx context.Context, node, server string, want int) error {
	h, _ := s.Spec.Host(server)
	return await(ctx, fmt.Sprintf("%s to have weight %d on %s", server, want, node), func() error {
		rows, err := s.table(ctx, node)
		if err == nil && !slices.ContainsFunc(rows, func(r row) bool { return r.Server == h.Address() && r.Weight == want }) {
			err = fmt.Errorf("the table is %+v", rows)
		}
		return err
	})
}

// visited tells who answered the visits that began after a server was drained.
func (s *stage) visited(list []Visit, drained time.Duration, server string) {
	count, its, failed := 0, 0, 0
	for _, v := range list {
		switch {
		case v.From < drained:
			continue
		case v.Problem != "":
			failed++
		case v.Server == server:
			its++
		}
		count++
	}
	s.measured("visits while "+server+" was drained", float64(count), "")
	s.promised("of these answered by "+server, float64(its), "", "0", its == 0 && count > 0)
	s.promised("of these failed", float64(failed), "", "0", failed == 0)
}

// enable gives a server back, and promises that it is visited again.
func (s *stage) enable(ctx context.Context, server string) error {
	if err := s.script(ctx, "quorate server enable "+s.address(server)); err != nil {
		return err
	}
	if err := s.weighs(ctx, "lvsm", server, 1); err != nil {
		return err
	}
	visits, err := s.Visit(ctx, page("/"), visitEvery)
	if err != nil {
		return err
	}
	err = await(ctx, server+" to be visited", func() error {
		if !slices.ContainsFunc(visits.Since(0), func(v Visit) bool { return v.Server == server }) {
			return errors.New("it is not yet")
		}
		return nil
	})
	_, stopErr := visits.Stop()
	return errors.Join(err, stopErr)
}

// drainForGood keeps a server drained, and moves the director: it is drained there too.
func (s *stage) drainForGood(ctx context.Context, server string) error {
	err := s.script(ctx,
		"quorate server drain "+s.address(server)+" --kept",
		"quorate resource config Director",
		"quorate resource move lvs lvss --wait=60",
		"quorate status",
	)
	if err != nil {
		return err
	}
	if err := s.weighs(ctx, "lvss", server, 0); err != nil {
		return err
	}
	s.promised("weight of "+server+" on the other director, where it was kept drained", 0, "", "0", true)
	return nil
}
