package lab

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestE2ETorture lets a nemesis loose for a while. `quorate lab torture` does so
// for longer, and with other seeds.
func TestE2ETorture(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: whole clusters take their time")
	}
	spec := NewSpec("torture", []string{"n1", "n2", "n3"}, AgentCommand)
	spec.Program = quorateProgram(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	var out, progress strings.Builder
	err := Torture{Spec: spec, Seed: 4, For: 50 * time.Second}.Run(t.Context(), &out, &progress)
	if err != nil && out.Len() == 0 && os.Geteuid() != 0 {
		t.Skipf("SKIPPED: no lab on this machine: %v", err)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, progress.String())
	}
	t.Logf("%s", out.String())
}

func TestANemesisIsAFunctionOfItsSeed(t *testing.T) {
	spec := NewSpec("t", []string{"n1", "n2", "n3"}, nil).Wired(2)
	plan := func(seed uint64, reckless bool) string {
		n := newNemesis(seed, spec, reckless, nil)
		var all []string
		for range 200 {
			all = append(all, n.next().String())
		}
		return strings.Join(all, "\n")
	}
	for _, reckless := range []bool{false, true} {
		if first, again := plan(1, reckless), plan(1, reckless); first != again {
			t.Errorf("reckless %v: one seed made two plans", reckless)
		}
	}
	if plan(1, false) == plan(2, false) {
		t.Error("two seeds made one plan")
	}
	for _, name := range Deeds() {
		if !strings.Contains(plan(1, false), name) {
			t.Errorf("no %s in 200 acts", name)
		}
	}
}

func TestANemesisStrikesOneNodeUnlessItIsReckless(t *testing.T) {
	spec := NewSpec("t", []string{"n1", "n2", "n3"}, nil)
	for _, reckless := range []bool{false, true} {
		n, most := newNemesis(1, spec, reckless, []string{"freeze"}), 0
		for range 200 {
			a := n.next()
			most = max(most, len(a.Nodes))
			if a.Name == "freeze" {
				t.Error("did what was to be left out")
			}
		}
		if reckless != (most > 1) {
			t.Errorf("reckless %v: struck %d nodes at once", reckless, most)
		}
	}
}

func TestALedgerKnowsWhatMustBeThere(t *testing.T) {
	l := newLedger()
	for _, w := range []struct {
		value        string
		acknowledged bool
	}{{"1", true}, {"2", false}, {"3", true}, {"4", false}} {
		l.begin("k", w.value)
		l.end("k", w.value, w.acknowledged)
	}
	for got, lost := range map[string]bool{"1": true, "2": false, "3": false, "4": false, "5": true, "": true} {
		if missing := l.missing("n1", map[string]string{"k": got}); (len(missing) > 0) != lost {
			t.Errorf("%q is there: %v, want lost %v", got, missing, lost)
		}
	}
}

func TestWhatExplainsAGap(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	served := []Span{{"n1", 0, ms(5400)}, {"n2", ms(5450), ms(15000)}, {"n2", ms(15100), ms(20000)}}
	failover := Told{At: ms(5460), Took: ms(455), Kind: "failover", Resource: "vip", Text: "failed over"}
	lossy := struck{node: "n2", from: ms(9000), to: ms(12000), troubles: []Trouble{{Fault: Lose, Percent: 20}}}
	cut := struck{node: "n2", from: ms(14600), to: ms(15090), troubles: []Trouble{{Fault: Cut}}}
	for _, tt := range []struct {
		name     string
		from, to int
		late     int
		want     string // why; net, late or UNEXPLAINED
	}{
		{"the failover's", 5400, 5455, 0, "failed over"},
		{"nobody's", 7000, 7100, 0, "UNEXPLAINED"},
		{"some frames lost under the owner", 10000, 10008, 0, "net"},
		{"a busy machine", 8000, 8010, 4, "late"},
		{"a cable cut for longer than a lease", 14600, 15100, 0, "net"},
		{"longer than the cable was cut", 14600, 15150, 0, "UNEXPLAINED"},
	} {
		var r TortureReport
		g := Gap{Kind: "icmp", From: ms(tt.from), To: ms(tt.to), Lost: 4, Late: tt.late}
		r.explain(g, 0, witness{[]Told{failover}, []struck{lossy, cut}, served, "vip"})
		got := map[bool]string{r.NetworkGaps.Count == 1: "net", r.LateGaps.Count == 1: "late"}[true]
		if len(r.Gaps) == 1 {
			got = r.Gaps[0].Why
			if got == "" && r.Unexplained == 1 {
				got = "UNEXPLAINED"
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAReportSaysWhatWasViolated(t *testing.T) {
	r := TortureReport{Double: 3, Gaps: []TortureGap{{Kind: "icmp", Length: 12, Why: "a failover"}, {Kind: "icmp", Length: 20}}}
	r.judge(&MeterReport{Answered: []Span{{"n1", 0, 5}, {"n2", 2, 9}, {"n1", 20, 30}}})
	var out strings.Builder
	if err := r.print(&out, true); err != nil {
		t.Fatal(err)
	}
	var back TortureReport
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Violations) != 2 || !slices.ContainsFunc(back.Violations, func(v string) bool { return strings.Contains(v, "two nodes answered") }) {
		t.Errorf("violations: %q", back.Violations)
	}
	if r.verdict() == nil || (TortureReport{}).verdict() != nil {
		t.Error("the verdict is not about violations")
	}
}
