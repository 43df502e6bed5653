package ipvs

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources/check"
)

// ailing is the health in which some servers, by the last numbers of their addresses, are down.
func ailing(c *Configuration, numbers ...int) Health {
	down := Health{}
	for _, n := range numbers {
		down[Question{netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", n)), c.Virtuals[0].Checks[0]}] = true
	}
	return down
}

const pool = `virtual 10.0.0.1:80 QUORUM; check tcp
	real 10.0.0.21 weight=2; real 10.0.0.22 weight=2; real 10.0.0.23 weight=1
	sorry 10.0.0.30`

// The rules are those of keepalived.conf(5), "quorum" and "hysteresis": it is gained
// with quorum + hysteresis, and lost with less than quorum - hysteresis, or nothing.
func TestAServiceHasItsQuorumByTheWeightsOfItsServers(t *testing.T) {
	const quorate, lacking = true, false
	tests := []struct {
		options string
		before  bool
		down    []int
		want    bool
		table   string
	}{
		{"", quorate, nil, quorate, "21:2 22:2 23:1"},
		{"", quorate, []int{21, 22}, quorate, "23:1"},
		{"", quorate, []int{21, 22, 23}, lacking, "30:1"},
		{"quorum=3", quorate, []int{21}, quorate, "22:2 23:1"},
		{"quorum=3", quorate, []int{21, 23}, lacking, "30:1"},
		{"quorum=3 quiescent=yes", quorate, []int{21, 23}, lacking, "21:0 22:0 23:0 30:1"},
		{"quorum=3 hysteresis=1", quorate, []int{21, 23}, quorate, "22:2"},
		{"quorum=3 hysteresis=1", lacking, []int{21}, lacking, "30:1"},
		{"quorum=3 hysteresis=1", lacking, []int{23}, quorate, "21:2 22:2"},
		{"quorum=3 hysteresis=3", quorate, []int{21, 22, 23}, lacking, "30:1"},
		{"quorum=6", quorate, nil, lacking, "30:1"},
	}
	for _, tt := range tests {
		c := configured(t, strings.Replace(pool, "QUORUM", tt.options, 1))
		before := Standing{services: map[Key]serving{c.Virtuals[0].Keys[0]: {quorate: tt.before}}}
		down := ailing(c, tt.down...)
		now := c.Stand(before, down, nil)
		if got := !now.lacks(c.Virtuals[0]); got != tt.want {
			t.Errorf("%q, quorate before: %v, down %v: quorate %v", tt.options, tt.before, tt.down, got)
		}
		if got := weights(c.Services(down, nil, now)[0]); got != tt.table {
			t.Errorf("%q, quorate before: %v, down %v: table %s, want %s", tt.options, tt.before, tt.down, got, tt.table)
		}
	}
}

func TestWithoutASorryServerThoseThatAreLeftServeOn(t *testing.T) {
	c := configured(t, "virtual 10.0.0.1:80 quorum=5; check tcp; real 10.0.0.21; real 10.0.0.22")
	down := ailing(c, 21)
	if got := weights(c.Services(down, nil, c.Stand(Standing{}, down, nil))[0]); got != "22:1" {
		t.Errorf("got %s", got)
	}
}

const notified = `virtual 10.0.0.1:80 quorum=2 up=/q/up down="/q/down all" alpha=ALPHA; check tcp
	real 10.0.0.21 up=/r/up down='/r/down 21'; real 10.0.0.22`

func TestEachChangeIsToldOnceWithItsProgram(t *testing.T) {
	c := configured(t, strings.Replace(notified, "ALPHA", "no", 1))
	type step struct {
		down []int
		want string
	}
	steps := []step{
		{nil, ""}, // how it begins is no news
		{nil, ""},
		{[]int{21}, "server-down /r/down 21, server-quorum-lost /q/down all"},
		{[]int{21}, ""},
		{[]int{21, 22}, "server-down"},
		{[]int{22}, "server-up /r/up"},
		{nil, "server-up, server-quorum-gained /q/up"},
	}
	before := Standing{}
	for i, s := range steps {
		now := c.Stand(before, ailing(c, s.down...), nil)
		var got []string
		for _, n := range c.Notices(before, now, func(Virtual, Real) string { return "connection refused" }) {
			got = append(got, strings.TrimSpace(n.Kind+" "+n.Command))
		}
		if strings.Join(got, ", ") != s.want {
			t.Errorf("step %d, down %v: %q, want %q", i, s.down, got, s.want)
		}
		before = now
	}
}

func TestWithAlphaAServerIsDownUntilACheckHasFoundItUp(t *testing.T) {
	c := configured(t, strings.Replace(notified, "ALPHA", "yes", 1))
	down := assumed(c.Questions(nil, nil))
	begun := c.Stand(Standing{}, down, nil)
	if got := weights(c.Services(down, nil, begun)[0]); got != "" || !begun.lacks(c.Virtuals[0]) {
		t.Errorf("it begins with %s", got)
	}
	if news := c.Notices(Standing{}, begun, nil); len(news) > 0 {
		t.Errorf("how it begins is told: %v", news)
	}
	up := c.Stand(begun, nil, nil)
	var kinds []string
	for _, n := range c.Notices(begun, up, func(Virtual, Real) string { return "" }) {
		kinds = append(kinds, n.Kind)
	}
	if want := []string{"server-up", "server-up", "server-quorum-gained"}; !slices.Equal(kinds, want) {
		t.Errorf("told was %q, want %q", kinds, want)
	}
}

// A director that an agent adopts after its restart tells nothing again.
func TestAnAdoptedSorryServerSaysThatTheQuorumIsLacking(t *testing.T) {
	c := configured(t, strings.Replace(pool, "QUORUM", "quorum=3 hysteresis=1", 1))
	down := ailing(c, 21, 22)
	table := c.Services(down, nil, c.Stand(Standing{}, down, nil))
	found := c.found(table)
	if !found.lacks(c.Virtuals[0]) {
		t.Errorf("found %v", found)
	}
	now := c.Stand(found, ailing(c, 21), nil)
	if news := c.Notices(found, now, nil); len(news) > 0 || !now.lacks(c.Virtuals[0]) {
		t.Errorf("after the adoption %v is told, lacking: %v", news, now.lacks(c.Virtuals[0]))
	}
}

func TestOmegaRunsTheProgramsOfWhatWasUp(t *testing.T) {
	c := configured(t, strings.Replace(strings.Replace(notified, "ALPHA", "no", 1), "quorum=2", "quorum=2 omega=yes", 1))
	if got := strings.Join(c.Endings(c.Stand(Standing{}, nil, nil)), ", "); got != "/r/down 21, /q/down all" {
		t.Errorf("of a healthy service %q", got)
	}
	if got := c.Endings(c.Stand(Standing{}, ailing(c, 21), nil)); len(got) > 0 {
		t.Errorf("of one that lost its quorum %q", got)
	}
}

func TestNotifiersThatCannotBeAreRefusedS8(t *testing.T) {
	for text, want := range map[string]string{
		"virtual 10.0.0.1:80 up=notify.sh; real 10.0.0.21":            "whole path",
		"virtual 10.0.0.1:80; real 10.0.0.21 down=notify.sh":          "whole path",
		"virtual 10.0.0.1:80 quorum=x; real 10.0.0.21":                "quorum",
		"virtual 10.0.0.1:80 quorum=2 hysteresis=3; real 10.0.0.21":   "never be lost",
		"virtual 10.0.0.1:80; real 10.0.0.21; sorry 10.0.0.22 down=x": "whole path",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestManyChangesAreToldInFewEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []*pb.Event
		x := newTeller(New(Config{Tell: func(e *pb.Event) { told = append(told, e) }}), &pb.Resource{Id: "lb"})
		one := Notice{Kind: "server-down", Text: "server a is down"}
		x.take([]Notice{one}, time.Now())
		if len(told) != 1 || told[0].Resource != "lb" {
			t.Fatalf("told %v", told)
		}
		x.take(slices.Repeat([]Notice{one}, 2000), time.Now())
		if len(told) != 1 {
			t.Errorf("within a second %d events", len(told))
		}
		time.Sleep(time.Second)
		x.take(nil, time.Now())
		if len(told) != 2 || told[1].Text != "server a is down; so it is with 1999 more" {
			t.Errorf("told %v", told)
		}
		for range 3600 { // an hour of one that flaps each second
			x.take([]Notice{one}, time.Now())
			time.Sleep(time.Second)
		}
		if len(told) > 200 {
			t.Errorf("%d events of an hour", len(told))
		}
	})
}

func TestProgramsRunInOrderBesideTheDirector(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "note")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$1\" >> "+dir+"/said\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	a := New(Config{})
	r := &pb.Resource{Id: "lb"}
	a.end(t.Context(), r, []string{program + " one", program + " 'two words'"})
	said, _ := os.ReadFile(dir + "/said")
	if string(said) != "one\ntwo words\n" {
		t.Errorf("said was %q", said)
	}
}

