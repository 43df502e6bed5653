package lab

import (
	"context"
	"fmt"
	"os/signal"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// runBurn takes all the time that N processors have: `burn N`.
func runBurn(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		return fmt.Errorf("burn: %q is no number of threads", args[0])
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	runtime.GOMAXPROCS(n + 1)
	var burning sync.WaitGroup
	for range n {
		burning.Go(func() {
			for ctx.Err() == nil {
			}
		})
	}
	burning.Wait()
	return nil
}
