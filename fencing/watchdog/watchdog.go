// Package watchdog drives the kernel's watchdog: a timer, in hardware or in the
// kernel (softdog), that resets the machine unless it is fed in time.
//
// A device is armed by opening it and setting its timeout, fed, and disarmed by the
// magic close. Where the driver was loaded with nowayout it cannot be disarmed, see
// [Device.Final]. Who feeds it, and when, is for the warden.
//
// Sources: Documentation/watchdog/watchdog-api.rst and
// Documentation/ABI/testing/sysfs-class-watchdog of the Linux kernel.
package watchdog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultPath is the first watchdog of a machine.
const DefaultPath = "/dev/watchdog"

// ErrNone is returned where there is no watchdog.
var ErrNone = errors.New("this machine has no watchdog; load the driver of its own, or softdog")

// A Device is an armed watchdog. Its methods allocate nothing unless they fail.
type Device struct {
	path    string
	fd      int
	timeout time.Duration // as the driver has it: whole seconds
	final   bool
}

// Timeout is the time from one feeding to the reset.
func (d *Device) Timeout() time.Duration { return d.timeout }

// Final reports whether it cannot be disarmed, for all that is known.
func (d *Device) Final() bool { return d.final }

// Present reports whether there is a watchdog at a path, without arming it.
func Present(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: %w", path, ErrNone)
	case err != nil:
		return err
	case info.Mode()&os.ModeCharDevice == 0:
		return fmt.Errorf("%s: is no device; %w", path, ErrNone)
	}
	return nil
}

// Arm opens a watchdog, which starts it, with a timeout of at most what is wanted.
func Arm(path string, wanted time.Duration) (*Device, error) {
	if err := Present(path); err != nil {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("%s is in use: another program feeds it (a watchdog daemon, or systemd's RuntimeWatchdogSec)", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d := &Device{path: path, fd: fd, final: final(path)}
	if err := d.Set(wanted); err != nil {
		return nil, errors.Join(err, d.Disarm())
	}
	return d, nil
}

// final reads whether a driver goes on once it was started. Where it does not say so
// it is taken to.
func final(path string) bool {
	name := filepath.Base(path)
	if name == "watchdog" { // another name of the first
		name = "watchdog0"
	}
	b, err := os.ReadFile("/sys/class/watchdog/" + name + "/nowayout")
	return err != nil || string(bytes.TrimSpace(b)) != "0"
}

// Set changes the timeout, and starts the timer anew: the kernel feeds a watchdog that
// is set. A timeout that the driver makes longer than what is wanted is an error, and
// the device may have it then.
func (d *Device) Set(wanted time.Duration) error {
	seconds := int(wanted / time.Second)
	if seconds < 1 {
		return fmt.Errorf("%s: a timeout of %v is less than the second that a watchdog takes at least", d.path, wanted)
	}
	if err := unix.IoctlSetPointerInt(d.fd, unix.WDIOC_SETTIMEOUT, seconds); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%s takes no timeout of %d s: %w", d.path, seconds, err)
	}
	actual, err := unix.IoctlGetInt(d.fd, unix.WDIOC_GETTIMEOUT)
	if err != nil {
		return fmt.Errorf("%s does not tell its timeout: %w", d.path, err)
	}
	d.timeout = time.Duration(actual) * time.Second
	if d.timeout > wanted {
		return fmt.Errorf("%s has a timeout of %v, and %v is the most that others wait for it", d.path, d.timeout, wanted)
	}
	return nil
}

// Feed starts the timer anew.
func (d *Device) Feed() error { return unix.IoctlWatchdogKeepalive(d.fd) }

// Identity is its path, what the driver calls itself, and whether it can be disarmed.
func (d *Device) Identity() string {
	name := []byte("unknown driver")
	if info, err := unix.IoctlGetWatchdogInfo(d.fd); err == nil {
		name, _, _ = bytes.Cut(info.Identity[:], []byte{0})
	}
	if d.final {
		return fmt.Sprintf("%s (%s, cannot be disarmed)", d.path, name)
	}
	return fmt.Sprintf("%s (%s)", d.path, name)
}

// Disarm stops the timer and closes the device: the last byte written before is the
// magic one.
func (d *Device) Disarm() error {
	_, err := unix.Write(d.fd, []byte{'V'})
	if err := errors.Join(err, d.Leave()); err != nil {
		return fmt.Errorf("disarm %s: %w", d.path, err)
	}
	return nil
}

// Leave closes the device, and its timer goes on: who opens it before its end may
// feed it again. The kernel feeds it once more, as it does when the process that has it
// open is killed (watchdog_release of drivers/watchdog/watchdog_dev.c).
func (d *Device) Leave() error { return unix.Close(d.fd) }
