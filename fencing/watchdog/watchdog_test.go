package watchdog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAMachineWithoutAWatchdogSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watchdog")
	if _, err := Arm(path, time.Minute); !errors.Is(err, ErrNone) {
		t.Errorf("arm what is not there: %v, want %v", err, ErrNone)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Present(path); !errors.Is(err, ErrNone) {
		t.Errorf("a file: %v, want %v", err, ErrNone)
	}
}
