package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A TortureReport says what a cluster and its client went through.
type TortureReport struct {
	Seed          uint64         `json:"seed"`
	Seconds       float64        `json:"seconds"`
	Faults        []TortureFault `json:"faults"`
	Failovers     int            `json:"failovers"`
	Moves         int            `json:"moves"`
	OwnerChanges  int            `json:"owner_changes"` // by the kernels' word: also of pairs, which tell of forks instead
	LeaderChanges int            `json:"leader_changes"`
	Lapses        uint64         `json:"lapses"` // leases lost, of all nodes
	Probes        int            `json:"probes"`
	Gaps          []TortureGap   `json:"gaps"` // explained by an event of the cluster, or by nothing
	NetworkGaps   Sum            `json:"network_gaps"`
	LateGaps      Sum            `json:"late_gaps"`
	Unexplained   int            `json:"unexplained"` // of the gaps
	Served        []TortureSpan  `json:"served"`
	Double        float64        `json:"double_ms"`
	Shared        float64        `json:"shared_ms"`
	Missed        int            `json:"missed_messages"` // of the kernels: shared_ms may be wrong
	Acknowledged  int            `json:"acknowledged_writes"`
	Unanswered    int            `json:"unanswered_writes"`
	Violations    []string       `json:"violations"`
	Events        []string       `json:"events"`
	Logs          string         `json:"logs,omitempty"` // where they were saved, after a violation
}

// TortureFault is what befell a node.
type TortureFault struct {
	At      float64 `json:"at_s"`
	Seconds float64 `json:"seconds"`
	What    string  `json:"what"`
	Node    string  `json:"node"`
}

// TortureSpan is a time in which a node had the address, and its kernel let it speak.
type TortureSpan struct {
	Node string  `json:"node"`
	From float64 `json:"from_s"`
	To   float64 `json:"to_s"`
}

// TortureGap is a time in which a client had no answer.
type TortureGap struct {
	Kind   string  `json:"kind"`
	At     float64 `json:"at_s"`
	Length float64 `json:"ms"`
	Why    string  `json:"why,omitempty"` // empty: unexplained
}

// Sum is of gaps that are not the cluster's: of a network that the nemesis
// struck under the address's owner, or of answers that came late.
type Sum struct {
	Count   int     `json:"count"`
	Longest float64 `json:"longest_ms"`
}

func (s *Sum) add(g Gap) {
	s.Count++
	s.Longest = max(s.Longest, ms(g.Length()))
}

func (c *chamber) report(seen observed) TortureReport {
	events := c.tale.since(c.began)
	r := TortureReport{
		Seed: c.Seed, Seconds: round((now() - c.began).Seconds()),
		Failovers: count(events, "failover"), Moves: count(events, "move"), LeaderChanges: c.tale.leaderChanges(),
		Double: ms(seen.meter.Double), Shared: ms(seen.meter.Shared), Missed: seen.meter.Missed, Gaps: []TortureGap{}, Violations: []string{},
	}
	for _, s := range c.struck {
		r.Faults = append(r.Faults, c.fault(s))
	}
	for _, s := range seen.meter.Served {
		r.Served = append(r.Served, TortureSpan{s.Node, round3((s.From - c.began).Seconds()), round3((s.To - c.began).Seconds())})
	}
	r.OwnerChanges = turns(r.Served)
	for _, n := range c.tale.tales() {
		r.Lapses += n.Lapses
	}
	for _, t := range seen.tallies {
		r.Probes += t.Sent
		for _, g := range t.Gaps {
			r.explain(g, c.began, witness{events, c.struck, seen.meter.Served, c.q.resource})
		}
	}
	r.Acknowledged, r.Unanswered = c.writer.ledger.counts()
	for _, e := range events {
		if e.Kind != "configuration" { // of the writer
			r.Events = append(r.Events, fmt.Sprintf("%.3f s: %s", (e.At-c.began).Seconds(), e.Text))
		}
	}
	r.judge(seen.meter)
	return r
}

// turns counts how often another node began to serve than the one before.
func turns(served []TortureSpan) int {
	n := 0
	for i := 1; i < len(served); i++ {
		if served[i].Node != served[i-1].Node {
			n++
		}
	}
	return n
}

func (c *chamber) fault(s struck) TortureFault {
	what := []string{s.act}
	for _, t := range s.troubles {
		if words := strings.TrimPrefix(t.String(), string(t.Fault)+" "+s.node); words != "" {
			what = append(what, strings.TrimSpace(words))
		}
	}
	return TortureFault{
		At: round((s.from - c.began).Seconds()), Seconds: round((s.to - s.from).Seconds()),
		What: strings.Join(what, " "), Node: s.node,
	}
}

// judge adds what must never be.
func (r *TortureReport) judge(m *MeterReport) {
	if r.Double > 0 {
		r.Violations = append(r.Violations, fmt.Sprintf("two nodes answered for %.1f ms: %v", r.Double, doubles(m.Answered)))
	}
	if r.Shared > 0 {
		r.Violations = append(r.Violations, fmt.Sprintf("two nodes served the address for %.1f ms: %v", r.Shared, doubles(m.Served)))
	}
	for _, g := range r.Gaps {
		if g.Why == "" {
			r.Violations = append(r.Violations, fmt.Sprintf("%s: a gap of %.1f ms at %.3f s, and no event explains it", g.Kind, g.Length, g.At))
		}
	}
}

// doubles are the spans that overlap another node's.
func doubles(spans []Span) []Span {
	return slices.DeleteFunc(slices.Clone(spans), func(a Span) bool {
		return !slices.ContainsFunc(spans, func(b Span) bool { return a.Node != b.Node && a.From < b.To && b.From < a.To })
	})
}

