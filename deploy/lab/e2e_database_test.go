package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// databaseWords are the parameters of Debian's mysql script for a database on a disk that
// all nodes reach.
const databaseWords = `binary=$SHARED/mariadbd client_binary=$SHARED/mariadb config=$SHARED/my.cnf datadir=$SHARED/data user=root group=root ` +
	`pid=/run/mysqld.pid socket=/run/mysqld.sock log=/run/mysqld.log additional_parameters=--user=root test_user=root`

// TestE2EDatabase has the script mysql keep a real MariaDB running, whose data are on a
// disk that all nodes reach: killed it runs again, and after a power-off elsewhere, with what
// was written.
func TestE2EDatabase(t *testing.T) {
	if _, err := os.Stat("/usr/lib/ocf/resource.d/heartbeat/mysql"); err != nil {
		t.Skip("SKIPPED: needs resource-agents")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: the script becomes the user root by su, which takes root")
	}
	s := newScene(t, "lvsm", "lvss", "web1")
	s.form()
	s.unpackedProgram("/usr/sbin/mariadbd")
	s.unpackedProgram("/usr/bin/mariadb")
	root, err := filepath.Abs(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	s.file(filepath.Join(s.Shared(), "my.cnf"), "[mariadbd]\nbasedir="+root+"/usr\ninnodb_log_file_size=4M\ninnodb_buffer_pool_size=8M\ninnodb_flush_log_at_trx_commit=1\nskip-networking\n", 0o644)
	libraries, _ := filepath.Glob(root + "/usr/lib/*-linux-gnu*")
	s.play(fmt.Sprintf(`
		lvsm# LD_LIBRARY_PATH=%s %s/usr/bin/mariadb-install-db --defaults-file=$SHARED/my.cnf --basedir=%s/usr --datadir=$SHARED/data --user=root --auth-root-authentication-method=normal --skip-test-db >/dev/null
		lvsm# pcs resource group add site VirtualIP
		lvsm# pcs resource create Db ocf:heartbeat:mysql `+databaseWords+` op stop timeout=8s op start timeout=60s op monitor interval=1s timeout=30s op monitor interval=3s timeout=30s OCF_CHECK_LEVEL=10 --group site --wait=2m
		all on lvsm
		lvsm# $SHARED/mariadb -S /run/mysqld.sock -e "create database shop; create table shop.t (n int) engine=innodb; insert into shop.t values (7)"
		lvsm# kill -9 $(cat /run/mysqld.pid)`, strings.Join(libraries, ":"), root, root))
	began := now()
	s.until("lvsm", "the death of the database", "quorate events --resource Db", "monitor of Db on lvsm failed")
	s.runs("Db", "lvsm")
	s.eventually("lvsm", s.expand("$SHARED/mariadb -S /run/mysqld.sock -Ne 'select n from shop.t' 2>&1 || true"), "7")
	t.Logf("killed, it answered again after %v", now()-began)
	s.play("power-off lvsm")
	began = now()
	if err := s.await("lvss"); err != nil {
		t.Fatal(err)
	}
	s.play(`
		lvss# $SHARED/mariadb -S /run/mysqld.sock -Ne "select n from shop.t"
		says 7`)
	t.Logf("after a power-off it answered elsewhere after %v", now()-began)
	s.play("lvss# pcs resource delete site --wait")
}
