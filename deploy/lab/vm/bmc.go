package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A BMC is a host's machine behind a management controller of its own, OpenIPMI's
// simulator, which is reached over the same network and switches it.
type BMC struct {
	Simulator string // path of ipmi_sim
	Address   string // with its prefix length
	User      string
	Password  string
}

// FindSimulator returns where ipmi_sim is: in the first of the folders that has the
// unpacked package openipmi, or installed.
func FindSimulator(folders ...string) (string, error) {
	for _, f := range folders {
		if path, err := filepath.Abs(filepath.Join(f, "usr", "bin", "ipmi_sim")); err == nil {
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
	}
	path, err := exec.LookPath("ipmi_sim")
	if err != nil {
		return "", fmt.Errorf("%w: no ipmi_sim; `make deps` unpacks it", ErrUnavailable)
	}
	return path, nil
}

// MakeDisk makes the disk of a host's machine, which outlives its power.
func MakeDisk(ctx context.Context, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := f.Truncate(diskSize); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", path).CombinedOutput(); err != nil {
		return fmt.Errorf("machine's disk: %w: %s", err, out)
	}
	return nil
}

const diskSize = 64 << 20

// simulatorConfig is of one controller with one user (ipmi_lan(5)).
const simulatorConfig = `name "machine"
set_working_mc 0x20
startlan 1
  addr %s 623
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
chassis_control "%s"
user 1 false "" "none" user 10 none md2 md5 straight
user 2 true "%s" "%s" admin 10 none md2 md5 straight
`

// simulatorCommands make the controller (ipmi_sim_cmd(5)).
const simulatorCommands = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
`

// chassis is what the simulator asks for the power and has switch it: the machine is
// on while its process lives.
const chassis = `#!/bin/sh
cd %s || exit 1
on() { [ -s pid ] && [ -d "/proc/$(cat pid)" ]; }
case "$*" in
*'get power'*) if on; then echo power:1; else echo power:0; fi ;;
*'set power 0'*) on && kill -9 "$(cat pid)"; while on; do sleep 0.02; done ;;
*'set power 1'*) on || { setsid sh start </dev/null >>log.qemu 2>&1 & while ! on; do sleep 0.02; done; } ;;
esac
`

// CommandBehind is what the lab's host runs in place of [Image.Command]: the
// controller, which has the machine switched on at first.
func (i Image) CommandBehind(b BMC, h Host, dir string) ([]string, error) {
	address, _, _ := strings.Cut(b.Address, "/")
	machine := "echo $$ > " + quote(filepath.Join(dir, "pid")) + "\n" + i.run(h, dir)
	for name, text := range map[string]string{
		"lan.conf": fmt.Sprintf(simulatorConfig, address, filepath.Join(dir, "chassis"), b.User, b.Password),
		"commands": simulatorCommands,
		"chassis":  fmt.Sprintf(chassis, quote(dir)),
		"start":    machine,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			return nil, fmt.Errorf("machine's controller: %w", err)
		}
	}
	script := bridge + `ip addr add "$1" dev br0
cd "$3"
./chassis set power 1
exec "$2" -n -c lan.conf -f commands -s "$3/controller"
`
	return []string{"sh", "-ec", script, "bmc", b.Address, b.Simulator, dir}, nil
}
