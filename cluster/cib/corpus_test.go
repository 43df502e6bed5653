package cib_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"quorate/cluster/cib"
)

// corpus is the folder of Pacemaker's own cases: $QUORATE_CORPUS, or the one
// beside the project.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("QUORATE_CORPUS")
	if dir == "" {
		dir = "../../../shared/corpus"
	}
	dir = filepath.Join(dir, "pacemaker")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no cases to read: %v; set QUORATE_CORPUS to the folder that has them", err)
	}
	return dir
}

func TestEveryCaseOfTheCorpusIsReadOrRefusedByName(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t), "t*", "xml", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("cases: %v, %d files", err, len(files))
	}
	refused := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := cib.Parse(data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		in, err := d.Input(time.Now())
		var unsupported *cib.UnsupportedError
		switch {
		case errors.As(err, &unsupported):
			refused++
		case err != nil:
			t.Errorf("%s: %v", file, err)
		case len(in.Nodes) == 0:
			t.Errorf("%s: no nodes read", file)
		}
	}
	t.Logf("%d cases read, %d of them refused by name", len(files), refused)
}
