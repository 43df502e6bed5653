package lab

import (
	"strings"
	"testing"
)

// TestE2EChangesAreForeseenAndExplained asks before changes what they would do,
// lets each of the usual things happen once, and asks what it was: nothing moves
// unseen, and what moves has its true cause in why and in events (S6).
func TestE2EChangesAreForeseenAndExplained(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.writeHAProxyConfiguration()
	s.form()
	s.play(`
		lvsm# pcs resource create WebService ocf:heartbeat:haproxy conffile=$SHARED/haproxy.cfg meta migration-threshold=1
		lvsm# pcs constraint colocation add WebService with VirtualIP INFINITY
		lvsm# pcs constraint location VirtualIP prefers lvsm=50 lvss=20
		all on lvsm
	`)
	t.Run("a dry run moves nothing", func(t *testing.T) { s.in(t).foresees() })
	t.Run("what would stop a resource is refused unless forced", func(t *testing.T) {
		s := s.in(t)
		s.refuses("pcs property set symmetric-cluster=false", "WebService would stop on lvsm")
		s.refuses("pcs constraint location VirtualIP avoids lvsm lvss web1", "VirtualIP would stop on lvsm")
	})
	s.play("all on lvsm")
	for _, tt := range []struct{ name, script string }{
		{"a move by hand", `
			lvss# pcs resource move VirtualIP lvss
			goes to lvss
			lvss# quorate why VirtualIP
			says VirtualIP runs on lvss: moved here by an operator
			lvss# quorate why WebService not on lvsm
			says WebService cannot run on lvsm: VirtualIP does not run there (-INFINITY, colocation-WebService-VirtualIP-INFINITY)
			lvss# quorate events --resource VirtualIP
			says VirtualIP moves to lvss: moved here by an operator
			lvss# pcs resource clear VirtualIP
			goes to lvsm
		`},
		{"a failed monitor", `
			lvsm# pkill -KILL -x haproxy
			goes to lvss
			lvss# quorate why WebService not on lvsm
			says WebService cannot run on lvsm: it failed there once (migration-threshold is 1): haproxy
			lvss# quorate why VirtualIP not on lvsm
			says lvsm would score +50 by location-VirtualIP-lvsm-50, but WebService, which runs with it, may not run there: it failed there once
			lvss# quorate events --resource WebService
			says monitor of WebService on lvsm failed: haproxy
			lvss# quorate events --resource VirtualIP
			says VirtualIP moves to lvss: it may not run on lvsm (WebService, which runs with it, may not run there: it failed there once
			lvss# pcs resource cleanup WebService
			goes to lvsm
		`},
		{"a standby", `
			lvss# pcs node standby lvsm
			goes to lvss
			lvss# quorate why VirtualIP
			says VirtualIP runs on lvss: lvss scores 20
			says lvsm would score +50 by location-VirtualIP-lvsm-50, but lvsm is in standby
			lvss# quorate events --resource VirtualIP
			says VirtualIP moves to lvss: lvsm is in standby
			lvss# pcs node unstandby lvsm
			goes to lvsm
		`},
		{"a rule on an attribute", `
			lvss# pcs node attribute lvsm rack=1
			lvss# pcs constraint location VirtualIP rule constraint-id=racks score=-INFINITY rack eq 1
			goes to lvss
			lvss# quorate why VirtualIP not on lvsm
			says lvsm would score +50 by location-VirtualIP-lvsm-50, but VirtualIP avoids nodes where rack eq 1 (-INFINITY, racks)
			lvss# quorate events --resource VirtualIP
			says VirtualIP moves to lvss: it may not run on lvsm (VirtualIP avoids nodes where rack eq 1 (-INFINITY, racks))
			lvss# pcs constraint delete racks
			goes to lvsm
		`},
		{"a rule on the time, which nobody has to wake", `
			lvss# pcs constraint location VirtualIP rule constraint-id=soon score=-INFINITY \#uname eq lvsm and date gt $(date -u -d +2seconds +%FT%TZ)
			goes to lvss
			lvss# quorate why VirtualIP not on lvsm
			says lvsm would score +50 by location-VirtualIP-lvsm-50, but VirtualIP avoids nodes where #uname eq lvsm and date gt
			lvss# pcs constraint delete soon
			goes to lvsm
		`},
		{"a power-off", `
			power-off lvsm
			goes to lvss
			lvss# quorate why VirtualIP
			says lvsm would score +50 by location-VirtualIP-lvsm-50, but lvsm is gone
			lvss# quorate events --node lvsm
			says lvsm is gone: 
			lvss# quorate events --resource VirtualIP
			says VirtualIP failed over from lvsm to lvss
			heal lvsm
			goes to lvsm
		`},
	} {
		t.Run(tt.name, func(t *testing.T) { s.in(t).play(tt.script) })
	}
	t.Run("a configuration that is brought back", func(t *testing.T) { s.in(t).restores() })
}

// foresees asks what changes would do.
func (s *scene) foresees() {
	s.Helper()
	s.unchangedBy(func() {
		s.play(`
			lvss# pcs constraint location VirtualIP prefers lvss=200 --dry-run
			says + constraint location add location-VirtualIP-lvss-200 VirtualIP lvss 200
			says move  VirtualIP   lvsm → lvss  VirtualIP moves to lvss: lvss scores 200
			says move  WebService  lvsm → lvss  WebService moves to lvss: it is colocated with VirtualIP
			says Nothing was changed
			lvss# pcs node standby lvsm --dry-run
			says move  VirtualIP   lvsm → lvss  VirtualIP moves to lvss: lvsm is in standby
			lvss# pcs resource disable WebService --dry-run
			says stop  WebService  on lvsm
			lvss# quorate simulate --node-down lvsm
			says move  VirtualIP   lvsm → lvss
		`)
	})
}

// refuses types a change on lvss where nobody can be asked.
func (s *scene) refuses(command, because string) {
	s.Helper()
	s.unchangedBy(func() {
		says := s.fails(2, "lvss", command)
		for _, want := range []string{because, "--dry-run", "--force"} {
			if !strings.Contains(says, want) {
				s.Errorf("want it to say %q", want)
			}
		}
	})
}

// restores brings a configuration back by which everything moves.
func (s *scene) restores() {
	s.Helper()
	const restore = `pcs config checkpoint restore $(pcs config checkpoint list | awk '/VirtualIP on lvsm with score 50/ { print $1 }')`
	s.play(`
		lvss# pcs constraint location VirtualIP prefers lvss=200
		goes to lvss
		lvss# ` + restore + ` --dry-run
		says move  VirtualIP   lvss → lvsm
	`)
	s.refuses(restore, "VirtualIP would move from lvss to lvsm")
	s.play(`
		lvss# ` + restore + ` --force
		all on lvsm
		lvss# pcs constraint show
		says VirtualIP prefers lvss=20
		never says lvss=200
		lvss# pcs config checkpoint list
		says VirtualIP on lvss with score 200
	`)
}
