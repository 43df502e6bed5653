package haproxy

import (
	"context"
	"fmt"
	"sync"

	pb "quorate/proto/quorate/v1"
)

// Watch implements [resources.Watcher]: the kernel tells when the master or
// the worker ends. A reload ends a worker too; then another one serves.
func (a *Agent) Watch(ctx context.Context, r *pb.Resource, changed func(why string)) error {
	s, h := place(r, a.runDir), a.hold(r)
	for ctx.Err() == nil {
		why := a.untilEnd(ctx, s, h)
		if why == "" || h.ended() || ctx.Err() != nil {
			continue
		}
		if _, err := healthy(ctx, s); err == nil {
			continue
		}
		changed(why)
		select { // nothing to watch before the next Start
		case <-ctx.Done():
		case <-h.renewed:
		}
	}
	return nil
}

// untilEnd waits until a process that serves has ended and says which, or
// returns "" when there may be others to watch.
func (a *Agent) untilEnd(ctx context.Context, s *settings, h *hold) string {
	select { // what it stands for is looked at now
	case <-h.renewed:
	default:
	}
	master, err := s.master()
	st := status{}
	if err == nil && master != 0 {
		st, err = askStatus(ctx, s)
	}
	if err != nil || master == 0 || st.newest() == 0 {
		if !h.ended() {
			return "haproxy has ended"
		}
		select {
		case <-ctx.Done():
		case <-h.renewed:
			h.again()
		}
		return ""
	}
	return firstEnd(ctx, h, map[int]string{
		master:      fmt.Sprintf("haproxy's master, process %d, has ended", master),
		st.newest(): fmt.Sprintf("haproxy's worker, process %d, has ended", st.newest()),
	})
}

// firstEnd waits until one of the processes has ended, and returns what is
// said of it; "" when a Start or Reload came before that.
func firstEnd(ctx context.Context, h *hold, said map[int]string) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
	case <-h.renewed:
		h.again()
		return ""
	case text := <-first:
		return text
	}
}

// again puts a token back that was taken.
func (h *hold) again() {
	select {
	case h.renewed <- struct{}{}:
	default:
	}
}
