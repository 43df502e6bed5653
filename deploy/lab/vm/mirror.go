package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mirrorModules are what a mirror needs to see this machine's files and to be
// spoken with. All others it loads when they are asked for.
var mirrorModules = []string{"virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"}

// Kernel returns the unpacked kernel package to boot: the first of the folders
// that has one, else that of the machine itself, if it is Debian's.
func Kernel(folders ...string) string {
	for _, f := range folders {
		if found, _ := filepath.Glob(filepath.Join(f, "boot", "vmlinuz-*")); len(found) > 0 {
			return f
		}
	}
	return "/"
}

// BuildMirror makes an image in a directory, of a machine that sees this one's
// files. What it writes it keeps in its memory.
func BuildMirror(ctx context.Context, unpacked, dir string) (Image, error) {
	return build(ctx, unpacked, dir, system{init: mirrorInit, modules: mirrorModules})
}

// mirrorInit is a mirror's first process. It lays memory over this machine's
// files (9p), moves there with the kernel's own helpers (they look for modprobe
// where the first process is), runs one command and ends.
const mirrorInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for m in /modules/*; do
  insmod "$m" || echo "not loaded: $m"
done
for w in $(cat /proc/cmdline); do
  case $w in
  mirror.run=*) run=${w#*=} ;;
  mirror.modules=*) modules=${w#*=} ;;
  esac
done
mkdir -p /host /memory /new
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose host /host
mount -t tmpfs -o mode=755 memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /new
mount -t tmpfs -o mode=755 run /new/run
mkdir /new/run/mirror
cp /bin/busybox /new/run/mirror/busybox
for a in $(busybox --list | grep -vx busybox); do
  ln -s busybox "/new/run/mirror/$a"
done
mount --move /dev /new/dev
mount --move /proc /new/proc
exec switch_root /new /run/mirror/busybox sh "$run"
`

// mirrorMounts begins the script that a mirror runs.
const mirrorMounts = `
export PATH=/run/mirror
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
mkdir -p /dev/pts /dev/shm "$(readlink -f /lib)/modules"
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount --bind "$modules" "$(readlink -f /lib)/modules"
hostname mirror
ip link set lo up
for p in /sys/class/virtio-ports/*; do
  ln -s "/dev/${p##*/}" "/run/mirror/port.$(cat "$p/name")"
done
`

// A Command is what a mirror runs. When it has ended, so has the machine.
type Command struct {
	Args []string
	Env  []string // its whole environment
	Dir  string
}

// script is what a mirror's first process does once it sees this machine's files.
func (c Command) script(modules string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "modules=%s\n%s", quote(modules), mirrorMounts)
	fmt.Fprintf(&b, "cd %s\n", quote(c.Dir))
	b.WriteString("env -i")
	for _, word := range slices.Concat(c.Env, c.Args) {
		b.WriteString(" " + quote(word))
	}
	b.WriteString(" </dev/null >/run/mirror/port.output 2>&1\necho $? >/run/mirror/port.status\npoweroff -f\n")
	return b.String()
}

// quote makes one word of a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// Port is where a program in a mirror finds the connection that its Machine has.
const Port = "/run/mirror/port.line"

// Mirror returns the command that is a mirror, and which runs c. Its sockets and
// files are made in the directory: "status", where c's exit status is in the end,
// "log", what the kernel said, and "line", a socket whose other end is [Port].
// What c prints is what the mirror prints.
func (i Image) Mirror(c Command, dir string) ([]string, error) {
	script := filepath.Join(dir, "run")
	if err := os.WriteFile(script, []byte(c.script(filepath.Join(i.unpacked, "lib", "modules"))), 0o600); err != nil {
		return nil, fmt.Errorf("machine's command: %w", err)
	}
	args := []string{
		"qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-m", "768", "-smp", "2",
		"-display", "none", "-nodefaults", "-no-reboot",
		"-kernel", i.Kernel, "-initrd", i.Initrd, "-append", emulated + " mirror.run=" + script,
		"-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap", "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
		"-serial", "file:" + filepath.Join(dir, "log"), "-qmp", "unix:" + filepath.Join(dir, "qmp") + ",server=on,wait=off",
		"-device", "virtio-serial-pci",
	}
	ports := map[string]string{
		"output": "file,id=output,path=/dev/stdout",
		"status": "file,id=status,path=" + filepath.Join(dir, "status"),
		"line":   "socket,id=line,server=on,wait=off,path=" + filepath.Join(dir, "line"),
	}
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		args = append(args, "-chardev", ports[name], "-device", "virtserialport,chardev="+name+",name="+name)
	}
	return args, nil
}

// Run boots a mirror for one command and returns its exit status. It gives way to
// all else that this machine does, which may be measuring.
func (i Image) Run(ctx context.Context, c Command, dir string, out io.Writer) (int, error) {
	args, err := i.Mirror(c, dir)
	if err != nil {
		return 0, err
	}
	var said strings.Builder
	machine := exec.CommandContext(ctx, "nice", append([]string{"-n", "10"}, args...)...)
	machine.Stdout, machine.Stderr = struct{ io.Writer }{out}, &said // a pipe, whatever out is: qemu opens it anew
	if err := machine.Run(); err != nil {
		return 0, fmt.Errorf("machine: %w: %s", err, strings.TrimSpace(said.String()))
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	code, err := strconv.Atoi(strings.TrimSpace(string(status)))
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return 0, fmt.Errorf("machine: it ended before its command did: %s", log[max(0, len(log)-8000):])
	}
	return code, nil
}