func TestWeightsOfChecksAreAddedAndCounted(t *testing.T) {
	c := configured(t, `virtual 10.0.0.1:80 quorum=4
		real 10.0.0.21 weight=3; check program command=/bin/w dynamic=yes; check file file=/f weight=1
		real 10.0.0.22 weight=1
		sorry 10.0.0.30`)
	k := c.Virtuals[0].Keys[0]
	asked := c.Virtuals[0].questions(k, c.Virtuals[0].Reals[0])
	for _, tt := range []struct {
		program, file check.Weight
		want          string
	}{
		{check.Weight{}, check.Weight{}, "21:3 22:1"},
		{check.Weight{Value: 8, Instead: true}, check.Weight{}, "21:8 22:1"},
		{check.Weight{Value: 8, Instead: true}, check.Weight{Value: -2}, "21:6 22:1"},
		{check.Weight{}, check.Weight{Value: -1}, "30:1"},
		{check.Weight{}, check.Weight{Value: 100000}, "21:65535 22:1"},
		{check.Weight{}, check.Weight{Value: -100}, "30:1"},
	} {
		before := Standing{weights: Weights{asked[0]: tt.program, asked[1]: tt.file}}
		if got := weights(c.Services(nil, nil, c.Stand(before, nil, nil))[0]); got != tt.want {
			t.Errorf("program %+v, file %+v: %s, want %s", tt.program, tt.file, got, tt.want)
		}
	}
	table := []Service{{Key: k, Servers: []Server{{Address: netip.MustParseAddrPort("10.0.0.21:80"), Weight: 7}, {Address: netip.MustParseAddrPort("10.0.0.22:80"), Weight: 1}}}}
	if got := weights(c.Services(nil, nil, c.found(table))[0]); got != "21:7 22:1" {
		t.Errorf("adopted as %s", got)
	}
}

func TestAServerMayBeQuiescentAlone(t *testing.T) {
	c := configured(t, "virtual 10.0.0.1:80 quiescent=yes; check tcp; real 10.0.0.21 quiescent=no; real 10.0.0.22; real 10.0.0.23")
	if got := weights(c.Services(ailing(c, 21, 22), nil, Standing{})[0]); got != "22:0 23:1" {
		t.Errorf("got %s", got)
	}
}
