package cib_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"quorate/cluster/cib"
)

// corpusFiles are Pacemaker's own cases: in $QUORATE_CORPUS, or beside the
// project. There may be none.
func corpusFiles() []string {
	dir := os.Getenv("QUORATE_CORPUS")
	if dir == "" {
		dir = "../../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "pacemaker", "t*", "xml", "*.xml")) // the pattern is right
	return files
}

func TestEveryCaseOfTheCorpusIsReadOrRefusedByName(t *testing.T) {
	files := corpusFiles()
	if len(files) == 0 {
		t.Skip("no cases to read; set QUORATE_CORPUS to the folder that has them")
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
