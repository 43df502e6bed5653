package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"quorate/cmd/quorate/render"
)

// follow runs a command that does not end by itself, and passes on what it
// prints line by line. stop ends it.
func follow(t *testing.T, w *world, words ...string) (lines <-chan string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, out := io.Pipe()
	a := newApp("quorate", nil, out, io.Discard, func(string) string { return "" })
	a.socket, a.now = w.socket, w.now
	exit, printed := 0, make(chan string)
	var running sync.WaitGroup
	running.Go(func() {
		exit = a.run(ctx, words)
		out.Close()
	})
	running.Go(func() {
		defer close(printed)
		for s := bufio.NewScanner(r); s.Scan(); {
			select {
			case printed <- s.Text():
			case <-ctx.Done():
			}
		}
	})
	return printed, func() int {
		cancel()
		running.Wait()
		return exit
	}
}

// await reads lines until one contains text.
func await(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	for line := range lines {
		if strings.Contains(line, text) {
			return
		}
	}
	t.Fatalf("the command ended without a line with %q", text)
}

func TestStatusWatchDrawsEveryChange(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	lines, stop := follow(t, w, "status", "--watch")
	await(t, lines, "web: quorum")
	w.run("quorate", "resource", "create", "A", "ocf:heartbeat:IPaddr2", "ip=10.0.0.5")
	await(t, lines, "A  ocf:heartbeat:IPaddr2  running")
	if exit := stop(); exit != 0 {
		t.Errorf("interrupted: exit %d, want 0", exit)
	}
}

func TestStatusWatchAsJSON(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	lines, stop := follow(t, w, "status", "--watch", "-o", "json")
	await(t, lines, `"cluster_name":"web"`)
	w.run("quorate", "node", "standby", "lvss")
	await(t, lines, `"name":"lvss"`)
	if exit := stop(); exit != 0 {
		t.Errorf("interrupted: exit %d, want 0", exit)
	}
}

func TestEventsFollow(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	lines, stop := follow(t, w, "events", "--follow", "-n", "1")
	await(t, lines, "06:00:00.000  (event of kind")
	w.run("quorate", "node", "standby", "lvss")
	await(t, lines, "06:00:01.000  (event of kind configuration) (root@lvsm)")
	w.run("quorate", "node", "unstandby", "lvss")
	if line := <-lines; line != "06:00:02.000  (event of kind configuration) (root@lvsm)" {
		t.Errorf("the next line is %q, want the next event: each is printed once", line)
	}
	if exit := stop(); exit != 0 {
		t.Errorf("interrupted: exit %d, want 0", exit)
	}
}

// On a terminal the last picture stays when the agent does not answer any more.
func TestScreenKeepsTheLastPicture(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	var out strings.Builder
	a := newApp("quorate", nil, &out, io.Discard, func(string) string { return "" })
	a.socket, a.now, a.output = w.socket, w.now, "table"
	s := &screen{app: a, draw: render.Nodes, live: true, at: w.now()}
	s.question(t.Context())
	if err := s.show(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "\x1b[Hweb: quorum") || !strings.HasSuffix(got, "\x1b[K\n\x1b[J") {
		t.Errorf("drawn %q", got)
	}
	out.Reset()
	a.socket = "/does/not/exist"
	w.run("quorate", "node", "standby", "lvss") // time goes on
	s.question(t.Context())
	if err := s.show(); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[HNo answer from the agent for 1s: the agent on this machine does not answer at /does/not/exist"
	if got := out.String(); !strings.HasPrefix(got, want) || !strings.Contains(got, "web: quorum") {
		t.Errorf("drawn %q\nwant %q and the last picture", got, want)
	}
}
