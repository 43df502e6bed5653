package fencing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "quorate/proto/quorate/v1"
)

// settle is how long a plug may take to show that it was switched, and look how
// often it is looked at meanwhile.
const (
	settle = 5 * time.Second
	look   = 500 * time.Millisecond
)

// Operate has a device do something to a node. Without an error it is so for
// certain: after an off the plug was seen off, after an on it was seen on, as far as
// the type can tell. It is tried as often as the device allows.
func Operate(ctx context.Context, t Type, d *pb.FencingDevice, action, node string) error {
	if err := t.Missing(); err != nil {
		return err
	}
	to := TargetOf(d, node)
	if err := switches(ctx, t, d, action, to); err != nil {
		return err
	}
	var err error
	for range Tries(d, action) {
		if err = once(ctx, t, d, action, to); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// switches asks a device whether it switches a node at all, if only it can tell.
func switches(ctx context.Context, t Type, d *pb.FencingDevice, action string, to Target) error {
	if HostCheck(d) != DynamicList || action != Off && action != On {
		return nil
	}
	answer, err := run(ctx, t, d, List, Target{})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if plugs := Plugs(answer.Text); !slices.Contains(plugs, to.Plug) {
		return fmt.Errorf("%s does not switch %s: it lists %v; add pcmk_host_map=%s:PLUG", d.Id, to.Plug, plugs, to.Node)
	}
	return nil
}

func once(ctx context.Context, t Type, d *pb.FencingDevice, action string, to Target) error {
	_, err := run(ctx, t, d, action, to)
	if (action != Off && action != On) || !d.GetTraits().GetStatus() {
		return err
	}
	want := map[string]Power{Off: PowerOff, On: PowerOn}[action]
	seen, lookErr := await(ctx, t, d, to, want, err == nil)
	switch {
	case seen == want: // whatever it said of the order: a plug that is off is off
		return nil
	case err != nil:
		return err
	case lookErr != nil:
		return fmt.Errorf("%w: %w", ErrUnconfirmed, lookErr)
	case action == On:
		return errors.New("switched on, it says, but its status does not say so")
	default:
		return ErrUnconfirmed
	}
}

// await looks at a plug until it is as wanted: once, or for as long as it may take
// to show that an order was carried out.
func await(ctx context.Context, t Type, d *pb.FencingDevice, to Target, want Power, ordered bool) (seen Power, err error) {
	for deadline := time.Now().Add(settle); ; {
		var answer Answer
		answer, err = run(ctx, t, d, Status, to)
		if err == nil {
			seen = answer.Power
		}
		if seen == want || !ordered || time.Now().After(deadline) {
			return seen, err
		}
		select {
		case <-ctx.Done():
			return Unknown, ctx.Err()
		case <-time.After(look):
		}
	}
}

// run bounds one use of a device.
func run(ctx context.Context, t Type, d *pb.FencingDevice, action string, to Target) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, Timeout(d, action), fmt.Errorf("no end after %v", Timeout(d, action)))
	defer cancel()
	return t.Run(ctx, d, action, to)
}
