// Package vm gives a host of the lab a machine of its own: Debian's kernel
// under qemu's emulation, with Quorate's static binary and busybox as all of
// its disk. It boots in some three seconds and needs no KVM.
//
// It is for what a namespace does not have of its own: a clock that can be set
// or stand still, kernel modules, a watchdog, a power switch.
//
// An [Image] is built once and boots any number of machines, of one of two kinds.
// One made by [Build] takes the place of its host on the lab's network, with the
// host's own hardware and IP addresses. Its [Monitor] (QMP) stops and continues it;
// its [Console] runs shell commands in it. One made by [BuildMirror] is alone, and
// sees all files of this machine: a whole lab runs in it, or a test program, on
// Debian's kernel instead of this machine's. Both need nobody's rights but the
// first's of the network, which is root's.
package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrUnavailable is returned where this machine cannot run such machines: the
// error says what is missing.
var ErrUnavailable = errors.New("no emulated machines here")

// modules are what a host's machine loads, each after what it needs: its network
// card, the kernel's side of the lease guard, its disk, and a watchdog.
var modules = []string{"virtio_pci", "virtio_net", "nf_tables", "virtio_blk", "ext4", "softdog"}

// A system is the file system that a machine boots from.
type system struct {
	init    string            // its first process, a script of busybox
	files   map[string]string // programs in it, and where they come from
	modules []string          // to load, each after what it needs
}

// An Image is what a machine boots.
type Image struct {
	Kernel string // path of the kernel
	Initrd string // path of its first file system

	unpacked string // where its modules are
}

// Host is the machine's place on the network.
type Host struct {
	Name     string
	Address  string // with its prefix length, "10.77.0.31/24"
	Hardware string // of its network card
	Hosts    string // /etc/hosts
	Disk     string // path of a disk that [MakeDisk] made; empty: what it writes is lost with its power
}

// Build makes an image of a host's machine in a directory, from an unpacked kernel
// package (see the target deps of the Makefile) and the programs in it: where each is
// there, and where it comes from. What it runs is sbin/quorate.
func Build(ctx context.Context, unpacked string, programs map[string]string, dir string) (Image, error) {
	return build(ctx, unpacked, dir, system{init: initScript, files: programs, modules: modules})
}

func build(ctx context.Context, unpacked, dir string, s system) (Image, error) {
	unpacked, err := filepath.Abs(unpacked)
	if err != nil {
		return Image{}, fmt.Errorf("build the machine's image: %w", err)
	}
	kernels, err := filepath.Glob(filepath.Join(unpacked, "boot", "vmlinuz-*"))
	if err != nil || len(kernels) == 0 {
		return Image{}, fmt.Errorf("%w: no kernel in %s; `make deps` puts one there", ErrUnavailable, unpacked)
	}
	for _, tool := range []string{"qemu-system-x86_64", "busybox", "cpio", "depmod", "modprobe"} {
		if _, err := exec.LookPath(tool); err != nil {
			return Image{}, fmt.Errorf("%w: %s is not installed", ErrUnavailable, tool)
		}
	}
	image := Image{Kernel: slices.Max(kernels), Initrd: filepath.Join(dir, "initrd"), unpacked: unpacked}
	_, version, _ := strings.Cut(filepath.Base(image.Kernel), "vmlinuz-")
	root := filepath.Join(dir, "root")
	steps := []func() error{
		func() error { return s.lay(root) },
		func() error { return s.gather(ctx, unpacked, version, filepath.Join(root, "modules")) },
		func() error { return pack(ctx, root, image.Initrd) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return Image{}, fmt.Errorf("build the machine's image: %w", err)
		}
	}
	return image, os.RemoveAll(root)
}

