package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// proxyFile is the HAProxy of both nodes: before the web servers, but for /proxy,
// which it answers itself with the name of its host.
const proxyFile = `defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
    option redispatch

frontend web
    bind *:80
    http-request return status 200 content-type text/plain lf-string "this is %H" if { path /proxy }
    default_backend servers

backend servers
    balance roundrobin
    option httpchk GET /alive.html
    server www1 WWW1:80 check
    server www2 WWW2:80 check
`

// playProxies is a clone of HAProxy behind a director that runs on one of its nodes:
// all of them work, and the loss of any costs the connections that were open to it.
func playProxies(ctx context.Context, s *stage) error {
	text := strings.NewReplacer("WWW1", s.address("www1"), "WWW2", s.address("www2")).Replace(proxyFile)
	file := filepath.Join(s.Shared(), "proxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	err := s.script(ctx,
		"quorate resource create Proxy haproxy config=@"+file+" clone",
		"quorate resource create Real realserver ip="+VIP.String()+" clone",
		fmt.Sprintf(`quorate resource create Director ipvs config="virtual %s:80 scheduler=rr forward=direct; check http path=/proxy interval=1s; real %s; real %s" --group lvs`,
			VIP, s.address("lvsm"), s.address("lvss")),
		"quorate resource create VIP ocf:heartbeat:IPaddr2 ip="+VIP.String()+" --group lvs --wait=60",
		"quorate constraint location lvs prefers lvsm=50",
	)
	if err == nil {
		err = s.goesHome(ctx, "Director")
	}
	for _, node := range []string{"lvsm", "lvss"} {
		if err == nil {
			err = s.listed(ctx, "lvsm", node, true)
		}
	}
	if err == nil {
		err = s.shared(ctx)
	}
	if err == nil {
		err = s.failover(ctx, "Director")
	}
	return err
}

// shared has a client ask both proxies in turn.
func (s *stage) shared(ctx context.Context) error {
	visits, err := s.Visit(ctx, page("/proxy"), visitEvery)
	if err != nil {
		return err
	}
	err = pause(ctx, slow(2*time.Second))
	list, stopErr := visits.Stop()
	if err = errors.Join(err, stopErr); err != nil {
		return err
	}
	by, failed := map[string]int{}, 0
	for _, v := range list {
		if v.Problem != "" {
			failed++
			s.say("   %s", v.Problem)
			continue
		}
		by[v.Server]++
	}
	s.promised("visits of both proxies", float64(len(list)), "", "some", len(list) > 0)
	s.promised("visits that failed", float64(failed), "", "0", failed == 0)
	for _, node := range []string{"lvsm", "lvss"} {
		got := 100 * float64(by[node]) / float64(max(1, len(list)))
		s.promised("share of the proxy on "+node, got, "%", "50 % ± 2", math.Abs(got-50) <= 2)
	}
	return nil
}
