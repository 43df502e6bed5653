// Package vmtest runs those tests of a package that need Debian's kernel, for
// IPVS or a module, in an emulated machine: one for the package, in which the test
// program runs again as root.
package vmtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"quorate/deploy/lab/vm"
)

// inside marks the program that runs in the machine.
const inside = "QUORATE_TEST_MACHINE"

// Inside reports whether this is the machine.
func Inside() bool { return os.Getenv(inside) != "" }

var (
	mu    sync.Mutex
	asked []string // tests that need the machine, at the top
)

// Need skips a test outside of the machine. Main runs it there.
func Need(tb testing.TB) {
	tb.Helper()
	if Inside() {
		return
	}
	if testing.Short() {
		tb.Skip("-short: an emulated machine takes its time")
	}
	name, _, _ := strings.Cut(tb.Name(), "/")
	mu.Lock()
	defer mu.Unlock()
	if !slices.Contains(asked, name) {
		asked = append(asked, name)
	}
	tb.Skip("runs in an emulated machine, after the others")
}

// Main runs a package's tests and returns the exit status for it.
func Main(m *testing.M) int {
	code := m.Run()
	if code != 0 || Inside() || len(asked) == 0 {
		return code
	}
	code, err := boot()
	if errors.Is(err, vm.ErrUnavailable) && os.Getenv("CI") == "" {
		fmt.Printf("SKIPPED: %v: not tested: %s\n", err, strings.Join(asked, ", "))
		return 0
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

// boot runs the tests that asked for it in a machine.
func boot() (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	here, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	image, err := vm.BuildMirror(ctx, vm.Kernel(filepath.Join(top(here), ".build", "kernel")), dir)
	if err != nil {
		return 0, err
	}
	return image.Run(ctx, vm.Command{
		Args: slices.Concat([]string{program}, flags(), []string{"-test.run=^(" + strings.Join(asked, "|") + ")$"}),
		Env:  append(os.Environ(), inside+"=1"), Dir: here,
	}, dir, os.Stdout)
}

// flags are those of this run that mean the same in the machine.
func flags() []string {
	var all []string
	flag.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"test.run", "test.testlogfile", "test.coverprofile", "test.gocoverdir"}, f.Name) {
			all = append(all, "-"+f.Name+"="+f.Value.String())
		}
	})
	return all
}

// top is the folder of the module.
func top(from string) string {
	for dir := from; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	return from
}
