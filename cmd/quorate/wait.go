package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

const (
	defaultWait = time.Minute
	waitSlice   = 2 * time.Second // between two looks at what is still pending
)

// waitFlag is --wait[=TIME]; zero: do not wait.
type waitFlag struct{ d time.Duration }

func (f *waitFlag) String() string {
	if f.d == 0 {
		return ""
	}
	return grammar.FormatDuration(f.d)
}

// Set reads "" or a time as pcs does; a number is seconds.
func (f *waitFlag) Set(word string) error {
	d, err := grammar.ParseDuration("--wait", word)
	f.d = d
	return err
}

// Type names the value in help.
func (f *waitFlag) Type() string { return "TIME" }

// waits gives a changing command the flag --wait.
func (a *app) waits(c *cobra.Command) *cobra.Command {
	c.Flags().Var(&a.wait, "wait", "wait until the cluster has done it, at most `TIME`")
	c.Flags().Lookup("wait").NoOptDefVal = grammar.FormatDuration(defaultWait)
	return c
}

// waitFor waits, if --wait was given, until the cluster has nothing left to do
// about the state at index, and says on stderr what is pending.
func (a *app) waitFor(ctx context.Context, index uint64) error {
	if a.wait.d == 0 {
		return nil
	}
	end := a.now().Add(a.wait.d)
	var pending []string
	for {
		resp, err := a.settled(ctx, index, min(waitSlice, end.Sub(a.now())))
		if err != nil {
			return err
		}
		if resp.GetSettled() {
			return nil
		}
		if !slices.Equal(pending, resp.GetPending()) {
			pending = resp.GetPending()
			for _, p := range pending {
				fmt.Fprintf(a.err, "waiting: %s\n", p)
			}
		}
		if !a.now().Before(end) {
			return fmt.Errorf("not done after %s; it goes on: see %q", a.wait.String(), a.name+" status")
		}
	}
}

func (a *app) settled(ctx context.Context, index uint64, timeout time.Duration) (resp *pb.WaitResponse, err error) {
	timeout = max(timeout, time.Millisecond)
	err = a.ask(ctx, timeout+readTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.Wait(ctx, &pb.WaitRequest{Index: index, Timeout: durationpb.New(timeout)})
		return err
	})
	return resp, err
}
