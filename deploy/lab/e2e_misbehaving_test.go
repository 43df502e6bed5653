package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// told is a script of a promotable clone that writes down of what it is notified.
const told = `#!/bin/sh
action=$1
state=/run/told
case $action in
meta-data)
	cat <<END
<?xml version="1.0"?>
<resource-agent name="told"><version>1.0</version><shortdesc lang="en">tells of what it is told</shortdesc><parameters/>
<actions><action name="start" timeout="10s"/><action name="stop" timeout="2s"/><action name="monitor" timeout="10s" interval="1s" role="Promoted"/>
<action name="monitor" timeout="10s" interval="2s" role="Unpromoted"/><action name="promote" timeout="10s"/><action name="demote" timeout="10s"/><action name="notify" timeout="10s"/></actions>
</resource-agent>
END
	;;
start) echo unpromoted > $state; crm_attribute --promotion -v 10 ;;
stop) rm -f $state; crm_attribute --promotion -D ;;
promote) echo promoted > $state ;;
demote) echo unpromoted > $state ;;
monitor) case $(cat $state 2>/dev/null) in promoted) exit 8 ;; unpromoted) exit 0 ;; *) exit 7 ;; esac ;;
notify)
	m=OCF_RESKEY_CRM_meta_notify
	eval "echo \"\$${m}_type \$${m}_operation start=\$${m}_start_uname stop=\$${m}_stop_uname promote=\$${m}_promote_uname demote=\$${m}_demote_uname promoted=\$${m}_promoted_uname active=\$${m}_active_uname\"" >> /run/notified ;;
esac
exit 0
`

// fussy never starts.
const fussy = `#!/bin/sh
case $1 in
start) echo looking for the disk; echo "ocf-exit-reason:there is no disk" >&2; exit 1 ;;
monitor) exit 7 ;;
esac
exit 0
`

// benign is what a script is that has been mended.
const benign = "#!/bin/sh\n[ $1 != monitor ] || exit 7\nexit 0\n"

// described has a script describe itself that does not: with no parameters.
func described(script string) string {
	if strings.Contains(script, "meta-data") {
		return script
	}
	const meta = `[ "$1" != meta-data ] || { echo '<resource-agent name="x"><version>1.0</version><parameters/><actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="1s"/></actions></resource-agent>'; exit 0; }`
	return strings.Replace(script, "\n", "\n"+meta+"\n", 1)
}

// withScripts has all nodes find the misbehaving scripts of resources/ocf beside those of
// Debian, under the provider test.
func (s *scene) withScripts() {
	s.Helper()
	provider := filepath.Join(s.Shared(), "resource.d", "test")
	if err := os.MkdirAll(provider, 0o755); err != nil {
		s.Fatal(err)
	}
	const from = "../../resources/ocf/testdata/resource.d/test"
	scripts, err := os.ReadDir(from)
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range scripts {
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		info, infoErr := e.Info()
		if err != nil || infoErr != nil {
			s.Fatal(err, infoErr)
		}
		s.file(filepath.Join(provider, e.Name()), described(string(text)), info.Mode().Perm())
	}
	s.file(filepath.Join(provider, "told"), told, 0o755)
	s.file(filepath.Join(provider, "fussy"), described(fussy), 0o755)
	s.play("lvsm# cp -a /usr/lib/ocf/resource.d/heartbeat $SHARED/resource.d/")
	for _, node := range s.Spec.Nodes() {
		s.play(node + "# mount --bind $SHARED/resource.d /usr/lib/ocf/resource.d")
	}
}

// TestE2EScriptsThatMisbehave types what is wrong, and runs scripts that do what none
// should, as a user would meet them.
func TestE2EScriptsThatMisbehave(t *testing.T) {
	if _, err := os.Stat("/usr/lib/ocf/resource.d"); err != nil {
		t.Skip("SKIPPED: needs resource-agents")
	}
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	s.withScripts()
	t.Run("what is wrong is refused", func(t *testing.T) { s.in(t).refusesScripts() })
	t.Run("what goes wrong is told", func(t *testing.T) { s.in(t).runsMisbehavingScripts() })
	t.Run("by hand", func(t *testing.T) { s.in(t).debugs() })
	t.Run("on-fail", func(t *testing.T) { s.in(t).failsInSeveralWays() })
	t.Run("instances are notified", func(t *testing.T) { s.in(t).notifies() })
}

