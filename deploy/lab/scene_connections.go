package lab

import (
	"context"
	"fmt"
	"time"
)

// directorLine is a director of the web servers, which are reached directly.
const directorLine = `quorate resource create Director ipvs config="virtual %s:80 scheduler=rr forward=direct; check tcp interval=1s timeout=5s; real %s; real %s" %s --group lvs`

// playConnections loses the director's power while downloads are open, and has it
// return, with the sync daemons and without.
func playConnections(ctx context.Context, s *stage) error {
	if err := s.standIn(ctx, webServers...); err != nil {
		return err
	}
	for _, with := range []struct{ how, option string }{
		{"with sync", "sync=10.77.0.0/24"},
		{"without sync", ""},
	} {
		if s.Brief && with.option == "" {
			continue
		}
		s.say("\n-- %s", with.how)
		err := s.script(ctx,
			fmt.Sprintf(directorLine, VIP, s.address("www1"), s.address("www2"), with.option),
			"quorate resource create VIP vip ip="+VIP.String()+" --group lvs --wait=60",
			"quorate constraint location lvs prefers lvsm=50",
		)
		if err == nil {
			err = s.goesHome(ctx, "Director")
		}
		if err == nil {
			err = s.survive(ctx, with.how, with.option != "")
		}
		if err == nil {
			err = s.clear(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	openTime    = 10 * time.Second // for all downloads to begin, on a machine that is not emulated
	survivalFor = 30 * time.Second // to hear from a download after a move, likewise
	// copyTime is what a new connection waits at most in the kernel's buffer before it
	// is sent to the other director, and more: IPVS_SYNC_FLUSH_TIME is 2 s.
	copyTime = 4 * time.Second
)

// survive opens downloads, and counts those that live after each of two moves.
func (s *stage) survive(ctx context.Context, how string, promised bool) error {
	d, err := s.Download(ctx, page("/slow?seconds=3600"), s.Connections)
	if err != nil {
		return err
	}
	defer func() { _ = d.Stop() }()
	opened, err := d.Settled(ctx, now(), slow(openTime))
	if err != nil {
		return err
	}
	s.promised(how+": downloads opened", float64(opened), "", fmt.Sprint(s.Connections), opened == s.Connections)
	if err := pause(ctx, copyTime); err != nil {
		return err
	}
	for _, move := range []struct {
		what string
		do   func() error
	}{
		{"power-off", func() error {
			if err := s.fault(ctx, PowerOff, "lvsm"); err != nil {
				return err
			}
			_, err := s.cluster.AwaitOwner(ctx, "VIP", "lvsm", func(owner string) bool { return owner == "lvss" })
			return err
		}},
		{"return", func() error {
			began := now()
			if err := s.fault(ctx, Heal, "lvsm"); err != nil {
				return err
			}
			err := s.goesHome(ctx, "VIP")
			s.measured(how+": from power-on to the return", (now() - began).Seconds(), "s")
			return err
		}},
	} {
		if err := move.do(); err != nil {
			return err
		}
		alive, err := d.Settled(ctx, now(), slow(survivalFor))
		if err != nil {
			return err
		}
		want := ""
		if promised {
			want = fmt.Sprint(s.Connections)
		}
		s.promised(fmt.Sprintf("%s: alive after the %s", how, move.what), float64(alive), "", want, !promised || alive == s.Connections)
	}
	return nil
}
