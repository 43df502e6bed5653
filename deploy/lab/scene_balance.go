package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// standIn makes web servers real servers of the address by hand: they have it on
// their loopback, and nobody hears of that (ip-sysctl.rst, arp_ignore).
func (s *stage) standIn(ctx context.Context, hosts ...string) error {
	for _, h := range hosts {
		line := fmt.Sprintf("sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 && ip addr replace %s/32 dev lo", VIP)
		if _, err := s.types(ctx, h, line); err != nil {
			return err
		}
	}
	return nil
}

// page is a page of the address.
func page(path string) string { return "http://" + VIP.String() + path }

// A row is a real server in a node's table.
type row struct {
	Server           netip.Addr
	Weight           int
	Active, Inactive int // connections
}

var rowLine = regexp.MustCompile(`(?m)^  -> ([0-9A-F]{8}):[0-9A-F]{4} +\w+ +(\d+) +(\d+) +(\d+)`)

// table is that of a node, of IPv4 servers (/proc/net/ip_vs).
func (s *stage) table(ctx context.Context, node string) ([]row, error) {
	text, err := s.Output(ctx, node, "cat", "/proc/net/ip_vs")
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, m := range rowLine.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseUint(m[1], 16, 32)
		r := row{Server: netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})}
		for i, into := range []*int{&r.Weight, &r.Active, &r.Inactive} {
			*into, _ = strconv.Atoi(m[i+2])
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// listed waits until a server is in a node's table, with a weight, or is not.
func (s *stage) listed(ctx context.Context, node, server string, want bool) error {
	h, _ := s.Spec.Host(server)
	return await(ctx, fmt.Sprintf("%s in the table of %s: %t", server, node, want), func() error {
		rows, err := s.table(ctx, node)
		if err != nil {
			return err
		}
		if got := slices.ContainsFunc(rows, func(r row) bool { return r.Server == h.Address() && r.Weight > 0 }); got != want {
			return fmt.Errorf("the table is %+v", rows)
		}
		return nil
	})
}

// served is how many pages each web server has answered.
func (s *stage) served(ctx context.Context) (map[string]int, error) {
	all := map[string]int{}
	for _, w := range s.webs {
		h, _ := s.Spec.Host(w)
		text, err := s.Output(ctx, ClientName, "curl", "-s", fmt.Sprintf("http://%s/served", h.Address()))
		if err != nil {
			return nil, err
		}
		all[w], _ = strconv.Atoi(strings.TrimSpace(text))
	}
	return all, nil
}

// A benchmark is what ab said.
type benchmark struct {
	Complete, Failed int
	Rate             float64        // requests a second
	By               map[string]int // how many each web server answered
}

var (
	abComplete = regexp.MustCompile(`Complete requests: +(\d+)`)
	abFailed   = regexp.MustCompile(`Failed requests: +(\d+)`)
	abOther    = regexp.MustCompile(`Non-2xx responses: +(\d+)`)
	abRate     = regexp.MustCompile(`Requests per second: +([\d.]+)`)
)

// manyWaits is more ended connections than a benchmark leaves a web server with. The kernel
// remembers each for a minute (TIME-WAIT), but of a small machine's no more than 4096 in all
// (ip-sysctl.rst, tcp_max_tw_buckets): it answers a segment of the others by a reset, and ab
// waits in vain for one request more once a reset has come after a whole answer.
const manyWaits = 1 << 17

// bench runs ab on the client, and counts who answered.
func (s *stage) bench(ctx context.Context) (benchmark, error) {
	for _, w := range s.webs {
		if _, err := s.Output(ctx, w, "sysctl", "-qw", fmt.Sprintf("net.ipv4.tcp_max_tw_buckets=%d", manyWaits)); err != nil {
			return benchmark{}, err
		}
	}
	before, err := s.served(ctx)
	if err != nil {
		return benchmark{}, err
	}
	// It takes all the time that it gets, also from the agents of an emulated machine.
	text, err := s.types(ctx, ClientName, fmt.Sprintf("nice -n 19 ab -r -q -n %d -c %d %s", s.Requests, s.Concurrency, page("/")))
	if err != nil {
		return benchmark{}, fmt.Errorf("%w\n%s", err, text)
	}
	after, err := s.served(ctx)
	number := func(of *regexp.Regexp) float64 {
		if m := of.FindStringSubmatch(text); m != nil {
			n, _ := strconv.ParseFloat(m[1], 64)
			return n
		}
		return 0
	}
	b := benchmark{int(number(abComplete)), int(number(abFailed) + number(abOther)), number(abRate), map[string]int{}}
	for w := range after {
		b.By[w] = after[w] - before[w]
	}
	return b, err
}

// balanced runs ab and promises that each web server gets its share of the requests,
// within some percent of all.
func (s *stage) balanced(ctx context.Context, what string, share map[string]float64, within float64) error {
	b, err := s.bench(ctx)
	if err != nil {
		return err
	}
	s.promised(what+": requests that ab saw fail", float64(b.Failed+s.Requests-b.Complete), "", "0", b.Failed == 0 && b.Complete == s.Requests)
	s.measured(what+": requests a second", b.Rate, "")
	for _, w := range s.webs {
		got := 100 * float64(b.By[w]) / float64(s.Requests)
		s.promised(what+": share of "+w, got, "%", fmt.Sprintf("%v %% ± %v", share[w], within), math.Abs(got-share[w]) <= within)
	}
	return nil
}

// visitEvery is the pace of visits, on a machine that is not emulated.
const visitEvery = 10 * time.Millisecond

// absent stops a web server while a client visits, and starts it again. It promises
// when it leaves the table and returns, and that only connections that were for it
// fail, before it has left.
func (s *stage) absent(ctx context.Context, node, web string, leave, back time.Duration) error {
	visits, err := s.Visit(ctx, page("/"), visitEvery)
	if err != nil {
		return err
	}
	left, err := s.away(ctx, node, web, leave, back)
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
	s.measured(fmt.Sprintf("visits, of which some while %s was away", web), float64(len(list)), "")
	s.measured(fmt.Sprintf("visits that failed before %s had left the table", web), float64(before), "")
	s.promised(fmt.Sprintf("visits that failed after %s had left the table, and when it came back", web), float64(after), "", "0", after == 0)
	return nil
}

// away stops a web server and starts it again, and tells when it had left the table, on
// the machine's clock.
func (s *stage) away(ctx context.Context, node, web string, leave, back time.Duration) (left time.Duration, err error) {
	stopped := now()
	if err := s.stopWeb(ctx, web); err != nil {
		return 0, err
	}
	if err := s.listed(ctx, node, web, false); err != nil {
		return 0, err
	}
	left = now()
	s.inTime(web+" stopped: out of the table after", left-stopped, leave)
	if err := pause(ctx, slow(calm)); err != nil {
		return 0, err
	}
	if err := s.startWeb(ctx, web); err != nil {
		return 0, err
	}
	started := now()
	if err := s.listed(ctx, node, web, true); err != nil {
		return 0, err
	}
	returned := now()
	s.inTime(web+" started: in the table after", returned-started, back)
	return left, pause(ctx, slow(calm))
}

// inTime promises that something took no longer than it may. An emulated machine that
// shares its processors stands still for seconds: there, the promise is broken by twice
// as long.
func (s *stage) inTime(what string, took, may time.Duration) {
	allowed := may
	if InMachine() {
		allowed = 2 * may
	}
	s.promised(what, took.Seconds(), "s", may.String(), took <= allowed)
}

// stopWeb ends a host's web server: of a host that has nothing else, or beside an agent.
func (s *stage) stopWeb(ctx context.Context, host string) error {
	if _, beside := s.running[host]; beside {
		return s.unserve(ctx, host)
	}
	return s.fault(ctx, Kill, host)
}

// startWeb starts it again.
func (s *stage) startWeb(ctx context.Context, host string) error {
	if s.running != nil {
		return s.serve(ctx, host)
	}
	return s.fault(ctx, Heal, host)
}

// fault does something to a host.
func (s *stage) fault(ctx context.Context, f Fault, host string) error {
	s.typed("lab", fmt.Sprintf("quorate lab fault %s %s", f, host))
	_, err := s.Fault(ctx, f, host)
	return err
}