func (s *scene) refusesScripts() {
	s.Helper()
	for _, bad := range []struct{ command, says string }{
		{"pcs resource create X ocf:test:exit", "did you mean ocf:test:exits"},
		{"pcs resource create X ocf:test:locked", "is not executable, try chmod +x"},
		{"pcs resource create X ocf:test:broken", "describes itself wrongly: XML syntax error on line 1"},
		{"pcs resource create X ocf:test:tells", "file: is missing"},
		{"pcs resource create X ocf:test:tells file=/run/x port=many", `port: "many" is not an integer`},
		{"pcs resource create X ocf:test:exits op stop on-fail=ignore", "leaves it unknown what runs"},
		{"pcs resource create X ocf:test:told promotable clone-node-max=2", "a node runs one instance of a clone"},
		{"pcs resource create X ocf:test:told clone globally-unique=true", "not told apart by a number"},
	} {
		if said := s.fails(2, "lvsm", bad.command); !strings.Contains(said, bad.says) {
			s.Errorf("%s said %q, want %q", bad.command, said, bad.says)
		}
	}
	s.play(`
		lvsm# pcs resource create X ocf:test:tells file=/run/x prot=81 --disabled 2>&1
		says did you mean port
		lvsm# pcs resource delete X --wait`)
}

// runsMisbehavingScripts starts, with real agents, scripts that print 100 MB, that leave a
// daemon and exit, that ignore every signal, and that end with a status nobody knows.
func (s *scene) runsMisbehavingScripts() {
	s.Helper()
	for _, tt := range []struct{ script, words, says string }{
		{"noisy", "op start timeout=60s", "the disk is full of noise (exit status 1: error)"},
		{"stubborn", "op start timeout=1s op stop timeout=1s op monitor timeout=1s", "it did not end in time and was killed; it last said: waiting for the moon"},
		{"exits", "status=77 say=nonsense", "nonsense (exit status 77: unknown)"},
	} {
		began := now()
		s.play("lvsm# pcs resource create X ocf:test:" + tt.script + " " + tt.words)
		s.eventually("lvsm", "quorate events --resource X", tt.says)
		s.Logf("%s: told after %v", tt.script, now()-began)
		s.play("lvsm# quorate status")
		s.removes("X", tt.script)
	}
	s.play("lvsm# ! pgrep -f 'trap \"\" TER[M]'") // nothing that was killed is left
	s.play(`
		lvsm# pcs resource create X ocf:test:daemon pidfile=/run/x.pid op stop timeout=3s --wait
		lvsm# pcs resource move X lvsm --wait
		lvsm# kill -0 $(cat /run/x.pid)
		lvsm# pcs resource delete X --wait
		lvsm# ! ls /run/x.pid`)
}

// removes deletes a resource whose script has been mended, as a person would: with a
// cleanup where its stop had failed.
func (s *scene) removes(resource, script string) {
	s.Helper()
	at := filepath.Join(s.Shared(), "resource.d", "test", script)
	s.file(at+".new", described(benign), 0o755)
	if err := os.Rename(at+".new", at); err != nil {
		s.Fatal(err)
	}
	s.play("lvsm# pcs resource delete " + resource)
	s.eventually("lvsm", "quorate resource cleanup "+resource+" 2>&1; quorate resource config "+resource+" 2>&1 || true", "there is no resource")
}

