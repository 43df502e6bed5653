package warden

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"
)

// What is here reads /proc and signals processes without allocating: a warden must
// work when there is no memory to be had.

// A file reads small files of /proc into a buffer of its own.
type file struct {
	path [64]byte
	data []byte
}

// read reads /proc/PID/NAME, as much of it as the buffer holds. The name ends in a
// zero byte.
func (f *file) read(pid int, name string) []byte {
	fd, err := open(f.of(pid, name), unix.O_RDONLY)
	if err != nil {
		return nil
	}
	defer closeFile(fd)
	n := 0
	for n < len(f.data) {
		got, err := unix.Read(fd, f.data[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || got <= 0 {
			break
		}
		n += got
	}
	return f.data[:n]
}

// link reads the symbolic link /proc/PID/NAME, without what tells of a file that was
// deleted since.
func (f *file) link(pid int, name string) []byte {
	n, err := readLink(f.of(pid, name), f.data)
	if err != nil {
		return nil
	}
	return bytes.TrimSuffix(f.data[:n], deleted)
}

var deleted = []byte(" (deleted)")

func (f *file) of(pid int, name string) []byte {
	b := append(f.path[:0], "/proc/"...)
	b = appendNumber(b, pid)
	b = append(b, '/')
	return append(b, name...)
}

func appendNumber(b []byte, n int) []byte {
	var digits [20]byte
	i := len(digits)
	for ; n > 0 || i == len(digits); n /= 10 {
		i--
		digits[i] = byte('0' + n%10)
	}
	return append(b, digits[i:]...)
}

// number reads the digits that a text begins with; -1: it begins with none.
func number(b []byte) int {
	n := -1
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		n = max(n, 0)*10 + int(c-'0')
	}
	return n
}

// stat is the state of a process and when it started (proc_pid_stat(5)): the third
// field and the 22nd. After a name in parentheses, which may hold anything.
func (f *file) stat(pid int) (state byte, start int64) {
	b := f.read(pid, "stat\x00")
	b = b[bytes.LastIndexByte(b, ')')+1:]
	for field := 3; ; field++ {
		i := bytes.IndexByte(b, ' ')
		if i < 0 {
			return 0, 0
		}
		b = b[i+1:]
		switch {
		case len(b) == 0:
			return 0, 0
		case field == 3:
			state = b[0]
		case field == 22:
			return state, int64(number(b))
		}
	}
}

// stopped reports whether a process in that state does nothing any more, or nothing
// until another one lets it: it was stopped, is traced, or was killed and one of its
// threads hangs in the kernel.
func stopped(state byte) bool { return bytes.IndexByte([]byte("TtZX"), state) >= 0 }

// open opens a path that ends in a zero byte.
func open(path []byte, flags int) (int, error) {
	return openAt(path, flags|unix.O_CLOEXEC)
}

func closeFile(fd int) {
	_ = unix.Close(fd) // nothing was written that could be lost
}
