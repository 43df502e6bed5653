package ocf

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var update = flag.Bool("update", false, "write docs/agents.md anew")

// agentsDoc has a row for each script of Debian's resource-agents.
const agentsDoc = "../../docs/agents.md"

const (
	tableBegin = "<!-- written by go test ./resources/ocf -run TestDocsListEveryScript -update -->\n"
	tableEnd   = "<!-- end -->"
)

// inLab are the scripts that a scene of the lab has live, and which.
var inLab = map[string]string{
	"anything":   "in the lab: a daemon, killed, and its node without power (TestE2EScript)",
	"Stateful":   "in the lab: promoted, demoted, killed, and its node without power (TestE2EPromotable)",
	"mysql":      "in the lab: a MariaDB on a shared disk, killed, and its node without power (TestE2EDatabase)",
	"nginx":      stacked + "killed",
	"ClusterMon": stacked + "killed; by our crm_mon",
	"Dummy":      stacked + "broken",
	"IPaddr2":    stacked[:len(stacked)-2],
	"Filesystem": stacked + "broken; a stop that fails blocks it, and has its node fenced",
	"IPsrcaddr":  stacked[:len(stacked)-2],
	"Delay":      stacked[:len(stacked)-2],
	"MailTo":     stacked + "its mails are caught",
}

// stacked is what becomes of the scripts of one group.
const stacked = "in the lab: moved, and its node without power (TestE2EScriptsOfDebian); "

// TestDocsListEveryScript checks that the table names every script of the package
// and what is tried with each; the words of scripts that cannot run here depend on
// what is installed, and are not compared.
func TestDocsListEveryScript(t *testing.T) {
	f := debian(t)
	data, err := os.ReadFile(agentsDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), tableBegin)
	table, tail, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("%s has no place for the table", agentsDoc)
	}
	if *update {
		if err := os.WriteFile(agentsDoc, []byte(head+tableBegin+scriptTable(t, f)+tableEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, name := range f.Installed() {
		script, ours := strings.CutPrefix(name, "ocf:heartbeat:")
		if ours && !strings.Contains(table, "| `"+script+"` |") {
			t.Errorf("%s has no row for %s (-update writes it)", agentsDoc, script)
		}
	}
	for script, how := range tried() {
		if !slices.ContainsFunc(strings.Split(table, "\n"), func(row string) bool {
			return strings.HasPrefix(row, "| `"+script+"` |") && strings.Contains(row, how)
		}) {
			t.Errorf("%s does not say that %s is tried: %s (-update writes it)", agentsDoc, script, how)
		}
	}
}

// tried says what is tried with which script.
func tried() map[string]string {
	how := make(map[string]string)
	for _, l := range lives("") {
		how[l.script] = "start, monitor, stop"
		if l.breaks != nil {
			how[l.script] += ", a fault by another hand"
		}
	}
	for script, where := range inLab {
		how[script] = strings.TrimPrefix(how[script]+"; "+where, "; ")
	}
	return how
}

func scriptTable(t *testing.T, f *Family) string {
	version, _ := exec.Command("dpkg-query", "-W", "-f", "${Version}", "resource-agents").Output()
	var b strings.Builder
	fmt.Fprintf(&b, "resource-agents %s:\n\n| script | parameters | beside start, stop and monitor | tried |\n|---|---|---|---|\n", version)
	how := tried()
	for _, name := range f.Installed() {
		script, ours := strings.CutPrefix(name, "ocf:heartbeat:")
		if !ours {
			continue
		}
		a := f.Find(name).(*Agent)
		meta, err := a.describe(within(t, time.Minute))
		if err != nil {
			fmt.Fprintf(&b, "| `%s` | | | no: it does not describe itself here: %s |\n", script, cell(err.Error()))
			continue
		}
		say := how[script]
		if say == "" {
			say = "no: " + cell(whyNot(t, a))
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", script, len(meta.Parameters), strings.Join(besides(meta), ", "), say)
	}
	return b.String()
}

// besides lists the abilities of a script that not every one has.
func besides(meta *pb.AgentMetadata) []string {
	var list []string
	for _, name := range []string{actionPromote, actionDemote, actionNotify, actionReload, "migrate_to"} {
		if operation(meta.Operations, name) != nil {
			list = append(list, strings.TrimSuffix(name, "_to"))
		}
	}
	return list
}

// whyNot is what a script says to a probe on a machine that has nothing for it.
func whyNot(t *testing.T, a *Agent) string {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := a.Monitor(ctx, &pb.Resource{Id: "probe"})
	switch {
	case err != nil:
		return "a probe says: " + err.Error()
	case s == resources.Stopped:
		return "what it runs is not on the machine of the tests (a probe finds nothing)"
	}
	return "a probe without parameters says that it is " + s.String()
}

// temporary is a directory of the tests.
var temporary = regexp.MustCompile(`/tmp/Test[^ ]*/`)

// cell makes a text fit for a cell of a table, without what differs each time.
func cell(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "a probe says: monitor: "), "monitor: ")
	text = temporary.ReplaceAllString(text, "")
	return strings.NewReplacer("|", "\\|", "<", "‹", ">", "›").Replace(text[:min(len(text), 140)])
}
