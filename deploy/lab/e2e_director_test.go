package lab

import (
	"strings"
	"testing"
)

// TestE2EDirectorScenes plays the scenes of directors, in short and all in one
// emulated machine. "quorate lab scene" plays them in full. A machine that stands
// still for longer than a lease, because this one has much else to do, breaks
// promises that no cluster can keep: then they are played once more.
func TestE2EDirectorScenes(t *testing.T) {
	m := &typist{t, "", t.TempDir()}
	kernel := machineKernel(t)
	m.program = quorateProgram(t)
	play := func() (string, error) {
		return m.runs("lab", "scene", "ldirectord", "connections", "--kernel", kernel,
			"--brief", "--requests", "200", "--concurrency", "10", "--connections", "20")
	}
	out, err := play()
	if err != nil {
		t.Logf("once more, after: %v\n%s", err, out)
		out, err = play()
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log("\n" + out[max(0, strings.LastIndex(out, "\nldirectord  imported")):])
}
