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
