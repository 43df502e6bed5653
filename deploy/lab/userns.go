package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// idRange is a range of user or group ids that the system lends to a user.
type idRange struct{ first, count int }

// subordinate finds what is lent to this user, and the programs to use it.
func subordinate() (uids, gids idRange, ok bool) {
	for _, program := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(program); err != nil {
			return uids, gids, false
		}
	}
	uid := strconv.Itoa(os.Getuid())
	name := uid
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	uids, okUIDs := readRange("/etc/subuid", name, uid)
	gids, okGIDs := readRange("/etc/subgid", name, uid)
	return uids, gids, okUIDs && okGIDs
}

// readRange finds the first range of one of the owners in a subuid(5) file.
func readRange(path string, owners ...string) (idRange, bool) {
	f, err := os.Open(path)
	if err != nil {
		return idRange{}, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) != 3 || fields[0] != owners[0] && fields[0] != owners[len(owners)-1] {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil && count > 0 {
			return idRange{first, count}, true
		}
	}
	return idRange{}, false
}

// awaitMapping waits until the keeper has mapped this process's ids and runs
// the program anew, this time with root's rights in its namespaces.
func awaitMapping() error {
	mapped := os.NewFile(fdMapped, "mapped")
	word := make([]byte, len(up))
	if _, err := mapped.Read(word); err != nil {
		return fmt.Errorf("mapping of user ids: %w", err)
	}
	_ = mapped.Close()
	args := os.Args[:len(os.Args)-1]
	return unix.Exec("/proc/self/exe", args, os.Environ())
}

// forbidden lists the settings by which a system keeps user namespaces from
// ordinary users: the file below /proc/sys, the value that forbids, and the
// way out.
var forbidden = []struct{ file, value, why string }{
	{
		"kernel/apparmor_restrict_unprivileged_userns", "1",
		"AppArmor keeps user namespaces from ordinary users here (kernel.apparmor_restrict_unprivileged_userns=1, as on Ubuntu 24.04); " +
			"run it with sudo, or allow them: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
	},
	{
		"kernel/unprivileged_userns_clone", "0",
		"this system keeps user namespaces from ordinary users (kernel.unprivileged_userns_clone=0); " +
			"run it with sudo, or allow them: sudo sysctl kernel.unprivileged_userns_clone=1",
	},
	{
		"user/max_user_namespaces", "0",
		"this system allows no user namespaces (user.max_user_namespaces=0); " +
			"run it with sudo, or allow them: sudo sysctl user.max_user_namespaces=15000",
	},
}

// explain adds to an error of making namespaces the setting that causes it and
// the way out. sys is /proc/sys.
func explain(err error, sys fs.FS) error {
	denied := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSPC) ||
		errors.Is(err, unix.EUSERS)
	if !denied {
		return err
	}
	for _, f := range forbidden {
		value, readErr := fs.ReadFile(sys, f.file)
		if readErr == nil && strings.TrimSpace(string(value)) == f.value {
			return fmt.Errorf("%s (%w)", f.why, err)
		}
	}
	return fmt.Errorf("namespaces: %w; in a container, give it the right to make them (CAP_SYS_ADMIN, an unmasked /proc) or run the lab outside", err)
}
