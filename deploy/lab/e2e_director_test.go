package lab

import (
	"strings"
	"testing"
)

// TestE2EDirectorScenes plays the scenes of directors, in short and all in one
// emulated machine. "quorate lab scene" plays them in full.
func TestE2EDirectorScenes(t *testing.T) {
	m := &typist{t, "", t.TempDir()}
	kernel := machineKernel(t)
	m.program = quorateProgram(t)
	out, err := m.runs("lab", "scene", "ldirectord", "connections", "--kernel", kernel,
		"--brief", "--requests", "200", "--concurrency", "10", "--connections", "20")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log("\n" + out[max(0, strings.LastIndex(out, "\nldirectord  imported")):])
}
