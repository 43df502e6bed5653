package lab

import (
	"context"
	"os"
	"os/exec"
	"time"
)

// installTime bounds an installation, which a slow mirror could draw out.
const installTime = 40 * time.Second

// installers are the commands by which systems install HAProxy.
var installers = [][]string{
	{"apt-get", "install", "-y", "-qq", "--no-install-recommends", "haproxy"},
	{"dnf", "install", "-y", "-q", "haproxy"},
	{"zypper", "-q", "install", "-y", "haproxy"},
	{"apk", "add", "-q", "haproxy"},
}

// ensureHAProxy installs HAProxy if it is missing and that may be done. It
// returns whether there is one, and says what it does.
func (d *demo) ensureHAProxy(ctx context.Context) bool {
	if installed("haproxy") {
		return true
	}
	prefix, ok := privileged(ctx)
	if !ok {
		d.say("haproxy is not installed, and this user may not install it: showing the address alone.")
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	for _, installer := range installers {
		if _, err := exec.LookPath(installer[0]); err != nil {
			continue
		}
		words := append(prefix, installer...)
		d.say("haproxy is not installed; installing it: %q", words)
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			d.say("%s(%v)", out, err)
		}
		break
	}
	if installed("haproxy") {
		return true
	}
	d.say("haproxy could not be installed: showing the address alone.")
	return false
}

// privileged returns what to put before a command that needs root.
func privileged(ctx context.Context) (prefix []string, ok bool) {
	if os.Geteuid() == 0 {
		return nil, true
	}
	if exec.CommandContext(ctx, "sudo", "-n", "true").Run() == nil {
		return []string{"sudo", "-n"}, true
	}
	return nil, false
}
