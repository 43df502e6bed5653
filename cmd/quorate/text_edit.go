package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newTextEditCommand(a *app) *cobra.Command {
	var parameter string
	c := &cobra.Command{
		Use:   "edit RESOURCE",
		Short: "Edit the configuration that the cluster keeps for a resource",
		Long: "Edit the configuration that the cluster keeps for a resource, in $VISUAL or $EDITOR. The nodes\n" +
			"check it before it is taken; what they find wrong is shown, and the editor opened again if\n" +
			"you like. Each version makes a checkpoint (\"config checkpoint list\").",
		Example: "resource config edit Web\nresource config edit Director --dry-run",
		Args:    words(1, 1),
		RunE: func(c *cobra.Command, words []string) error {
			t, err := a.text(c.Context(), words[0], parameter)
			if err != nil {
				return err
			}
			if t.GetText() == "" && t.GetPath() != "" {
				return grammar.Errorf("%s is in a file on each node, %s", t.GetResource(), t.GetPath()).
					With("edit it there, or let the cluster keep it: \"resource config set %s %s\"", t.GetResource(), t.GetPath())
			}
			return a.edit(c, t)
		},
	}
	return a.changes(a.ofText(c, &parameter))
}

// edit lets a person edit a text until the cluster takes it. A text that is not
// taken stays in its file.
func (a *app) edit(c *cobra.Command, t *pb.TextResponse) error {
	dir, err := os.MkdirTemp("", "quorate-")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, filepath.Base(t.GetResource())+".cfg")
	if err := os.WriteFile(file, []byte(t.GetText()), 0o600); err != nil {
		return err
	}
	for {
		text, err := a.edited(c.Context(), file)
		if err == nil && text == t.GetText() {
			fmt.Fprintln(a.out, "Nothing was changed.")
			return os.RemoveAll(dir)
		}
		if err == nil {
			err = a.putText(c, t, text, map[string]uint64{t.GetResource(): t.GetRevision()})
		}
		if err == nil {
			return os.RemoveAll(dir)
		}
		again, said := a.wantsAgain(err)
		if again {
			continue
		}
		a.warn("what you wrote is kept in %s", file)
		if said {
			return saidError{err}
		}
		return err
	}
}

// edited runs the editor and returns what the file holds then.
func (a *app) edited(ctx context.Context, file string) (string, error) {
	editor := cmp.Or(a.getenv("VISUAL"), a.getenv("EDITOR"))
	if editor == "" {
		for _, name := range []string{"editor", "vi", "nano"} { // Debian's choice first
			if _, err := exec.LookPath(name); err == nil {
				editor = name
				break
			}
		}
	}
	if editor == "" {
		return "", grammar.Errorf("no editor is known").With("set EDITOR")
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$@"`, "sh", file) // it may have flags
	if terminal, ok := a.in.(*os.File); ok {                                // of anything else it would read more than is its own
		cmd.Stdin = terminal
	}
	cmd.Stdout, cmd.Stderr = a.out, a.err
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("editor %s: %w", editor, err)
	}
	data, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(data)) == "" {
		err = grammar.Errorf("the text is empty").With("to let the resource go, use \"resource delete\"")
	}
	return string(data), err
}

// wantsAgain says why a text was refused, and asks whether to edit it again.
// Without anybody to ask, and where another text would not help, it does neither.
func (a *app) wantsAgain(err error) (again, said bool) {
	if !a.attended() || a.exitStatus(err) != exitBadInput {
		return false, false
	}
	if text := a.explain(err); text != "" {
		fmt.Fprintf(a.err, "%s: %s\n", a.name, text)
	}
	fmt.Fprint(a.err, "Edit it again? [Y/n] ")
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil {
		return false, true
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "", "y", "yes":
		return true, true
	}
	return false, true
}
