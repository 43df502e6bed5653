package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	"quorate/resources/ocf"
)

const defaultSocket = "/run/quorate/agent.sock"

// An app is one run of the program: what it was called, where it reads and
// writes, and the flags that every command has.
type app struct {
	name     string // quorate, pcs, crm_simulate or a command that scripts call
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	getenv   func(string) string
	attended func() bool // whether a person is there to be asked

	socket                string
	server, ca, cert, key string
	output                string
	wait                  waitFlag
	dryRun, force         bool
	noColor               bool
}

func newApp(name string, in io.Reader, out, err io.Writer, getenv func(string) string) *app {
	if name != "pcs" && name != crmSimulate && !slices.Contains(ocf.Commands, name) {
		name = "quorate"
	}
	a := &app{name: name, in: in, out: out, err: err, now: time.Now, getenv: getenv}
	a.attended = func() bool { return isTerminal(a.in) }
	a.socket = cmp.Or(getenv("QUORATE_SOCKET"), defaultSocket)
	a.server = getenv("QUORATE_SERVER")
	a.ca, a.cert, a.key = getenv("QUORATE_CA"), getenv("QUORATE_CERT"), getenv("QUORATE_KEY")
	a.noColor = getenv("NO_COLOR") != "" || getenv("TERM") == "dumb"
	return a
}

// run runs one command line and returns the exit status. Every error is one
// line on stderr.
func (a *app) run(ctx context.Context, words []string) int {
	root := a.root()
	root.SetArgs(grammar.ProtectScores(words))
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if text := a.explain(err); text != "" {
		fmt.Fprintf(a.err, "%s: %s\n", a.name, text)
	}
	return a.exitStatus(err)
}

// root makes the tree of commands that the program has under its name.
func (a *app) root() *cobra.Command {
	switch {
	case a.name == crmSimulate:
		return newCrmSimulateCommand(a)
	case slices.Contains(ocf.Commands, a.name):
		return newScriptCommand(a)
	}
	return newRootCommand(a)
}

// palette colours what goes to a terminal, unless NO_COLOR is set.
func (a *app) palette() render.Palette {
	return render.Palette{Colour: !a.noColor && isTerminal(a.out)}
}

func (a *app) options() render.Options {
	return render.Options{Palette: a.palette(), Program: a.name}
}

// warn prints a line that is not part of the answer.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.err, "warning: "+format+"\n", args...)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
