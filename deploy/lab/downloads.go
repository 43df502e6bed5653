package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// downloadOrder is what the downloader in a client's namespace is told:
// `downloader ORDER`.
type downloadOrder struct {
	URL   string
	Count int
}

// A downloadLine is what it says of one download, when that has begun, every second
// while it goes on, and when it has ended.
type downloadLine struct {
	Number int
	Heard  time.Duration // when it received something last, on the machine's monotonic clock
	Ended  bool
	Broken string // why it ended too early
}

// runDownloader has downloads open until all have ended or its standard input has.
func runDownloader(args []string) error {
	var order downloadOrder
	if err := json.Unmarshal([]byte(args[0]), &order); err != nil {
		return fmt.Errorf("downloader: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stop()
		_ = waitReadable(ctx, os.Stdin) // nothing is ever written: it has ended
		return nil
	})
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(l downloadLine) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(l)
	}
	g.Go(func() error {
		defer stop()
		var all sync.WaitGroup
		for i := range order.Count {
			all.Go(func() { download(ctx, order.URL, i, say) })
			time.Sleep(time.Millisecond) // a backlog has room for so many at a time
		}
		all.Wait()
		return nil
	})
	return g.Wait()
}

// download reads lines until the last one, "done".
func download(ctx context.Context, url string, number int, say func(downloadLine)) {
	l := downloadLine{Number: number}
	said, last := time.Duration(0), ""
	err := readLines(ctx, url, func(line string) {
		if last, l.Heard = line, now(); l.Heard-said >= time.Second {
			said = l.Heard
			say(l)
		}
	})
	if l.Ended = true; err == nil && last != "done" {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		l.Broken = err.Error()
	}
	if ctx.Err() == nil {
		say(l)
	}
}

func readLines(ctx context.Context, url string, read func(string)) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		read(lines.Text())
	}
	return lines.Err()
}

// Downloads are slow ones that the client has open.
type Downloads struct {
	Count   int
	input   *os.File // its end is theirs
	running sync.WaitGroup

	mu   sync.Mutex
	last map[int]downloadLine // the newest of each
	err  error
}

// Download has the client open so many downloads of a page.
func (l *Lab) Download(ctx context.Context, url string, count int) (*Downloads, error) {
	order, err := json.Marshal(downloadOrder{url, count})
	if err != nil {
		return nil, err
	}
	d := &Downloads{Count: count, last: make(map[int]downloadLine)}
	d.input, err = l.stream(ctx, &d.running, d.fail, []string{"quorate", "lab", "downloader", string(order)}, func(lines *json.Decoder) error {
		var one downloadLine
		if err := lines.Decode(&one); err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.last[one.Number] = one
		return nil
	})
	return d, err
}

func (d *Downloads) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = errors.Join(d.err, err)
}

// Alive counts the downloads that received something after a time, or came to their
// end, and those that are broken.
func (d *Downloads) Alive(after time.Duration) (alive, broken int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.last {
		switch {
		case l.Broken != "":
			broken++
		case l.Ended || l.Heard > after:
			alive++
		}
	}
	return alive, broken
}

// Settled waits until each download has received something after a time or is
// broken, and counts those that live. One that does not go on within the patience
// is as good as broken.
func (d *Downloads) Settled(ctx context.Context, after, patience time.Duration) (alive int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		alive, broken := d.Alive(after)
		if alive+broken == d.Count || pause(ctx, pollEvery) != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			return alive, d.err
		}
	}
}

// Stop ends the downloads.
func (d *Downloads) Stop() error {
	_ = d.input.Close()
	d.running.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
