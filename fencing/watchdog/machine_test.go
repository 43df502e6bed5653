package watchdog

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/deploy/lab/vm/vmtest"
)

func TestMain(m *testing.M) { os.Exit(vmtest.Main(m)) }

// A softdog is the kernel's own watchdog, of an emulated machine. Instead of a reset it
// says in the kernel's log that there would be one.
type softdog struct {
	*testing.T
	log int
}

// load loads the driver anew.
func load(t *testing.T, options ...string) *softdog {
	t.Helper()
	_ = exec.CommandContext(t.Context(), "modprobe", "-r", "softdog").Run() // it may not be loaded
	if out, err := exec.CommandContext(t.Context(), "modprobe", append([]string{"softdog", "soft_noboot=1"}, options...)...).CombinedOutput(); err != nil {
		t.Fatalf("modprobe softdog: %v: %s", err, out)
	}
	log, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(log) })
	return &softdog{t, log}
}

// in is the same for a part of a test, which hears of nothing that was before.
func (s *softdog) in(t *testing.T) *softdog {
	t.Helper()
	if _, err := unix.Seek(s.log, 0, unix.SEEK_END); err != nil {
		t.Fatal(err)
	}
	return &softdog{t, s.log}
}

func (s *softdog) arm(wanted time.Duration) *Device {
	s.Helper()
	d, err := Arm(DefaultPath, wanted)
	if err != nil {
		s.Fatal(err)
	}
	if d.Timeout() != wanted {
		s.Errorf("it fires after %v, want %v", d.Timeout(), wanted)
	}
	s.is("active")
	return d
}

func (s *softdog) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// is checks what the kernel says of it.
func (s *softdog) is(state string) {
	s.Helper()
	got, err := os.ReadFile("/sys/class/watchdog/watchdog0/state")
	if strings.TrimSpace(string(got)) != state {
		s.Errorf("the watchdog is %s (%v), want %s", got, err, state)
	}
}

// fires reports whether the kernel's log says within some time that it fired.
func (s *softdog) fires(within time.Duration) bool {
	s.Helper()
	entry := make([]byte, 8192) // one is read at a time
	for end := time.Now().Add(within); ; {
		n, err := unix.Read(s.log, entry)
		switch {
		case err == nil && strings.Contains(string(entry[:n]), "Triggered"):
			return true
		case err == nil, errors.Is(err, unix.EPIPE): // the oldest ones were overwritten
			continue
		case !errors.Is(err, unix.EAGAIN):
			s.Fatal(err)
		}
		left := time.Until(end)
		if left <= 0 {
			return false
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(s.log), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
	}
}

// sure is when a watchdog has fired, on a machine that has much else to do.
const sure = time.Minute

// TestSoftdog tries all that a device can do on a real kernel, in the order in which
// they leave it usable.
func TestSoftdog(t *testing.T) {
	vmtest.Need(t)
	dog := load(t)
	t.Run("it fires when it is not fed, and not before", func(t *testing.T) {
		s := dog.in(t)
		d := s.arm(2 * time.Second)
		var fed time.Time
		for range 15 {
			fed = time.Now()
			s.must(d.Feed())
			if s.fires(200*time.Millisecond) && time.Since(fed) < d.Timeout() { // or the machine stood still
				t.Fatalf("it fired %v after it was fed", time.Since(fed))
			}
		}
		if !s.fires(sure) || time.Since(fed) < d.Timeout() {
			t.Errorf("it fired %v after it was fed, want %v", time.Since(fed), d.Timeout())
		}
		t.Logf("it fired %v after it was fed", time.Since(fed))
		s.must(d.Disarm())
	})
	t.Run("the magic close disarms it", func(t *testing.T) {
		s := dog.in(t)
		d := s.arm(time.Second)
		if want := DefaultPath + " (Software Watchdog)"; d.Final() || d.Identity() != want {
			t.Errorf("it is %s (final: %v), want %s", d.Identity(), d.Final(), want)
		}
		s.must(d.Disarm())
		s.is("inactive")
		if s = dog.in(t); s.fires(2500 * time.Millisecond) {
			t.Error("it fired after it was disarmed")
		}
	})
	t.Run("another close does not, and who opens it feeds it", func(t *testing.T) {
		s := dog.in(t)
		s.must(s.arm(time.Second).Leave())
		s.is("active")
		if !s.fires(sure) {
			t.Error("it did not fire after it was left")
		}
		s.must(s.arm(20 * time.Second).Leave())
		d := s.arm(10 * time.Second)
		s.must(d.Disarm())
		s.is("inactive")
	})
	t.Run("one program has it at a time", func(t *testing.T) {
		s := dog.in(t)
		d := s.arm(20 * time.Second)
		if _, err := Arm(DefaultPath, 20*time.Second); err == nil || !strings.Contains(err.Error(), "another program feeds it") {
			t.Errorf("armed twice: %v", err)
		}
		s.must(d.Disarm())
	})
	t.Run("a timeout that it does not take is refused, and leaves it disarmed", func(t *testing.T) {
		s := dog.in(t)
		for wanted, want := range map[time.Duration]string{100 * time.Hour: "takes no timeout of 360000 s", 900 * time.Millisecond: "less than the second"} {
			if _, err := Arm(DefaultPath, wanted); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v, want %q", wanted, err, want)
			}
			s.is("inactive")
		}
	})
	t.Run("with nowayout it goes on", func(t *testing.T) {
		s := load(t, "nowayout=1").in(t)
		d := s.arm(time.Second)
		if want := DefaultPath + " (Software Watchdog, cannot be disarmed)"; !d.Final() || d.Identity() != want {
			t.Errorf("it is %s (final: %v), want %s", d.Identity(), d.Final(), want)
		}
		s.must(d.Disarm())
		s.is("active")
		if !s.fires(sure) {
			t.Error("it did not fire")
		}
	})
}