// lay makes the file system but for the modules.
func (s system) lay(root string) error {
	for _, d := range []string{"bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "modules"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	err = errors.Join(
		copyFile(busybox, filepath.Join(root, "bin", "busybox")),
		os.WriteFile(filepath.Join(root, "init"), []byte(s.init), 0o755),
	)
	for to, from := range s.files {
		err = errors.Join(err, copyFile(from, filepath.Join(root, to)))
	}
	return err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// gather copies the modules in the order in which they are to be loaded.
func (s system) gather(ctx context.Context, unpacked, version, to string) error {
	if err := index(ctx, unpacked, version); err != nil {
		return err
	}
	var seen []string
	for _, m := range s.modules {
		show := exec.CommandContext(ctx, "modprobe", "-d", unpacked, "-S", version, "--show-depends", m)
		out, err := show.Output()
		if err != nil {
			return fmt.Errorf("module %s: %w", m, err)
		}
		for line := range strings.Lines(string(out)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "insmod" || slices.Contains(seen, words[1]) {
				continue // built in, or there already
			}
			name := fmt.Sprintf("%02d-%s", len(seen), filepath.Base(words[1]))
			if err := copyFile(words[1], filepath.Join(to, name)); err != nil {
				return err
			}
			seen = append(seen, words[1])
		}
	}
	return nil
}

// index has modprobe find the modules, in a kernel that was never installed.
func index(ctx context.Context, unpacked, version string) error {
	if _, err := os.Stat(filepath.Join(unpacked, "lib", "modules", version, "modules.dep")); err == nil {
		return nil
	}
	if out, err := exec.CommandContext(ctx, "depmod", "-b", unpacked, version).CombinedOutput(); err != nil {
		return fmt.Errorf("depmod: %w: %s", err, out)
	}
	return nil
}

// pack writes the file system as the kernel wants it (initramfs, newc format).
func pack(ctx context.Context, root, to string) error {
	out, err := exec.CommandContext(ctx, "sh", "-c", `cd "$1" && find . | cpio --quiet -o -H newc > "$2"`, "sh", root, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cpio: %w: %s", err, out)
	}
	return nil
}

// initScript is the machine's first process. It restarts the agent and the warden as
// systemd would, the agent until there is a file /run/no-agent, and does what it is told on its second serial port.
const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
for m in /modules/*; do
  insmod "$m" 2>/dev/null || echo "not loaded: $m"
done
for w in $(cat /proc/cmdline); do
  case $w in
  lab.name=*) hostname "${w#*=}" ;;
  lab.address=*) address=${w#*=} ;;
  lab.hosts=*) echo "${w#*=}" | tr ',@' '\n ' > /etc/hosts ;;
  esac
done
if [ -b /dev/vda ]; then
  mkdir -p /var/lib/quorate
  mount -t ext4 /dev/vda /var/lib/quorate
fi
ip link set lo up
ip link set eth0 up
ip addr add "$address" dev eth0
(while true; do quorate warden; sleep 0.1; done) &
(until [ -e /run/no-agent ]; do quorate agent; sleep 0.1; done) &
exec < /dev/ttyS1 > /dev/ttyS1
stty raw -echo
until read -r -t 1 line; do echo ready; done
while true; do
  eval "$line" 2>&1
  echo "exit $?"
  read -r line
done
`

// Command is what the lab's host runs: it gives its place on the network to the
// machine and becomes it. Its sockets are made in the directory.
func (i Image) Command(h Host, dir string) []string {
	return []string{"sh", "-ec", bridge + i.run(h, dir)}
}

// bridge gives the host's place on the network to a machine, behind tap0.
const bridge = `
ip addr flush dev eth0
ip link set eth0 address 02:51:4c:41:43:01
ip link add br0 type bridge mcast_snooping 0
ip tuntap add tap0 mode tap
for l in eth0 tap0; do ip link set $l master br0; ip link set $l up; done
ip link set br0 up
`

// emulated is what a kernel is told of its machine (kernel-parameters.txt). It shall not
// test whether its timer ticks: beside a busy machine it may not for a moment, and the
// kernel would panic.
const emulated = "console=ttyS0 quiet panic=-1 no_timer_check"

// run is the line of shell that becomes the machine.
func (i Image) run(h Host, dir string) string {
	where := fmt.Sprintf("%s lab.name=%s lab.address=%s lab.hosts=%s",
		emulated, h.Name, h.Address, strings.NewReplacer("\n", ",", " ", "@", "\t", "@").Replace(strings.TrimSpace(h.Hosts)))
	args := []string{
		"qemu-system-x86_64", "-accel", "tcg", "-m", "512", "-smp", "1", "-display", "none", "-no-reboot",
		"-kernel", i.Kernel, "-initrd", i.Initrd, "-append", where,
		"-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=net,mac=" + h.Hardware + ",romfile=",
		"-qmp", "unix:" + dir + "/qmp,server=on,wait=off", "-serial", "file:" + dir + "/log", "-serial", "unix:" + dir + "/console,server=on,wait=off",
	}
	if h.Disk != "" {
		args = append(args, "-drive", "file="+h.Disk+",if=virtio,format=raw")
	}
	var b strings.Builder
	b.WriteString("exec")
	for _, word := range args {
		b.WriteString(" " + quote(word))
	}
	b.WriteString("\n")
	return b.String()
}
