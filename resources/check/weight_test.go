package check

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The statuses are those of keepalived.conf(5), "misc_dynamic".
func TestADynamicProgramSaysAWeightByItsStatus(t *testing.T) {
	program := filepath.Join(t.TempDir(), "weigh")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit $1\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	for status, want := range map[string]answer{
		"0":   {text: "the program succeeded"},
		"1":   {err: context.Canceled},
		"2":   {text: "the program says weight 0", weight: Weight{0, true}},
		"10":  {text: "the program says weight 8", weight: Weight{8, true}},
		"255": {text: "the program says weight 253", weight: Weight{253, true}},
	} {
		c, err := Parse("program command='" + program + " " + status + "' dynamic=yes")
		if err != nil {
			t.Fatal(err)
		}
		got := c.weigher()(t.Context(), netip.AddrPort{})
		if got.text != want.text || got.weight != want.weight || (got.err == nil) != (want.err == nil) {
			t.Errorf("status %s: %+v, want %+v", status, got, want)
		}
	}
	if c, err := Parse("program command=/bin/true"); err != nil || c.Weighs() {
		t.Errorf("a program that is not dynamic weighs: %v", err)
	}
}

// keepalived.conf(5), "FILE_CHECK": a weight of 0 means a fault, and one that comes to
// -254 too.
func TestAFileTakesAServerOutOrWeighsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "number")
	tests := []struct {
		words, content string
		up             bool
		weight         int
	}{
		{"", "0", true, 0},
		{"", "", true, 0},
		{"", "-", true, 0}, // there is no file
		{"", "1\n", false, 0},
		{"reverse=yes", "1", true, 0},
		{"reverse=yes", "0", false, 0},
		{"weight=2", "10", true, 20},
		{"weight=2 reverse=yes", "10", true, -20},
		{"weight=2", "-127", false, 0},
		{"weight=-2", "-200", true, 400},
		{"weight=65535", "999999999", true, 65535},
	}
	for _, tt := range tests {
		_ = os.Remove(path)
		if tt.content != "-" {
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := Parse("file file=" + path + " " + tt.words)
		if err != nil {
			t.Fatal(err)
		}
		w, err := newWatch(nil, Target{Check: c})
		if err != nil {
			t.Fatal(err)
		}
		a := w.ask(t.Context())
		if (a.err == nil) != tt.up || a.err == nil && a.weight.Change(1) != tt.weight {
			t.Errorf("%s with %q in it: %+v, want up %v, weight %+d", c, tt.content, a, tt.up, tt.weight)
		}
	}
	for _, wrong := range []string{"file", "file file=x", "file file=/x weight=99999", "file file=/x weight=x"} {
		if _, err := Parse(wrong); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
}

func TestAChangeOfAWeightIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "number")
	c, err := Parse("file interval=20ms weight=1 file=" + path)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan Result, 100)
	r := New(Config{Changed: func(c Result) { told <- c }})
	if err := r.Set([]Target{{ID: "x", Check: c}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for i, want := range []int{0, 5, -3} {
		if i > 0 {
			if err := os.WriteFile(path, []byte(map[int]string{5: "5", -3: "-3"}[want]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for {
			select {
			case got := <-told:
				if got.State != Up {
					t.Fatalf("told %+v", got)
				}
				if got.Weight.Value != want {
					continue // the file was read while it was written
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("weight %d is not told", want)
			}
			break
		}
	}
}

func TestACheckAsksFromTheAddressThatItIsGiven(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Parse("tcp source=127.0.0.9")
	if err != nil {
		t.Fatal(err)
	}
	if text := c.String(); text != "tcp source=127.0.0.9" {
		t.Errorf("written as %q", text)
	}
	from := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		from <- conn.RemoteAddr().String()
		_ = conn.Close()
	}()
	if _, _, err := Once(t.Context(), c, netip.MustParseAddrPort(l.Addr().String())); err != nil {
		t.Fatal(err)
	}
	if got := <-from; !strings.HasPrefix(got, "127.0.0.9:") {
		t.Errorf("it asked from %s", got)
	}
	if _, err := Parse("tcp source=nowhere"); err == nil {
		t.Error("a source that is no address was taken")
	}
}