func (s *scene) debugs() {
	s.Helper()
	s.play("lvsm# pcs resource create D ocf:test:daemon pidfile=/run/d.pid op stop timeout=3s --disabled --wait")
	s.eventually("lvss", "quorate resource debug-monitor D || true", "D is stopped on lvss") // which has yet to learn of it
	s.play(`
		lvss# quorate resource debug-start D
		says start of D on lvss done in
		lvss# quorate resource debug-monitor D
		says D is running on lvss`)
	s.eventually("lvsm", "quorate status", "D is left alone, as it is run by hand on lvss")
	s.play(`
		lvsm# quorate status
		says It is run by hand on lvss.
		lvsm# pcs resource enable D --wait`)
	if said := s.fails(2, "lvsm", "quorate resource debug-start D"); !strings.Contains(said, "D may run on two nodes then: D is run by hand on lvss") {
		s.Errorf("a second start by hand said %q", said)
	}
	s.play(`
		lvsm# ! ls /run/d.pid
		lvss# kill -0 $(cat /run/d.pid)
		lvss# quorate resource debug-stop D
		says stop of D on lvss done in
		lvss# ! ls /run/d.pid`)
	s.eventually("lvsm", "quorate resource status D", "running")
	s.play("lvsm# pcs resource move D lvsm --wait")
	if said := s.fails(2, "lvsm", "quorate resource debug-stop D"); !strings.Contains(said, "the cluster runs D on lvsm, and would undo the stop") {
		s.Errorf("a stop by hand of what the cluster runs said %q", said)
	}
	s.play("lvsm# pcs resource delete D --wait")

	s.play("lvsm# pcs resource create N ocf:test:fussy --disabled --wait")
	if err := s.types("lvsm", "quorate resource debug-start N; [ $? = 1 ]"); err != nil || !strings.Contains(s.said, "> looking for the disk") || !strings.Contains(s.said, "failed after") || !strings.Contains(s.said, "there is no disk (exit status 1: error)") {
		s.Errorf("a start that fails: %v\n%s", err, s.said)
	}
	s.play(`
		lvsm# quorate resource cleanup N --wait
		lvsm# pcs resource delete N --wait
		lvsm# pcs resource create Y ocf:heartbeat:Dummy state=/run/dummy --disabled --wait
		lvsm# quorate resource debug-start Y --full
		says + dummy_start
		lvsm# quorate resource debug-stop Y
		lvsm# pcs resource delete Y --wait`)
}

func (s *scene) failsInSeveralWays() {
	s.Helper()
	s.play(`
		lvsm# pcs resource create F ocf:test:daemon pidfile=/run/f.pid op stop timeout=3s op monitor interval=500ms on-fail=block --wait
		lvsm# pcs resource move F lvsm --wait
		lvsm# rm /run/f.pid; pkill -f "[s]leep 1000"`)
	s.eventually("lvsm", "quorate status", "F is blocked: it failed on lvsm")
	s.play(`
		lvsm# ! ls /run/f.pid
		lvsm# quorate resource update F op monitor interval=500ms on-fail=stop
		lvsm# quorate resource cleanup F --wait`)
	s.runs("F", "lvsm")
	s.play(`lvsm# rm /run/f.pid; pkill -f "[s]leep 1000"`)
	s.eventually("lvsm", "quorate status", "F is stopped: it failed on lvsm")
	s.play(`
		lvsm# quorate resource update F op monitor interval=500ms on-fail=standby
		lvsm# quorate resource cleanup F --wait
		lvsm# pcs constraint location VirtualIP avoids web1`)
	s.runs("F", "lvsm")
	s.runs("VirtualIP", "lvsm")
	s.play(`lvsm# rm /run/f.pid; pkill -f "[s]leep 1000"`)
	s.eventually("lvss", "quorate status", "lvsm hosts nothing since F failed there (on-fail=standby)")
	s.runs("VirtualIP", "lvss")
	s.play(`
		lvsm# quorate resource cleanup F node=lvsm --wait
		lvsm# quorate status
		never says hosts nothing
		lvsm# pcs resource delete F --wait`)
}

// notifies has the instances of a promotable clone tell of what happens to the others.
func (s *scene) notifies() {
	s.Helper()
	s.play(`
		lvsm# pcs resource create T ocf:test:told promotable notify=true --wait
		lvsm# pcs constraint location T-clone rule role=Promoted score=50 '#uname' eq lvsm --wait`)
	s.runs("T", "lvsm", "lvss", "web1")
	s.play(`
		lvsm# pcs constraint location T-clone rule role=Promoted score=90 '#uname' eq lvss --wait`)
	s.told("web1", "pre demote", "demote=lvsm", "promoted=lvsm", "active=lvsm lvss web1")
	s.told("web1", "post demote", "demote=lvsm", "promoted=lvsm")
	s.told("web1", "pre promote", "promote=lvss", "promoted= ")
	s.told("web1", "post promote", "promote=lvss")
	s.play("lvss# rm /run/notified\nlvsm# pcs node standby lvsm --wait")
	s.runs("T", "lvss", "web1")
	s.told("lvss", "post stop", "stop=lvsm")
	s.play("lvsm# pcs node unstandby lvsm --wait")
	s.told("lvss", "post start", "start=lvsm")
	s.play("lvsm# pcs resource delete T --wait")
}

// told waits until an instance was notified of something with these words.
func (s *scene) told(node, what string, words ...string) {
	s.Helper()
	command := "grep '^" + what + " ' /run/notified"
	for _, w := range words {
		command += " | grep '" + w + "'"
	}
	s.eventually(node, command+" || true", what)
}
