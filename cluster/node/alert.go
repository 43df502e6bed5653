package node

import (
	"context"

	"quorate/cluster/alert"
)

// runAlert runs an alert on this machine.
func (a *Agent) runAlert(ctx context.Context, c alert.Call) error {
	c.Version = a.version
	return alert.Run(ctx, c)
}
