package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// docs/cli.md lists every command, in the words of its help.
func TestDocsListEveryCommand(t *testing.T) {
	const file, begin, end = "../../docs/cli.md", "-update -->\n", "<!-- end -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the commands", file)
	}
	want := commandTable()
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Errorf("%s (-update writes it)\n got\n%s\nwant\n%s", file, table, want)
	}
}

func commandTable() string {
	var b strings.Builder
	b.WriteString("| command | what it does |\n|---|---|\n")
	commands(func(c *cobra.Command) {
		if !listed(c) {
			return
		}
		usage := strings.TrimPrefix(strings.TrimSuffix(c.UseLine(), " [flags]"), "quorate ")
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(usage, "|", `\|`), c.Short)
	})
	return b.String()
}

// listed tells commands of ours that do something from those that only hold others.
func listed(c *cobra.Command) bool {
	for p := c; p.HasParent(); p = p.Parent() {
		if p.Hidden || slices.Contains([]string{"help", "completion", "agent", "warden", "lab"}, p.Name()) {
			return false
		}
	}
	return c.HasParent() && (!c.HasSubCommands() || strings.ContainsAny(c.Use, "[ "))
}
