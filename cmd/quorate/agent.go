package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"quorate/cluster/node"
)

// newAgentCommand is the long-running process on each node.
func newAgentCommand() *cobra.Command {
	config := "/etc/quorate/agent.yaml"
	c := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent of this node (what the systemd unit starts)",
		Long: `Run the agent of this node.

SIGTERM ends the agent, not its work: addresses and HAProxy stay, and the next
start takes them over. To hand the work over first, use "cluster stop".`,
		Example: "  quorate agent\n  quorate agent --config /etc/quorate/agent.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := node.ReadConfig(config)
			if err != nil {
				return err
			}
			level, err := settings.Level()
			if err != nil {
				return err
			}
			logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			if err := node.Run(ctx, settings, version, logger); err != nil {
				return fmt.Errorf("agent: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&config, "config", config, "the agent's file; it need not exist")
	return c
}