// A witness is all that may explain a gap.
type witness struct {
	events   []Told
	struck   []struck
	served   []Span
	resource string
}

const (
	// slack is between what an event tells of and what a client notices of it.
	slack = 300 * time.Millisecond
	// blip is the longest gap that a lossy cable's frames account for: lost one by
	// one, not for as long as a lease.
	blip = 100 * time.Millisecond
)

// explain puts a gap where it belongs.
func (r *TortureReport) explain(g Gap, began time.Duration, w witness) {
	if g.Lost == g.Late {
		r.LateGaps.add(g)
		return
	}
	e, told := w.event(g)
	if w.network(g) && (!told || g.Length() < blip) {
		r.NetworkGaps.add(g)
		return
	}
	if !told {
		r.Unexplained++
	}
	r.Gaps = append(r.Gaps, TortureGap{Kind: g.Kind, At: round3((g.From - began).Seconds()), Length: ms(g.Length()), Why: e.Text})
}

// event finds what the cluster told of a gap: of the resource, or of a node that
// served it before or after.
func (w witness) event(g Gap) (best Told, ok bool) {
	for _, e := range w.events {
		if e.At-e.Took-slack > g.To || e.At+slack < g.From || !w.concerns(e, g) {
			continue
		}
		if !ok || e.Resource != "" && best.Resource == "" {
			best, ok = e, true
		}
	}
	return best, ok
}

// quiet are kinds of events that say nothing of a service.
var quiet = []string{"configuration", "electorate", "token-created", "node-admitted", "node-added"}

func (w witness) concerns(e Told, g Gap) bool {
	switch {
	case slices.Contains(quiet, e.Kind):
		return false
	case e.Resource != "":
		return e.Resource == w.resource || g.Kind == "http"
	}
	return slices.ContainsFunc(w.served, func(s Span) bool {
		return s.Node == e.Node && s.From-slack < g.To && s.To+slack > g.From
	})
}

// network tells whether the nemesis had struck the service network under a node
// that served all through the gap: the cluster cannot know of it. Or had severed it
// for as long as the gap: a lease may have lapsed in it, but a node that is killed
// right after that tells nobody.
func (w witness) network(g Gap) bool {
	return slices.ContainsFunc(w.served, func(s Span) bool {
		return s.From <= g.From && s.To >= g.To && w.struckIn(s.Node, g, wires)
	}) || slices.ContainsFunc(w.served, func(s Span) bool {
		return s.From <= g.From && s.To >= g.From-slack && w.severed(s.Node, g)
	})
}

// margin is between a fault and what is noticed of it.
const margin = 20 * time.Millisecond

// severed tells whether nothing came through to the client in all of the gap.
func (w witness) severed(node string, g Gap) bool {
	return slices.ContainsFunc(w.struck, func(s struck) bool {
		return s.from-margin <= g.From && g.To <= s.to+margin && s.serviceNetwork(node, []Fault{Cut, Unplug})
	})
}

// struckIn tells whether some of the faults befell the node in the gap.
func (w witness) struckIn(node string, g Gap, faults []Fault) bool {
	return slices.ContainsFunc(w.struck, func(s struck) bool {
		return s.from-margin < g.To && s.to+margin > g.From && s.serviceNetwork(node, faults)
	})
}

// serviceNetwork tells whether one of the faults lay between the node and its clients.
func (s struck) serviceNetwork(node string, faults []Fault) bool {
	return s.node == node && slices.ContainsFunc(s.troubles, func(t Trouble) bool {
		return slices.Contains(faults, t.Fault) && (t.Network == "" || t.Network == Networks[0]) && (t.Peer == "" || t.Peer == ClientName)
	})
}

func (r TortureReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%.0f s of torture, seed %d\n\nfaults:\n", r.Seconds, r.Seed)
	for _, f := range r.Faults {
		fmt.Fprintf(out, "  %8.1f s  %-6s %s, for %.1f s\n", f.At, f.Node, f.What, f.Seconds)
	}
	fmt.Fprintf(out, "\ngaps in the client's %d probes:\n", r.Probes)
	for _, g := range r.Gaps {
		why := g.Why
		if why == "" {
			why = "UNEXPLAINED"
		}
		fmt.Fprintf(out, "  %8.1f s  %7.1f ms  %s  %s\n", g.At, g.Length, g.Kind, why)
	}
	fmt.Fprintf(out, "  %d more, %.1f ms at most, of a network that was struck under the owner\n", r.NetworkGaps.Count, r.NetworkGaps.Longest)
	fmt.Fprintf(out, "  %d more, %.1f ms at most, in which all answers came, but late\n\n", r.LateGaps.Count, r.LateGaps.Longest)
	fmt.Fprintf(out, "faults %d, changes of owner %d (failovers told %d, moves %d), lost leases %d, leader changes %d\n",
		len(r.Faults), r.OwnerChanges, r.Failovers, r.Moves, r.Lapses, r.LeaderChanges)
	fmt.Fprintf(out, "two nodes answered: %.1f ms; two nodes served: %.1f ms; unexplained gaps: %d\n", r.Double, r.Shared, r.Unexplained)
	fmt.Fprintf(out, "writes: %d acknowledged, %d without an answer\n", r.Acknowledged, r.Unanswered)
	if len(r.Violations) == 0 {
		fmt.Fprintln(out, "nothing was violated, lost or left behind")
	}
	for _, v := range r.Violations {
		fmt.Fprintf(out, "VIOLATED: %s\n", v)
	}
	if r.Logs != "" {
		fmt.Fprintf(out, "the agents' logs are in %s\n", r.Logs)
	}
	return nil
}

func (r TortureReport) verdict() error {
	if len(r.Violations) == 0 {
		return nil
	}
	return errors.New(r.Violations[0])
}
