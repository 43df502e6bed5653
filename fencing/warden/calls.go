package warden

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// openAt is openat(2) with a path that is terminated already: the library's makes a
// terminated copy.
func openAt(path []byte, flags int) (int, error) {
	at := unix.AT_FDCWD
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&path[0])), uintptr(flags), 0, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// readLink is readlinkat(2) with a path that is terminated already.
func readLink(path, into []byte) (int, error) {
	at := unix.AT_FDCWD
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(at), uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(&into[0])), uintptr(len(into)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// openProcess opens a process; a number alone may be another one's a moment later.
func openProcess(pid int) (int, bool) {
	fd, _, errno := unix.Syscall(unix.SYS_PIDFD_OPEN, uintptr(pid), 0, 0)
	return int(fd), errno == 0
}

// killProcess kills a process, if it has not ended yet: another look will tell.
func killProcess(fd int) {
	_, _, _ = unix.Syscall6(unix.SYS_PIDFD_SEND_SIGNAL, uintptr(fd), uintptr(unix.SIGKILL), 0, 0, 0, 0)
}

// populate locks a part of this process's own memory, which reads all of it in.
func populate(from uintptr, length int) error {
	if _, _, errno := unix.Syscall(unix.SYS_MLOCK, from, uintptr(length), 0); errno != 0 {
		return errno
	}
	return nil
}
