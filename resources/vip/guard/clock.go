package guard

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Now reads the clock that deadlines are on unless another is given.
func Now() time.Duration { return read(unix.CLOCK_MONOTONIC_RAW) }

// wallNow reads the clock that the kernel compares packets with: the time since
// 1970.
func wallNow() time.Duration { return read(unix.CLOCK_REALTIME) }

func read(clock int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		panic(fmt.Sprintf("read clock %d: %v", clock, err)) // Linux has had both since 2.6.28
	}
	return time.Duration(t.Nano())
}

// stepWatch waits for somebody to set the wall clock.
type stepWatch struct {
	timer *os.File
	loop  sync.WaitGroup
}

// watchSteps calls stepped after each time that the wall clock was set, until
// it is closed. The timer behind it is never due; the kernel cancels it when the
// clock is set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
func watchSteps(stepped func()) (*stepWatch, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make a timer on the wall clock: %w", err)
	}
	w := &stepWatch{timer: os.NewFile(uintptr(fd), "timerfd")}
	never := unix.ItimerSpec{Value: unix.NsecToTimespec(math.MaxInt64)}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the wall clock: %w", err), w.timer.Close())
	}
	w.loop.Go(func() {
		for w.wait() {
			stepped()
		}
	})
	return w, nil
}

// wait reports whether the clock was set; false is the end.
func (w *stepWatch) wait() bool {
	var expirations [8]byte
	_, err := w.timer.Read(expirations[:])
	return errors.Is(err, unix.ECANCELED)
}

// close returns when stepped will not be called any more.
func (w *stepWatch) close() error {
	err := w.timer.Close()
	w.loop.Wait()
	return err
}
