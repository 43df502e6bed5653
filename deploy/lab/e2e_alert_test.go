package lab

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// slowPager is an alert's program that takes its time, and then writes a line for each
// event into the file that is its recipient.
const slowPager = `#!/bin/sh
sleep 6
echo "$CRM_alert_kind $CRM_alert_node $CRM_alert_desc $CRM_alert_task $QUORATE_event" >> "$CRM_alert_recipient"
`

// TestE2EAlertsTellOfAFailoverThatTheyDoNotDelay has a node lose its power: the ones that
// are left tell of it, also when it was the one that led, and nothing waited for that.
func TestE2EAlertsTellOfAFailoverThatTheyDoNotDelay(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	if err := os.WriteFile(filepath.Join(s.Shared(), "pager"), []byte(slowPager), 0o755); err != nil { //nolint:gosec // every node runs it
		t.Fatal(err)
	}
	s.form()
	s.play(`
		lvsm# pcs alert create path=$SHARED/pager id=pager meta timeout=20s
		lvsm# pcs alert recipient add pager value=$SHARED/pages
		lvsm# pcs alert create path=/nonexistent/pager id=broken select node 2>&1
		says is not on this node
		all on lvsm
		power-off lvsm
		all on lvss
	`)
	for _, line := range []string{"node lvsm lost  node-gone", "resource lvss ok start failover"} {
		s.until("lvss", "the page about it", "cat "+s.expand("$SHARED/pages"), line)
	}
	out := run(t, s.Lab, "lvss", "quorate", "events", "--resource", "VirtualIP")
	found := regexp.MustCompile(`failed over from lvsm to lvss in (\d+) ms`).FindStringSubmatch(out)
	if len(found) != 2 {
		t.Fatalf("no failover in\n%s", out)
	}
	t.Logf("the failover took %s ms, and an alert 6 s", found[1])
	if ms, err := strconv.Atoi(found[1]); err != nil || time.Duration(ms)*time.Millisecond >= 6*time.Second {
		t.Errorf("the failover took %s ms, and an alert 6 s", found[1])
	}
	s.until("lvss", "the word that it works", "quorate alert", "works, by ")
	s.until("lvss", "the word that the other one does not", "quorate status", "alert broken does not work: /nonexistent/pager is not on this node")
	s.play(`
		heal lvsm
		lvsm# pcs alert delete broken pager
		lvsm# pcs alert
		says Nobody is told of anything
	`)
}
