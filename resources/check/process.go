package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// processProbe counts this node's processes that run a program. One is told by its
// path, if that is what is written, else by the last part of its path or by the name
// that it gave itself. Arguments, if there are any, are the first ones it has.
func processProbe(c Check) (probe, error) {
	if c.Command == "" {
		return nil, errors.New("command= is missing: the program that runs")
	}
	words, err := split(c.Command)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, errors.New("command= names no program")
	}
	least := max(c.Least, 1)
	if c.Most > 0 && c.Most < least {
		return nil, fmt.Errorf("most=%d is less than least=%d", c.Most, least)
	}
	return func(ctx context.Context, _ netip.AddrPort) (string, error) {
		n, err := processes(ctx, words)
		switch {
		case err != nil:
			return "", err
		case n < least, c.Most > 0 && n > c.Most:
			return "", fmt.Errorf("%d of it run", n)
		}
		return fmt.Sprintf("%d of it run", n), nil
	}, nil
}

// processes counts the processes of a program (proc(5)).
func processes(ctx context.Context, words []string) (n int, err error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		if runs(folder, words) {
			n++
		}
	}
	return n, nil
}

// runs tells a process by its folder. One that has ended has no command line.
func runs(folder string, words []string) bool {
	text, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil || len(text) == 0 {
		return false
	}
	args := strings.Split(string(bytes.TrimSuffix(text, []byte{0})), "\x00")
	if len(args) < len(words) || !slices.Equal(args[1:len(words)], words[1:]) {
		return false
	}
	if args[0] == words[0] || !strings.Contains(words[0], "/") && filepath.Base(args[0]) == words[0] {
		return true
	}
	if strings.Contains(words[0], "/") {
		program, err := os.Readlink(filepath.Join(folder, "exe"))
		return err == nil && program == words[0]
	}
	name, err := os.ReadFile(filepath.Join(folder, "comm"))
	return err == nil && strings.TrimSpace(string(name)) == words[0]
}
