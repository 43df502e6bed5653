package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"quorate/fencing/warden"
	"quorate/fencing/watchdog"
)

// newWardenCommand is the second process on each node.
func newWardenCommand() *cobra.Command {
	config := warden.Config{RunDir: "/run/quorate", Harden: true, Log: os.Stderr}
	c := &cobra.Command{
		Use:   "warden",
		Short: "Run the warden of this node (what its systemd unit starts)",
		Long: `Run the warden of this node.

When the node's lease is over and its agent does not stop what runs, because it was
killed or stands still, the warden kills it. It also feeds the watchdog, where
something asks for one. The agent starts a warden when there is none.

SIGTERM ends it. What runs goes on; a watchdog that something needs goes on too, and
resets the machine unless another warden feeds it in time.`,
		Example: "  quorate warden\n  quorate warden --watchdog /dev/watchdog1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			if err := warden.Run(ctx, config); err != nil {
				return fmt.Errorf("warden: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&config.RunDir, "run-dir", config.RunDir, "run_dir of the agent's file")
	c.Flags().StringVar(&config.Watchdog, "watchdog", watchdog.DefaultPath, "the watchdog's device")
	return c
}
