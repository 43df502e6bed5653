package ocf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Commands are what scripts call of a cluster manager. They are links to our own
// program, which knows by its name what it is asked.
var Commands = []string{"crm_node", "crm_attribute", "attrd_updater", "crm_master", "crm_resource", "crm_mon", "crm_standby"}

// putCommands makes a directory of links to the program that is running.
func putCommands(dir string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range Commands {
		if err := link(program, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, name := range neighbours {
		if err := link(filepath.Join("/usr/sbin", name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// neighbours are programs of others that scripts look for beside the commands, in
// HA_SBIN_DIR.
var neighbours = []string{"clvmd", "cmirrord"}

// scratch is where Debian's scripts keep their states (HA_RSCTMP). Its package
// has it made when the machine boots, which a machine that got the package since
// has not done.
const scratch = "/run/resource-agents"

func makeScratch() error {
	if err := os.Mkdir(scratch, 0o755|fs.ModeSticky); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// link makes a link, or makes one anew that leads to an older program.
func link(to, at string) error {
	if old, err := os.Readlink(at); err == nil && old == to {
		return nil
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace %s: %w", at, err)
	}
	return os.Symlink(to, at)
}
