package check

import (
	"os"
	"strings"
	"testing"
)

func TestDocsNameEveryKindAndWord(t *testing.T) {
	data, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, k := range Kinds() {
		if !strings.Contains(text, "`"+k+"`") {
			t.Errorf("docs/checks.md does not name the kind %s", k)
		}
		for _, w := range kinds[k].takes() {
			if !strings.Contains(text, "`"+w+"`") && !strings.Contains(text, "`"+w+"=yes`") {
				t.Errorf("docs/checks.md does not name the word %s", w)
			}
		}
	}
}
