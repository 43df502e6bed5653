package ocf

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// killTime is how long processes may take to end once they are killed; one that
// waits for a disk takes as long as the disk.
const killTime = 2 * time.Second

// kill kills every process that has a mark in its environment, and those that
// they start meanwhile. It returns how many there were.
func kill(mark string) (killed int, err error) {
	seen := make(map[int]bool)
	for deadline := time.Now().Add(killTime); ; time.Sleep(5 * time.Millisecond) {
		left := marked(mark)
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

// marked returns the processes with a mark. Zombies have no environment.
func marked(mark string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+mark+"\x00")) {
			list = append(list, pid)
		}
	}
	return list
}
