package ipvs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/resources/check"
)

// running is a director's hold as Start and Watch leave it, without a kernel.
func running(tb testing.TB, text string) *hold {
	tb.Helper()
	c, err := Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	h := &hold{config: c, active: true, down: Health{}, targets: c.Questions(nil, nil), checks: check.New(check.Config{})}
	if err := h.checks.Set(h.targets); err != nil {
		tb.Fatal(err)
	}
	return h
}

func TestTheKernelsCountsAndTheChecksAnswersAreToldTogether(t *testing.T) {
	h := running(t, "virtual 10.0.0.1:80; check tcp; real 10.0.0.21 weight=3; real 10.0.0.22; sorry 10.0.0.30; virtual 10.0.0.1:53 protocol=udp; real 10.0.0.23")
	tcp, udp := h.config.Keys()[0], h.config.Keys()[1]
	h.down[Question{h.config.Virtuals[0].Reals[1].at(tcp), h.config.Virtuals[0].Checks[0]}] = true
	v := h.view()
	v.table = map[Key]map[netip.AddrPort]load{
		tcp: {netip.MustParseAddrPort("10.0.0.21:80"): {3, 5, 7}},
		udp: {netip.MustParseAddrPort("10.0.0.23:53"): {1, 0, 9}},
	}
	v.checks["10.0.0.22:80 tcp"] = check.Status{State: check.Down, Reason: "connection refused", Since: 5e9, Latency: 1e6}
	var said strings.Builder
	for i, key := range h.config.Keys() {
		s := v.service(h.config.Virtuals[i], key)
		fmt.Fprintf(&said, "%s %s, %d of %d up\n", s.Name, s.Scheduler, s.Counts.Up, s.Counts.Servers)
		for _, e := range s.Servers {
			fmt.Fprintf(&said, "  %s %v weight %d of %d, %d+%d, %d open", e.Name, e.State, e.Weight, e.ConfiguredWeight, e.Active, e.Inactive, e.Open)
			for _, c := range e.Checks {
				fmt.Fprintf(&said, "; %s %s %q %v", c.Check, c.Result, c.Reason, c.Since.AsDuration().Truncate(time.Second))
			}
			said.WriteString("\n")
		}
	}
	const want = `tcp 10.0.0.1:80 wlc, 1 of 3 up
  10.0.0.21:80 SERVER_STATE_UP weight 3 of 3, 5+7, 5 open; tcp unknown "" 0s
  10.0.0.22:80 SERVER_STATE_DOWN weight 0 of 1, 0+0, 0 open; tcp down "connection refused" 5s
  10.0.0.30:80 SERVER_STATE_BACKUP weight 0 of 1, 0+0, 0 open
udp 10.0.0.1:53 wlc, 1 of 1 up
  10.0.0.23:53 SERVER_STATE_UP weight 1 of 1, 0+9, 9 open
`
	if said.String() != want {
		t.Errorf("got\n%swant\n%s", said.String(), want)
	}
}

// BenchmarkTenThousandServers is what a status of them costs beside reading the
// kernel's table.
func BenchmarkTenThousandServers(b *testing.B) {
	var text strings.Builder
	for v := range 10 {
		fmt.Fprintf(&text, "virtual 10.0.0.%d:80 scheduler=rr; check http path=/alive interval=1h\n", v+1)
		for s := range 1000 {
			fmt.Fprintf(&text, "real 10.1.%d.%d\n", s/200, s%200+1)
		}
	}
	h := running(b, text.String())
	for b.Loop() {
		v := h.view()
		for _, virtual := range v.config.Virtuals {
			for _, key := range virtual.Keys {
				v.service(virtual, key)
			}
		}
	}
}
