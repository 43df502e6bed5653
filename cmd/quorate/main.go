// Command quorate is Quorate's one binary: the agent that runs on every node,
// and the commands that people type, in the grammar of pcs. Called as pcs it
// behaves the same.
//
// A command only reads words, asks the agent and prints the answer. Whether a
// change is right is for the cluster to say. Exit status: 0 done, 1 failed,
// 2 bad input.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"quorate/deploy/lab"
	"quorate/fencing/fenceagent"
)

// version is set by the linker.
var version = "unversioned"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if filepath.Base(os.Args[0]) == lab.SwitchCommand {
		os.Exit(lab.Switch(ctx, os.Args[0], os.Stdin, os.Stdout, os.Stderr))
	}
	if filepath.Base(os.Args[0]) == fenceagent.IPMITool {
		fmt.Fprintln(os.Stderr, fenceagent.BecomeIPMITool(os.Args[1:]))
		os.Exit(1)
	}
	a := newApp(filepath.Base(os.Args[0]), os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	status := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}
