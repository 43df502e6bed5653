package haproxy

import (
	"context"
	"fmt"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Watch implements [resources.Watcher]: the kernel tells when the master or
// the worker ends. A reload ends a worker too; then another one serves.
func (a *Agent) Watch(ctx context.Context, r *pb.Resource, changed func(why string)) error {
	s, h := place(r, a.runDir), a.hold(r)
	for ctx.Err() == nil {
		renewed := h.next() // before anything is looked at
		why := untilEnd(ctx, s, renewed)
		if why == "" || succeeded(ctx, s) || ctx.Err() != nil {
			continue
		}
		if isClosed(renewed) { // what was seen is of an earlier time
			continue
		}
		if !h.ended() {
			changed(why)
		}
		select { // nothing to watch before the next Start
		case <-ctx.Done():
		case <-renewed:
		}
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// successionTime is how long a reload may take to make another worker, on a
// machine with much else to do. When a worker fails, its master ends at once.
const successionTime = 3 * time.Second

// succeeded reports whether another worker serves instead of one that ended.
func succeeded(ctx context.Context, s *settings) bool {
	ctx, cancel := context.WithTimeout(ctx, successionTime)
	defer cancel()
	for {
		if _, err := healthy(ctx, s); err == nil {
			return true
		}
		if m, err := s.master(); err != nil || m == 0 || pause(ctx) != nil {
			return false
		}
	}
}

// untilEnd waits until a process that serves has ended and says which, or
// returns "" when there may be others to watch.
func untilEnd(ctx context.Context, s *settings, renewed <-chan struct{}) string {
	master, err := s.master()
	st := status{}
	if err == nil && master != 0 {
		st, err = askStatus(ctx, s)
	}
	if err != nil || st.newest() == 0 {
		return "haproxy is not running"
	}
	return firstEnd(ctx, renewed, map[int]string{
		master:      fmt.Sprintf("haproxy's master, process %d, has ended", master),
		st.newest(): fmt.Sprintf("haproxy's worker, process %d, has ended", st.newest()),
	})
}

// firstEnd waits until one of the processes has ended, and returns what is
// said of it; "" when a Start or Reload came before that.
func firstEnd(ctx context.Context, renewed <-chan struct{}, said map[int]string) string {
	ctx, cancel := context.WithCancel(ctx)
	first := make(chan string, len(said))
	var w sync.WaitGroup
	defer w.Wait()
	defer cancel()
	for pid, text := range said {
		x, err := watchExit(pid)
		if err != nil {
			return text
		}
		w.Go(func() {
			if x.wait(ctx) == nil {
				first <- text
			}
		})
	}
	select {
	case <-ctx.Done():
		return ""
	case <-renewed:
		return ""
	case text := <-first:
		return text
	}
}
