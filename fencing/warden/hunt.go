package warden

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A hunter kills what records lead to. All that it needs it has from the beginning.
type hunter struct {
	self    int // never killed, and neither is
	agent   atomic.Int64
	entries []byte // of a directory
	file    file
	path    [1024]byte
	victims []victim
	netlink netlink
}

// A victim is an open process that a record led to.
type victim struct {
	fd     int
	record int
}

// maxVictims bounds the processes that are killed at once; what is left is found by
// the next look.
const maxVictims = 512

func newHunter(self int) *hunter {
	return &hunter{
		self: self, entries: make([]byte, 64<<10), file: file{data: make([]byte, 1<<20)}, victims: make([]victim, 0, maxVictims),
	}
}

// hunt looks once for what the records lead to and kills it, the last record's
// first. It returns how many processes there were, and marks which records led to
// none.
func (h *hunter) hunt(records []record) (found int) {
	h.victims = h.victims[:0]
	h.look(records)
	for i := range records {
		records[i].done = true
	}
	for i := len(records) - 1; i >= 0; i-- {
		if records[i].kind == Cgroup && h.killCgroup(records[i].mark) {
			records[i].done = false
			found++
		}
		if records[i].kind == Address {
			h.netlink.remove(records[i].mark)
		}
		for _, v := range h.victims {
			if v.record == i {
				records[i].done = false
				killProcess(v.fd)
				found++
			}
		}
	}
	for _, v := range h.victims {
		closeFile(v.fd)
	}
	return found
}

// look opens all processes that records lead to.
func (h *hunter) look(records []record) {
	var wanted [Descriptor + 1]bool
	for i := range records {
		wanted[records[i].kind] = true
	}
	if !wanted[Environment] && !wanted[Argument] && !wanted[Descriptor] {
		return
	}
	fd, err := open(append(h.path[:0], "/proc\x00"...), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	defer closeFile(fd)
	for {
		n, err := unix.Getdents(fd, h.entries)
		if err != nil || n <= 0 {
			return
		}
		for b := h.entries[:n]; len(b) > 19; { // linux_dirent64: length at 16, name at 19
			length := int(binary.NativeEndian.Uint16(b[16:]))
			if pid := number(b[19:length]); pid > 1 && pid != h.self && int64(pid) != h.agent.Load() && len(h.victims) < maxVictims {
				h.consider(pid, records, wanted)
			}
			b = b[length:]
		}
	}
}

// consider opens a process, and keeps it open if a record leads to it. It is opened
// first: so it is the one whose environment is read, or the kill comes to nothing.
func (h *hunter) consider(pid int, records []record, wanted [Descriptor + 1]bool) {
	fd, ok := openProcess(pid)
	if !ok {
		return
	}
	for kind, name := range [...]string{Environment: "environ\x00", Argument: "cmdline\x00"} {
		if name == "" || !wanted[kind] {
			continue
		}
		all := h.file.read(pid, name)
		for i := range records {
			if records[i].kind == Kind(kind) && holds(all, records[i].mark) {
				h.victims = append(h.victims, victim{fd, i})
				return
			}
		}
	}
	if wanted[Descriptor] {
		file := h.file.link(pid, descriptor)
		for i := range records {
			if records[i].kind == Descriptor && bytes.Equal(file, records[i].mark) {
				h.victims = append(h.victims, victim{fd, i})
				return
			}
		}
	}
	closeFile(fd)
}

var descriptor = fmt.Sprintf("fd/%d\x00", DescriptorNumber)

// holds reports whether one of the strings, which zero bytes end, is the mark.
func holds(all, mark []byte) bool {
	for len(mark) > 0 {
		i := bytes.Index(all, mark)
		if i < 0 {
			return false
		}
		end := i + len(mark)
		if (i == 0 || all[i-1] == 0) && (end == len(all) || all[end] == 0) {
			return true
		}
		all = all[i+1:]
	}
	return false
}

// cgroups is where cgroup version 2 is mounted (cgroups(7)).
const cgroups = "/sys/fs/cgroup/"

// killCgroup kills all processes of a cgroup, and of those below it (Linux 5.14). It
// reports whether there were any.
func (h *hunter) killCgroup(path []byte) bool {
	if !h.populated(path) {
		return false
	}
	fd, err := open(h.inCgroup(path, "/cgroup.kill\x00"), unix.O_WRONLY)
	if err != nil {
		return true // it cannot be done, and so is not done
	}
	defer closeFile(fd)
	h.file.data[0] = '1'
	_, _ = unix.Write(fd, h.file.data[:1]) // the next look tells
	return true
}

func (h *hunter) populated(path []byte) bool {
	fd, err := open(h.inCgroup(path, "/cgroup.events\x00"), unix.O_RDONLY)
	if err != nil {
		return false // it was removed, with the last process
	}
	defer closeFile(fd)
	n, err := unix.Read(fd, h.file.data)
	return err == nil && bytes.Contains(h.file.data[:n], populated1)
}

var populated1 = []byte("populated 1")

func (h *hunter) inCgroup(path []byte, name string) []byte {
	b := append(h.path[:0], cgroups...)
	if len(path) > 0 && path[0] == '/' {
		path = path[1:]
	}
	b = append(b, path[:min(len(path), len(h.path)-len(cgroups)-len(name))]...)
	return append(b, name...)
}

// huntPause is between two looks for what was killed.
const huntPause = 2 * time.Millisecond
