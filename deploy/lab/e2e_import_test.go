package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keepalivedFile is the keepalived.conf of one of a pair, without virtual servers:
// not every kernel that tests run on has IPVS.
const keepalivedFile = `
! One of a pair.
vrrp_instance VI_1 {
    state STATE
    interface eth0
    virtual_router_id 51
    priority PRIORITY
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        $VIP/24
    }
}
`

// TestE2EKeepalivedFilesAreTakenOver runs a pair from its keepalived.conf: the node
// with the higher priority has the address, and takes it back when it returns.
func TestE2EKeepalivedFilesAreTakenOver(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	for name, words := range map[string][]string{"master.conf": {"MASTER", "101"}, "backup.conf": {"BACKUP", "100"}} {
		text := strings.NewReplacer("STATE", words[0], "PRIORITY", words[1]).Replace(s.expand(keepalivedFile))
		if err := os.WriteFile(filepath.Join(s.Shared(), name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.play(`
		lvsm# pcs cluster auth lvsm lvss web1 -u hacluster -p secret
		lvsm# pcs cluster setup web lvsm lvss web1 --start --wait
		lvsm# pcs config import --format keepalived lvsm=$SHARED/master.conf lvss=$SHARED/backup.conf --dry-run
		says group add VI_1 vip-$VIP
		says Nothing was changed.
		lvss# pcs config import --format keepalived lvsm=$SHARED/master.conf lvss=$SHARED/backup.conf --wait
		says virtual_router_id 51
		says 10 taken, 0 approximated, 12 not taken
		all on lvsm

		power-off lvsm
		all on lvss
		heal lvsm
		all on lvsm
	`)
}

// TestE2EKeepalivedScriptsAreTakenOver lets the tracked script of a keepalived.conf
// move the address, and its notify scripts follow it.
func TestE2EKeepalivedScriptsAreTakenOver(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	text := strings.NewReplacer("STATE", "BACKUP", "PRIORITY", "100", "    virtual_ipaddress {", `
    track_script {
        well
    }
    notify_master "/usr/bin/touch /run/has-it"
    notify_backup "/usr/bin/rm -f /run/has-it"
    virtual_ipaddress {`).Replace(s.expand(keepalivedFile)) + `
vrrp_script well {
    script "test ! -e /run/ill"
    interval 1
}
`
	if err := os.WriteFile(filepath.Join(s.Shared(), "keepalived.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	has := func(node, other string) {
		t.Helper()
		s.until(node, "the address on "+node, "ip -brief address", VIP.String())
		s.until(node, "the word of "+node, "ls /run", "has-it")
		s.play(other + "# ! test -e /run/has-it")
	}
	s.play(`
		lvsm# pcs cluster auth lvsm lvss web1 -u hacluster -p secret
		lvsm# pcs cluster setup web lvsm lvss web1 --start --wait
		lvsm# pcs config import --format keepalived lvsm=$SHARED/keepalived.conf --wait
		says 9 taken, 3 approximated
	`)
	has("lvsm", "lvss")
	s.play(`
		lvsm# quorate constraint location VI_1 prefers lvss=10
		lvsm# touch /run/ill
	`)
	has("lvss", "lvsm")
	s.play(`
		lvss# touch /run/ill
		lvsm# rm /run/ill
	`)
	has("lvsm", "lvss")
}
