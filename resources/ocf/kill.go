package ocf

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// killTime is how long processes may take to end once they are killed; one that
// waits for a disk takes as long as the disk.
const killTime = 2 * time.Second

// kill kills every process that bears a mark, and those that they start meanwhile. It
// returns how many there were.
func kill(m marks) (killed int, err error) {
	seen := make(map[int]bool)
	for deadline := time.Now().Add(killTime); ; time.Sleep(5 * time.Millisecond) {
		left := marked(m)
		if len(left) == 0 {
			return len(seen), nil
		}
		for _, pid := range left {
			seen[pid] = true
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if time.Now().After(deadline) {
			return len(seen), fmt.Errorf("processes %v do not end though they were killed", left)
		}
	}
}

// marked returns the processes that bear one of the marks.
func marked(m marks) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid != os.Getpid() && m.on(pid) {
			list = append(list, pid)
		}
	}
	return list
}
