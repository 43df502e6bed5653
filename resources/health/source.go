package health

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"quorate/resources/check"
)

// A source finds the value of an attribute.
type source interface {
	// first finds it once. The reason says how.
	first(ctx context.Context) (value, reason string)
	// follow finds it again and again until ctx is canceled, and tells of changes.
	// Last is the value that is known.
	follow(ctx context.Context, last string, tell func(value, reason string))
	String() string
}

// asked is the result of a check.
type asked struct {
	check    check.Check
	up, down string
}

func (a *asked) first(ctx context.Context) (value, reason string) {
	text, _, err := check.Once(ctx, a.check, here)
	if err != nil {
		return a.down, err.Error()
	}
	return a.up, text
}

func (a *asked) follow(ctx context.Context, last string, tell func(value, reason string)) {
	assume := map[string]check.State{a.up: check.Up, a.down: check.Down}[last]
	r := check.New(check.Config{Changed: func(c check.Result) {
		if c.State == check.Up {
			tell(a.up, c.Reason)
		} else {
			tell(a.down, c.Reason)
		}
	}})
	if err := r.Set([]check.Target{{ID: "here", Server: here, Check: a.check, Assume: assume}}); err != nil {
		tell(a.down, err.Error()) // it was parsed, and suits
		return
	}
	_ = r.Run(ctx) // it ends with ctx, and with no error
}

func (a *asked) String() string {
	return fmt.Sprintf("is %s while the check %s passes, and %s while it does not", a.up, a.check.Kind, a.down)
}

// file is a number that another program writes.
type file struct {
	path     string
	weight   int
	interval time.Duration
}

// Values from banned on keep everything away, as keepalived's track_file does.
const (
	banned = -254
	most   = 253
)

func (f *file) first(context.Context) (value, reason string) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "0", "the file is not there"
	}
	if err != nil {
		return "0", err.Error()
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return "0", "the file has no number"
	}
	n = max(banned, min(n, -banned)) * f.weight
	if n <= banned {
		return "-INFINITY", "the file says so"
	}
	return strconv.Itoa(min(n, most)), "the file says so"
}

func (f *file) follow(ctx context.Context, last string, tell func(value, reason string)) {
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	for {
		if value, reason := f.first(ctx); value != last {
			tell(value, reason)
			last = value
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *file) String() string { return fmt.Sprintf("is %d times the number in %s", f.weight, f.path) }
