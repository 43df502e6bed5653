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
		Long: `Run the warden of this node: the process that acts when the agent cannot.

A node may run what it runs for as long as it holds its lease. When that is over and
the agent does not stop it, because it was killed, stands still or waits for a disk,
the warden kills it. It also feeds the watchdog, if fencing=watchdog asks for one, so
that the machine is reset if even that does not help.

Nobody needs to call it: quorate-warden.service does, and the agent starts a warden
where there is none. "quorate status --full" shows how it fares.

SIGTERM ends it. What runs goes on. So does a watchdog that something here needs, or
that cannot be disarmed: it resets the machine unless another warden feeds it in time.`,
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
